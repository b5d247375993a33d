// Questions to a tree of directives: which block stands where, which value a directive has. A lookup finds the first
// directive of a name, as SRS does, and a value that is not given is the default of the table.
import type { Endpoint } from "./config.js";
import { findRow, placeInside } from "./directives.js";
import type { Directive } from "./parser.js";
import { readValue, type Value } from "./values.js";

/** The inside of a block, with its place in the table. */
export interface Block {
  readonly place: string;
  readonly directives: readonly Directive[];
}

/** The file as a block. */
export function rootBlock(directives: readonly Directive[]): Block {
  return { place: "root", directives };
}

/** The first directive of a name. */
export function find(block: Block, name: string): Directive | undefined {
  return block.directives.find((directive) => directive.name === name);
}

/** All directives of a name. */
export function findAll(block: Block, name: string): Directive[] {
  return block.directives.filter((directive) => directive.name === name);
}

/** The inside of a directive that stands in `block`; empty where there are no braces. */
export function inside(block: Block, directive: Directive): Block {
  return { place: placeInside(block.place, directive.name), directives: directive.children ?? [] };
}

/** The inside of the first block of a name; empty when there is none, so that its values are the defaults. */
export function blockIn(block: Block, name: string): Block {
  return { place: placeInside(block.place, name), directives: find(block, name)?.children ?? [] };
}

/** Whether the directive is there and has an argument. */
export function isGiven(block: Block, name: string): boolean {
  return (find(block, name)?.args.length ?? 0) > 0;
}

export function isOn(block: Block, name: string): boolean {
  const value = valueOf(block, name);
  return typeof value === "boolean" ? value : mismatch(block, name);
}

/** Times are in ms. */
export function numberOf(block: Block, name: string): number {
  return optionalNumberOf(block, name) ?? mismatch(block, name);
}

export function optionalNumberOf(block: Block, name: string): number | null {
  const value = valueOf(block, name);
  return typeof value === "number" || value === null ? value : mismatch(block, name);
}

/** The text of a directive that has a default. */
export function textOf(block: Block, name: string): string {
  return optionalTextOf(block, name) ?? mismatch(block, name);
}

export function optionalTextOf(block: Block, name: string): string | null {
  const value = valueOf(block, name);
  return typeof value === "string" || value === null ? value : mismatch(block, name);
}

/** The words of a directive; none when it is not given and has no default. */
export function textsOf(block: Block, name: string): string[] {
  const value = valueOf(block, name);
  if (value === null) return [];
  if (!Array.isArray(value)) return mismatch(block, name);
  return value.map((entry: unknown) => (typeof entry === "string" ? entry : mismatch(block, name)));
}

/** A directive of words: one of those that the caller names, which must be those of the table. */
export function wordOf<Word extends string>(block: Block, name: string, words: readonly Word[]): Word {
  const value = valueOf(block, name);
  return words.find((word) => word === value) ?? mismatch(block, name);
}

/** The addresses of a directive; empty when it is not given and has no default. */
export function endpointsOf(block: Block, name: string): Endpoint[] {
  const endpoints: Endpoint[] = [];
  const value = valueOf(block, name);
  for (const entry of Array.isArray(value) ? value : []) {
    if (isEndpoint(entry)) endpoints.push(entry);
  }
  return endpoints;
}

/** The value of a directive, of the type that its row says. */
export function valueOf(block: Block, name: string): Value {
  const row = findRow(block.place, name);
  return row === undefined ? mismatch(block, name) : readValue(row, find(block, name)).value;
}

function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === "object" && value !== null && "host" in value;
}

/** The table and its reader disagree: a fault of the program, which no file can cause. */
function mismatch(block: Block, name: string): never {
  throw new TypeError(`${name} in ${block.place} is not in the table with this type`);
}
