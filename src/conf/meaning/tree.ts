// Questions to a tree of directives: which block stands where, which value a directive has. A lookup finds the first
// directive of a name, as SRS does, and a value that is not given is the default of the table. Blocks know their place, so the
// compiler holds every name against the table, and the type of a value is that of its row.
import type { Endpoint } from "./config.js";
import { findRow, placeInside, type Places } from "../directives/table.js";
import type { ValueType } from "../directives/row.js";
import type { Directive } from "../grammar/parser.js";
import { readValue } from "./values.js";

/** The inside of a block, with its place in the table. */
export interface Block<Place extends string = string> {
  readonly place: Place;
  readonly directives: readonly Directive[];
}

type KnownPlace = keyof Places;
type NameAt<Place extends KnownPlace> = keyof Places[Place] & string;
type Inside<Place extends string, Name extends string> = Place extends "root" ? Name : `${Place}.${Name}`;

/** What a row's directive is read as: null only where there is no default. A list that is not given is empty. */
type ValueIn<Row> = Row extends readonly [infer Type extends ValueType, infer Default, ...unknown[]]
  ? ReadAs<Type> | (Default extends null ? (Type["kind"] extends "texts" | "listen" | "servers" ? never : null) : never)
  : never;

type ReadAs<Type extends ValueType> = Type extends { kind: "onOff" }
  ? boolean
  : Type extends { kind: "number" }
    ? number
    : Type extends { kind: "numberOr"; word: infer Word }
      ? number | Word
      : Type extends { kind: "word"; words: readonly (infer Word)[] }
        ? Word
        : Type extends { kind: "text" }
          ? string
          : Type extends { kind: "texts" }
            ? readonly string[]
            : Type extends { kind: "listen" | "servers" }
              ? readonly Endpoint[]
              : never;

/** The file as a block. */
export function rootBlock(directives: readonly Directive[]): Block<"root"> {
  return { place: "root", directives };
}

/** The first directive of a name. */
export function find<Place extends KnownPlace>(block: Block<Place>, name: NameAt<Place>): Directive | undefined {
  return block.directives.find((directive) => directive.name === name);
}

/** All directives of a name. */
export function findAll<Place extends KnownPlace>(block: Block<Place>, name: NameAt<Place>): Directive[] {
  return block.directives.filter((directive) => directive.name === name);
}

/** The inside of a directive that stands in `block`; empty where there are no braces. */
export function inside(block: Block, directive: Directive): Block {
  return { place: placeInside(block.place, directive.name), directives: directive.children ?? [] };
}

/** The insides of all vhosts, in the order of the text. */
export function vhostsIn(root: Block<"root">): { readonly at: Directive; readonly vhost: Block<"vhost"> }[] {
  return findAll(root, "vhost").map((at) => ({ at, vhost: { place: "vhost", directives: at.children ?? [] } }));
}

/** The inside of the first block of a name; empty when there is none, so that its values are the defaults. */
export function blockIn<Place extends KnownPlace, Name extends NameAt<Place>>(block: Block<Place>, name: Name): Block<Inside<Place, Name>> {
  return { place: placeInside(block.place, name) as Inside<Place, Name>, directives: find(block, name)?.children ?? [] };
}

/** Whether a block does anything. One that knows no directive `enabled` is always on. */
export function isEnabled(block: Block): boolean {
  const row = findRow(block.place, "enabled");
  const directive = block.directives.find(({ name }) => name === "enabled");
  return row === undefined || readValue(row, directive).value === true;
}

/** Whether the directive is there and has an argument. */
export function isGiven<Place extends KnownPlace>(block: Block<Place>, name: NameAt<Place>): boolean {
  return (find(block, name)?.args.length ?? 0) > 0;
}

/** The value of a directive; times are in ms. */
export function valueOf<Place extends KnownPlace, Name extends NameAt<Place>>(
  block: Block<Place>,
  name: Name,
): ValueIn<Places[Place][Name]> {
  const row = findRow(block.place, name);
  const value = row === undefined ? null : readValue(row, find(block, name)).value;
  return value as ValueIn<Places[Place][Name]>; // the row that readValue went by is the one that the type was made of
}
