// Holds a tree against the table of directives: unknown names, counts, values, and what is known but not served. What
// concerns several directives together is in rules.ts. The tree is in today's spelling (rewrites.ts went first).
import { directiveRows, findRow, namesAt, placesOf } from "./directives.js";
import type { DirectiveRow } from "./directives-row.js";
import { shorten } from "./lexer.js";
import type { Directive } from "./parser.js";
import { errorAt, type Problem, warningAt } from "./problem.js";
import { checkRules } from "./rules.js";
import { nearest } from "./suggest.js";
import { type Block, inside, isOn, rootBlock } from "./tree.js";
import { readValue } from "./values.js";

const allNames = [...new Set(directiveRows.map((row) => row.name))];

/** How closely a block is looked at. Names are checked everywhere, as in SRS. */
interface Look {
  /** The values are never used: only those that SRS refuses are reported. */
  readonly isUnused: boolean;
  /** The block, or one around it, is switched off: what it would do or could not do is worth a warning at most. */
  readonly isOff: boolean;
}

/** Finds everything that is wrong with a file. Never throws. */
export function check(directives: readonly Directive[], file: string): Problem[] {
  const root = rootBlock(directives);
  const problems: Problem[] = [];
  const reported = new Set<string>();
  checkBlock(root, { isUnused: false, isOff: false }, null, problems, reported);
  problems.push(...checkRules(root, file));
  return problems;
}

/** `owner` is the row of the block, null at the root; `reported` holds what CONF_NOT_SERVED has named already. */
function checkBlock(block: Block, look: Look, owner: DirectiveRow | null, problems: Problem[], reported: Set<string>): void {
  const firsts = new Map<string, Directive>();
  for (const directive of block.directives) {
    const row = findRow(block.place, directive.name);
    if (row === undefined) {
      if (owner?.type.kind !== "block" || !owner.type.isOpen) problems.push(unknown(directive, block.place));
      continue;
    }
    const first = firsts.get(directive.name);
    const isExtra = first !== undefined && !row.isRepeatable;
    if (isExtra && !look.isUnused) problems.push(givenAgain(directive, first, row));
    firsts.set(directive.name, first ?? directive);
    const isUnused = look.isUnused || isExtra;
    if (!isUnused) problems.push(...checkShape(directive, row));
    if (isUnserved(block, directive, row, { ...look, isUnused }) && !reported.has(`${row.place} ${row.name}`)) {
      reported.add(`${row.place} ${row.name}`);
      problems.push(warningAt(directive, "CONF_NOT_SERVED", `${row.name} is known but not served yet: it has no effect`));
    }
    if (row.type.kind === "block") {
      const children = inside(block, directive);
      const isOff = look.isOff || !isEnabled(children);
      checkBlock(children, { isUnused: isUnused || row.serving !== "served", isOff }, row, problems, reported);
    } else {
      problems.push(...checkValue(directive, row, { ...look, isUnused: isUnused || row.serving !== "served" }));
    }
  }
}

/** The number of arguments, and braces where there should be none or none where there should be some. */
function checkShape(directive: Directive, row: DirectiveRow): Problem[] {
  const { name, args, children } = directive;
  const { kind } = row.type;
  const most =
    row.type.kind === "block" ? (row.type.takesName ? 1 : 0) : kind === "texts" || kind === "listen" || kind === "servers" ? Infinity : 1;
  const warn = (message: string): Problem => warningAt(directive, "CONF_ARGUMENTS", `${name} ${message}`);
  const found: Problem[] = [];
  if (args.length > most) {
    const extra = args.slice(most).map(shorten).join(" ");
    found.push(warn(most === 0 ? `takes a block and no argument; ${extra} is ignored` : `takes one argument; ${extra} is ignored`));
  }
  if (kind === "block" && children === null) found.push(warn("is a block but has no braces; it is taken as empty"));
  if (kind !== "block" && children !== null) found.push(warn("takes a value, not a block; what is in the braces is ignored"));
  if (kind !== "block" && args.length === 0) found.push(warn("has no argument; it is taken as not given"));
  return found;
}

function checkValue(directive: Directive, row: DirectiveRow, look: Look): Problem[] {
  const found = readValue(row, directive).problems;
  if (look.isUnused) return found.filter((problem) => problem.severity === "error");
  return look.isOff ? found.map((problem) => ({ ...problem, severity: "warning" })) : [...found];
}

/** Whether the directive would do something in SRS that is not done here. */
function isUnserved(block: Block, directive: Directive, row: DirectiveRow, look: Look): boolean {
  if (row.serving !== "not yet" || look.isUnused || look.isOff) return false;
  if (row.type.kind === "block") return isEnabled(inside(block, directive));
  return JSON.stringify(readValue(row, directive).value) !== JSON.stringify(readValue(row, undefined).value);
}

/** A block without the directive `enabled` is always on. */
function isEnabled(block: Block): boolean {
  return findRow(block.place, "enabled") === undefined || isOn(block, "enabled");
}

/** A second block of a strict row refuses the file, as SRS does with `http_remux`. */
function givenAgain(directive: Directive, first: Directive, row: DirectiveRow): Problem {
  if (row.type.kind === "block" && row.isStrict) {
    return errorAt(directive, "CONF_DUPLICATE", `${row.name} may stand only once here; the first is in line ${first.line}`);
  }
  return warningAt(directive, "CONF_DUPLICATE", `${row.name} is given again; the first counts, in line ${first.line}`);
}

function unknown(directive: Directive, place: string): Problem {
  const name = shorten(directive.name);
  const where = place === "root" ? "at the root" : `in ${place}`;
  const slip = nearest(directive.name, namesAt(place));
  const places = placesOf(directive.name).map((known) => (known === "root" ? "the root" : known));
  if (places.length > 0) {
    const shown = places.length > 3 ? [...places.slice(0, 3), "other places"] : places;
    return errorAt(directive, "CONF_PLACE", `${name} does not belong ${where}, but in ${shown.join(" or ")}`);
  }
  if (slip !== null) return errorAt(directive, "CONF_UNKNOWN", `${name} is not known ${where}: is ${shorten(slip)} meant?`);
  const farSlip = directiveRows.find((row) => row.name === nearest(directive.name, allNames));
  if (farSlip !== undefined) {
    const meant = `${shorten(farSlip.name)} of ${farSlip.place === "root" ? "the root" : farSlip.place}`;
    return errorAt(directive, "CONF_UNKNOWN", `${name} is not known ${where}: is ${meant} meant?`);
  }
  return errorAt(directive, "CONF_UNKNOWN", `${name} is not known ${where}${rowHint(place)}`);
}

/** The names themselves, where they are few. */
function rowHint(place: string): string {
  const names = namesAt(place);
  return names.length <= 12 ? `; there may be ${names.join(", ")}` : "";
}
