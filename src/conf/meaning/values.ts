// Arguments of a directive → a value, by the type in its row. SRS forgives nearly everything (`atoi`, "any word but off"),
// and a file that it takes must be taken here too: a value that cannot be read is replaced as SRS would, and a warning
// says by what. Only rows marked strict refuse. One function serves both check.ts, which reports, and build.ts, which uses.
import { messageOf } from "../../base/errors.js";
import type { Endpoint } from "./config.js";
import { anyNumber, type DirectiveRow, type Unit, type ValueType } from "../directives/row.js";
import { formatEndpoint, overlaps, parseListen, parseServer } from "./endpoint.js";
import { shorten } from "../grammar/lexer.js";
import type { Directive } from "../grammar/parser.js";
import { errorAt, type Problem, warningAt } from "../grammar/problem.js";

/** Times are in ms whatever the unit in the file; null: not given, and there is no default. A list is empty then. */
type Value = boolean | number | string | readonly string[] | readonly Endpoint[] | null;

export interface Reading {
  readonly value: Value;
  /** Errors only for strict rows. */
  readonly problems: readonly Problem[];
}

type NumberType = Omit<ValueType & { kind: "number" }, "kind">;

/** Tells of a value that is replaced; `isUsable`: enough of it could be read, so that even a strict row accepts it. */
type Report = (message: string, replacement: string, isUsable?: boolean) => void;

/** Reads a directive, or the default where it is absent or has no argument. A block has no value: null. */
export function readValue(row: DirectiveRow, directive: Directive | undefined): Reading {
  const problems: Problem[] = [];
  const isGiven = directive !== undefined && directive.args.length > 0;
  const args = isGiven ? directive.args : defaultArgs(row);
  const report: Report = (message, replacement, isUsable = false) => {
    if (!isGiven) return;
    const sentence = `${row.name}: ${message}`;
    if (row.isStrict && !isUsable) problems.push(errorAt(directive, "CONF_VALUE", sentence));
    else problems.push(warningAt(directive, "CONF_VALUE", `${sentence}; ${replacement}`));
  };
  return { value: args === null ? absent(row.type) : readArgs(row, args, report), problems };
}

function absent(type: ValueType): null | readonly [] {
  return type.kind === "texts" || type.kind === "listen" || type.kind === "servers" ? [] : null;
}

function readArgs(row: DirectiveRow, args: readonly string[], report: Report): Value {
  const { type } = row;
  const first = args[0] ?? "";
  switch (type.kind) {
    case "block":
      return null;
    case "onOff":
      return readOnOff(first, row.default === "on", report);
    case "number":
      return readNumber(first, type, report);
    case "numberOr":
      return first === type.word ? first : readNumber(first, { ...type, unit: "count", isWhole: true }, report);
    case "word":
      if (type.words.includes(first)) return first;
      report(`${shorten(first)} is none of ${type.words.join(", ")}`, `${type.otherwise} is used`);
      return type.otherwise;
    case "text":
      return first;
    case "texts":
      return args;
    case "listen":
      return readEndpoints(args, parseListen, defaultArgs(row), report);
    case "servers":
      break;
  }
  return readEndpoints(args, parseServer, null, report);
}

function readOnOff(text: string, isOnByDefault: boolean, report: Report): boolean {
  const isOn = isOnByDefault ? text !== "off" : text === "on";
  if (text !== "on" && text !== "off") report(`${shorten(text)} is neither on nor off`, `${isOn ? "on" : "off"} is used`);
  return isOn;
}

/** A number in words, such as `whole number of bytes from 128 to 65536`. */
export function numberForm({ unit, min, max, isWhole }: NumberType): string {
  const range = max === anyNumber ? `from ${min} up` : `from ${min} to ${max}`;
  return `${isWhole ? "whole number" : "number"}${unitNames[unit]} ${range}`;
}

/** The number that the text begins with, as C's atoi and atof read it, brought into the range. */
function readNumber(text: string, type: NumberType, report: Report): number {
  const { unit, min, max, isWhole } = type;
  const digits = (isWhole ? /^[+-]?[0-9]+/ : /^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)/).exec(text)?.[0];
  const read = Number(digits ?? "0");
  const used = Math.min(Math.max(read, min), max);
  if (digits !== text || used !== read) {
    report(`${shorten(text)} is not a ${numberForm(type)}`, `${used} is used`, digits !== undefined && used === read);
  }
  return unit === "s" ? Math.round(used * 1000) : used;
}

const unitNames: Record<Unit, string> = { count: "", bytes: " of bytes", frames: " of frames", ms: " of milliseconds", s: " of seconds" };

/** Addresses that cannot be read are left out; when none is left, those of the default are taken. */
function readEndpoints(
  args: readonly string[],
  parseOne: (text: string) => Endpoint,
  otherwise: readonly string[] | null,
  report: Report,
): readonly Endpoint[] {
  const endpoints: Endpoint[] = [];
  for (const arg of args) {
    try {
      const endpoint = parseOne(arg);
      const other = parseOne === parseListen ? endpoints.find((one) => overlaps(one, endpoint)) : undefined;
      if (other === undefined) endpoints.push(endpoint);
      else report(`${shorten(arg)} is listened on already, by ${formatEndpoint(other)}: write one of them`, "it is left out");
    } catch (error) {
      report(messageOf(error), "it is left out");
    }
  }
  return endpoints.length > 0 || otherwise === null ? endpoints : otherwise.map(parseOne);
}

function defaultArgs(row: DirectiveRow): readonly string[] | null {
  return row.default === null ? null : row.default.split(" ");
}
