// What differs between two configurations, directive by directive, for a reload: what changed, and what the change takes.
// It looks at what directives mean and not at how they are written: an order, a comment, an old spelling, or a default that
// is spelled out is no change, nor is anything in a block that is off before and after. Pure: whoever reloads decides.
import { findRow, placeInside } from "../directives/table.js";
import type { DirectiveRow, Reload, Serving } from "../directives/row.js";
import type { Directive } from "../grammar/parser.js";
import { type Block, isEnabled, rootBlock } from "./tree.js";
import { readValue } from "./values.js";
import { formatDirectives, formatWords } from "../grammar/write.js";

export interface ConfChange {
  /** Names from the root: `listen`, `http_server.crossdomain`, `vhost a.com play.gop_cache`; a vhost alone came or went. */
  readonly path: string;
  /** As it would be written in a file, the default where nothing is; null: neither. A block that is there is `{ … }`, a secret `…`. */
  readonly from: string | null;
  readonly to: string | null;
  readonly reload: Reload;
  readonly serving: Serving;
}

/**
 * The changes that lead from one tree to another, in the order of the second text; what has gone comes last in its block.
 * Trees are those of `Loaded`; `flagged` are the paths that the command line decides (see flags.ts), which are left out.
 */
export function changesBetween(
  before: readonly Directive[],
  after: readonly Directive[],
  flagged: ReadonlySet<string> = new Set(),
): ConfChange[] {
  const rootOf = (tree: readonly Directive[]): Block => rootBlock(flagged.has("implied http_remux") ? tree.map(withHttpRemux) : tree);
  return changesOf(rootOf(before), rootOf(after), null, "").filter(({ path }) => !flagged.has(path));
}

/** `--http` serves the vhosts that say nothing of http_remux. */
function withHttpRemux(directive: Directive): Directive {
  const children = directive.children ?? [];
  if (directive.name !== "vhost" || children.some(({ name }) => name === "http_remux")) return directive;
  const enabled: Directive = { ...directive, name: "enabled", args: ["on"], children: null };
  return { ...directive, children: [...children, { ...directive, name: "http_remux", args: [], children: [enabled] }] };
}

/** `owner` is the row of the two blocks, null at the root; `prefix` stands before the names in them. */
function changesOf(before: Block, after: Block, owner: DirectiveRow | null, prefix: string): ConfChange[] {
  const olds = groupsOf(before);
  const news = groupsOf(after);
  const keys = new Set([...news.keys(), ...olds.keys()]);
  return [...keys].flatMap((key) => {
    const old = olds.get(key) ?? [];
    const now = news.get(key) ?? [];
    const name = (now[0] ?? old[0])?.name ?? "";
    const row = findRow(after.place, name);
    const path = `${prefix}${key}`;
    if (row === undefined) return changeOf(path, owner, unknownText(old), unknownText(now));
    if (row.type.kind !== "block") {
      return meaningOf(row, old) === meaningOf(row, now) ? [] : changeOf(path, row, writtenValue(row, old), writtenValue(row, now));
    }
    if (row.isRepeatable && old.length !== now.length) {
      return changeOf(path, row, old.length === 0 ? null : "{ … }", now.length === 0 ? null : "{ … }");
    }
    const oldInside = insideOf(after.place, name, old);
    const newInside = insideOf(after.place, name, now);
    if (!isEnabled(oldInside) && !isEnabled(newInside)) return [];
    return changesOf(oldInside, newInside, row, `${path}${row.isRepeatable ? " " : "."}`);
  });
}

/** Directives of a block by their names in a path. Of those that count once, the first; several vhosts are several names. */
function groupsOf({ place, directives }: Block): Map<string, Directive[]> {
  const groups = new Map<string, Directive[]>();
  const counts = new Map<string, number>();
  for (const directive of directives) {
    const { name, args } = directive;
    const row = findRow(place, name);
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const isOneOfMany = row?.type.kind === "block" && row.isRepeatable;
    const key = isOneOfMany ? `${name} ${row.type.takesName ? (args[0] ?? "") : count}`.trimEnd() : name;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [directive]);
    else if (row === undefined || (row.isRepeatable && !isOneOfMany)) group.push(directive);
  }
  return groups;
}

function insideOf(place: string, name: string, [directive]: readonly Directive[]): Block {
  return { place: placeInside(place, name), directives: directive?.children ?? [] };
}

function changeOf(path: string, row: DirectiveRow | null, from: string | null, to: string | null): ConfChange[] {
  if (from === to || row === null) return [];
  const [shownFrom, shownTo] = row.isSecret ? ["…", "…"] : [from, to];
  return [{ path, from: shownFrom, to: shownTo, reload: row.reload, serving: row.serving }];
}

/** What a value comes to, comparable. */
function meaningOf(row: DirectiveRow, group: readonly Directive[]): string {
  return JSON.stringify((group.length === 0 ? [undefined] : group).map((directive) => readValue(row, directive).value));
}

function writtenValue(row: DirectiveRow, group: readonly Directive[]): string | null {
  const given = group.filter(({ args }) => args.length > 0);
  return given.length === 0 ? row.default : given.map(({ args }) => formatWords(args)).join("; ");
}

/** A name without a row, as open blocks may have them, in one line. */
function unknownText(group: readonly Directive[]): string | null {
  return group.length === 0 ? null : formatDirectives(group).trim().replaceAll(/\s+/g, " ");
}
