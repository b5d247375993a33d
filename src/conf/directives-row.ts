// What a row of the table of directives is, and the words that rows are written in.

/** How the arguments of a directive are read, and what is taken when they are not readable (see values.ts). */
export type ValueType =
  /** `{ … }` with rows of its own; `isOpen`: names that have no row are let through, as SRS does there. */
  | { readonly kind: "block"; readonly takesName: boolean; readonly isOpen: boolean }
  /** With default `on` everything but `off` is true; with default `off` nothing but `on` is. */
  | { readonly kind: "onOff" }
  /** A number from `min` to `max`; what follows its digits is dropped. Times are read in `unit` and given in ms. */
  | { readonly kind: "number"; readonly unit: Unit; readonly min: number; readonly max: number; readonly isWhole: boolean }
  /** A number as above, or one word. */
  | { readonly kind: "numberOr"; readonly word: string; readonly min: number; readonly max: number }
  /** One of `words`; anything else counts as `otherwise`. */
  | { readonly kind: "word"; readonly words: readonly string[]; readonly otherwise: string }
  /** One argument of any text. */
  | { readonly kind: "text" }
  /** One or more arguments of any text. */
  | { readonly kind: "texts" }
  /** Addresses to listen on: `port`, `ip:port`, `[v6]:port`. */
  | { readonly kind: "listen" }
  /** Servers to connect to: `host[:port]`, 1935 where no port is given. */
  | { readonly kind: "servers" };

export type Unit = "count" | "bytes" | "frames" | "ms" | "s";

/** What the built-in server makes of a directive: `not yet` warns when it would do something, `harmless` has no meaning here. */
type Serving = "served" | "not yet" | "harmless";

export interface DirectiveRow {
  /** Where it may stand: `root`, `http_server`, `vhost`, `vhost.play` … */
  readonly place: string;
  readonly name: string;
  readonly type: ValueType;
  /** As it would be written in a file; null: none. */
  readonly default: string | null;
  readonly serving: Serving;
  /** One sentence for the reader of a full configuration. */
  readonly about: string;
  /** May be given several times; of other directives the first counts. */
  readonly isRepeatable: boolean;
  /** A value that cannot be used, or a second block, refuses the file. Elsewhere it is replaced or ignored, with a warning. */
  readonly isStrict: boolean;
}

type Mark = "repeatable" | "strict";

/** A row as it is written in the table: name, type, default, serving, about, marks. */
export type WrittenRow = readonly [
  name: string,
  type: ValueType,
  defaultText: string | null,
  serving: Serving,
  about: string,
  ...marks: readonly Mark[],
];

/** The rows of one place. */
export function rowsAt(place: string, rows: readonly WrittenRow[]): DirectiveRow[] {
  return rows.map(([name, type, defaultText, serving, about, ...marks]) => ({
    place,
    name,
    type,
    default: defaultText,
    serving,
    about,
    isRepeatable: marks.includes("repeatable"),
    isStrict: marks.includes("strict"),
  }));
}

export const served = "served";
export const notYet = "not yet";
export const harmless = "harmless";

export const block: ValueType = { kind: "block", takesName: false, isOpen: false };
export const namedBlock: ValueType = { kind: "block", takesName: true, isOpen: false };
export const openBlock: ValueType = { kind: "block", takesName: true, isOpen: true };
export const onOff: ValueType = { kind: "onOff" };
export const text: ValueType = { kind: "text" };
export const texts: ValueType = { kind: "texts" };
export const listen: ValueType = { kind: "listen" };
export const servers: ValueType = { kind: "servers" };

/** The largest number that C's `int` holds, as an upper bound: none but SRS's own. */
export const anyNumber = 2_147_483_647;

/** A whole number. */
export function whole(unit: Unit, min = 0, max = anyNumber): ValueType {
  return { kind: "number", unit, min, max, isWhole: true };
}

/** A number with decimals. */
export function decimal(unit: Unit, min = 0, max = anyNumber): ValueType {
  return { kind: "number", unit, min, max, isWhole: false };
}

export function word(words: readonly string[], otherwise: string): ValueType {
  return { kind: "word", words, otherwise };
}

export function wholeOr(instead: string, min: number, max: number): ValueType {
  return { kind: "numberOr", word: instead, min, max };
}
