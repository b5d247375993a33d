// Holds a tree against the table of directives: unknown names, counts, values, and what is known but not served. What
// concerns several directives together is in rules.ts. The tree is in today's spelling (rewrites.ts went first).
import { directiveRows, findRow, namesAt, placesOf } from "../directives/table.js";
import type { DirectiveRow, ValueType } from "../directives/row.js";
import { shorten } from "../grammar/lexer.js";
import type { Directive } from "../grammar/parser.js";
import { errorAt, type Problem, warningAt } from "../grammar/problem.js";
import { checkGuards } from "./guards.js";
import type { Endpoint } from "./config.js";
import { checkRules } from "./rules.js";
import { nearest } from "../directives/suggest.js";
import { type Block, inside, isEnabled, rootBlock } from "./tree.js";
import { readValue } from "./values.js";

const allNames = [...new Set(directiveRows.map((row) => row.name))];

/**
 * How closely a block is looked at. Names are checked in all of them, as in SRS. `used`: everything; `off`: what is switched
 * off cannot refuse the file, so errors become warnings; `unserved`: values are never used, only those that SRS refuses are
 * reported; `ignored`: the block is a repetition that is never read.
 */
type Look = "used" | "off" | "unserved" | "ignored";

/** What is known of a file from elsewhere. */
export interface Beside {
  /** An unmodified srs behind the proxies reads it, and serves what we do not. */
  readonly isForSrs?: boolean;
  /** The addresses of the command line; none: the file's. */
  readonly listen?: readonly Endpoint[] | undefined;
}

/** Finds everything that is wrong with a file. Never throws. */
export function check(directives: readonly Directive[], file: string, { isForSrs = false, listen = [] }: Beside = {}): Problem[] {
  const root = rootBlock(directives);
  const problems: Problem[] = [];
  checkBlock(root, "used", null, problems, new Set());
  problems.push(...checkRules(root, file, listen));
  return isForSrs ? problems.filter(({ code }) => code !== "CONF_NOT_SERVED") : [...problems, ...checkGuards(root)];
}

/** `owner` is the row of the block, null at the root; `reported` holds the rows that CONF_NOT_SERVED has named already. */
function checkBlock(block: Block, look: Look, owner: DirectiveRow | null, problems: Problem[], reported: Set<DirectiveRow>): void {
  const firsts = new Map<string, Directive>();
  for (const directive of block.directives) {
    const row = findRow(block.place, directive.name);
    if (row === undefined) {
      if (owner?.type.kind !== "block" || !owner.type.isOpen) problems.push(unknown(directive, block.place));
      continue;
    }
    const first = firsts.get(directive.name);
    const isRepetition = first !== undefined && !row.isRepeatable;
    if (first === undefined) firsts.set(directive.name, directive);
    if (isRepetition && look !== "ignored") problems.push(givenAgain(directive, first, row));
    const own: Look = isRepetition ? "ignored" : look;
    if (own === "used" || own === "off") problems.push(...checkShape(directive, row));
    if (own === "used" && !reported.has(row) && isMissed(block, directive, row)) {
      reported.add(row);
      problems.push(warningAt(directive, "CONF_NOT_SERVED", `${row.name} is known but not served yet: it has no effect`));
    }
    const inner: Look = own === "ignored" || row.serving === "served" ? own : "unserved";
    if (row.type.kind !== "block") {
      problems.push(...checkValue(directive, row, inner));
      continue;
    }
    const children = inside(block, directive);
    if (own === "used" && inner === "unserved") problems.push(...checkSwitch(children));
    checkBlock(children, inner === "used" && !isEnabled(children) ? "off" : inner, row, problems, reported);
  }
}

/** The number of arguments, and braces where there should be none or none where there should be some. */
function checkShape(directive: Directive, row: DirectiveRow): Problem[] {
  const { name, args, children } = directive;
  const isBlock = row.type.kind === "block";
  const most = mostArguments(row.type);
  const warn = (message: string): Problem => warningAt(directive, "CONF_ARGUMENTS", `${name} ${message}`);
  const found: Problem[] = [];
  if (args.length > most) {
    const extra = args.slice(most).map(shorten).join(" ");
    found.push(warn(most === 0 ? `takes a block and no argument; ${extra} is ignored` : `takes one argument; ${extra} is ignored`));
  }
  if (isBlock && children === null) found.push(warn("is a block but has no braces; it is taken as empty"));
  if (!isBlock && children !== null) found.push(warn("takes a value, not a block; what is in the braces is ignored"));
  if (!isBlock && args.length === 0) found.push(warn("has no argument; it is taken as not given"));
  return found;
}

function mostArguments(type: ValueType): number {
  if (type.kind === "block") return type.takesName ? 1 : 0;
  return type.kind === "texts" || type.kind === "listen" || type.kind === "servers" ? Infinity : 1;
}

function checkValue(directive: Directive, row: DirectiveRow, look: Look): Problem[] {
  if (look === "ignored") return [];
  const found = readValue(row, directive).problems;
  if (look === "unserved") return found.filter((problem) => problem.severity === "error");
  return look === "off" ? found.map((problem) => ({ ...problem, severity: "warning" })) : [...found];
}

/** Whether a block is on is asked of those too that are not served, so it is told when that is misread. */
function checkSwitch(block: Block): readonly Problem[] {
  const directive = block.directives.find(({ name }) => name === "enabled");
  const row = findRow(block.place, "enabled");
  return directive === undefined || row === undefined ? [] : readValue(row, directive).problems;
}

/** Whether the directive would do something in SRS that is not done here. */
function isMissed(block: Block, directive: Directive, row: DirectiveRow): boolean {
  if (row.serving !== "not yet") return false;
  if (row.type.kind === "block") return isEnabled(inside(block, directive));
  return JSON.stringify(readValue(row, directive).value) !== JSON.stringify(readValue(row, undefined).value);
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
  const farName = nearest(directive.name, allNames);
  const farSlip = directiveRows.find((row) => row.name === farName);
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
