// What a reload can bring into force: the new tree, but for those directives that only a restart does. They stay as they were,
// so that the tree in force always says how the box runs, and a change that waits for a restart is told again at each reload.
import { findRow, placeInside } from "../directives/table.js";
import type { Directive } from "../grammar/parser.js";
import { type Block, rootBlock } from "./tree.js";

/** The tree that a box that runs under `before` can run under when it is given `after`. */
export function treeInForce(before: readonly Directive[], after: readonly Directive[]): Directive[] {
  return merge(rootBlock(before), rootBlock(after));
}

function merge(before: Block, after: Block): Directive[] {
  const { place } = after;
  const needsRestart = ({ name }: Directive): boolean => {
    const row = findRow(place, name);
    return row !== undefined && row.type.kind !== "block" && row.reload === "restart";
  };
  const kept = [...after.directives.filter((one) => !needsRestart(one)), ...before.directives.filter(needsRestart)];
  // A block may be new, and may be gone; in both cases what needs a restart in it is decided by the old tree.
  const gone = before.directives.filter((old) => isPlainBlock(place, old) && !kept.some(({ name }) => name === old.name));
  const both = (block: Directive, news: readonly Directive[]): Directive => {
    const old = before.directives.find(({ name }) => name === block.name)?.children ?? [];
    const inner = placeInside(place, block.name);
    return { ...block, children: merge({ place: inner, directives: old }, { place: inner, directives: news }) };
  };
  return [...kept.map((one) => (isPlainBlock(place, one) ? both(one, one.children ?? []) : one)), ...gone.map((old) => both(old, []))];
}

/** A block of which there is one: several of a name, such as vhosts, hold nothing that needs a restart. */
function isPlainBlock(place: string, { name }: Directive): boolean {
  const row = findRow(place, name);
  return row?.type.kind === "block" && !row.isRepeatable;
}
