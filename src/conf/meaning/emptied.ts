// What a reload may not do, though every directive of the file is right: empty the box. A file that is cut off in the moment of a
// HUP, or for want of room on the disk, often still parses, and says nothing. Whoever means it has a way to say so.
import { shorten } from "../grammar/lexer.js";
import type { BlankFile, Directive } from "../grammar/parser.js";
import { errorAt, type Place, type Problem } from "../grammar/problem.js";
import { findAll, rootBlock } from "./tree.js";

/** A tree, and the files included for it that have no text at all. */
interface Read {
  readonly directives: readonly Directive[];
  readonly blank: readonly BlankFile[];
}

/** Why the file may not come into force in place of `before`; empty: it may. `file` names it for what is missing as a whole. */
export function findEmptied(before: readonly Directive[], { directives, blank }: Read, file: string): Problem[] {
  const spoke = filesOf(before);
  const cutOff = blank.filter(({ path }) => spoke.has(path)).map(toldCutOff);
  const hadVhosts = findAll(rootBlock(before), "vhost").length > 0;
  if (!hadVhosts || findAll(rootBlock(directives), "vhost").length > 0) return cutOff;
  const start: Place = { file, line: 1, column: 1 };
  return [...cutOff, errorAt(start, "CONF_RELOAD", "no vhost is left, and everybody would be sent away: is the file whole?")];
}

/** The files that the directives of a tree stand in. */
function filesOf(directives: readonly Directive[]): Set<string> {
  return new Set(directives.flatMap(({ file, children }) => [file, ...(children === null ? [] : filesOf(children))]));
}

function toldCutOff(at: BlankFile): Problem {
  const remedy = "write it again; where nothing shall come from it, a comment in it, or no include, says so";
  return errorAt(at, "CONF_RELOAD", `${shorten(at.path)} is empty, and what it said is in force: ${remedy}`);
}
