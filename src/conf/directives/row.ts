// What a row of the table of directives is, and the words that rows are written in. Rows are constants, so that the compiler
// knows each of them: tree.ts takes the type of a directive's value from its row.

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

/**
 * What the built-in server makes of a directive. `not yet`: SRS does something there that is missing here, which a warning tells.
 * `guard`: not yet either, and without it the site would be open to whom its file keeps out, or deliver other than it says: where it
 * would act the file is refused (see guards.ts). `harmless`: it has no meaning here.
 */
export type Serving = "served" | "not yet" | "guard" | "harmless";

/** A `guard` as it is written; `risk` is what happens without it, as a sentence goes on: "without it …". */
interface Guard {
  readonly risk: string;
}

/**
 * How a changed value comes into force. `live`: running processes take it, and no connection notices but those that it is about.
 * `replace`: worker processes are replaced one by one, the new one before the old. `restart`: dolphin itself must be started anew.
 */
export type Reload = "live" | "replace" | "restart";

/**
 * `repeatable`: may be given several times. `strict`: a value that cannot be used, or a second block, refuses the file.
 * `noVariable`: no environment variable overrides it, nor anything in it. `secret`: its value is told to nobody.
 */
type Mark = "repeatable" | "strict" | "noVariable" | "secret";

/** A row as it is written in the table, under its name. */
type WrittenRow = readonly [
  type: ValueType,
  defaultText: string | null,
  serving: Exclude<Serving, "guard"> | Guard,
  reload: Reload,
  about: string,
  ...marks: readonly Mark[],
];

/** A part of the table: places, and the rows that may stand there by their names. */
export type WrittenPlaces = Readonly<Record<string, Readonly<Record<string, WrittenRow>>>>;

/** A row as it is read. */
export interface DirectiveRow {
  /** Where it may stand: `root`, `http_server`, `vhost`, `vhost.play` … */
  readonly place: string;
  readonly name: string;
  readonly type: ValueType;
  /** As it would be written in a file; null: none. */
  readonly default: string | null;
  readonly serving: Serving;
  /** Of a guard: what happens without it, as a sentence goes on; else null. */
  readonly risk: string | null;
  readonly reload: Reload;
  /** One sentence for the reader of a full configuration. */
  readonly about: string;
  /** Environment variables that override it, the first one that is set; none where SRS has none. */
  readonly variables: readonly string[];
  /** May be given several times; of other directives the first counts. */
  readonly isRepeatable: boolean;
  /** A value that cannot be used, or a second block, refuses the file. Elsewhere it is replaced or ignored, with a warning. */
  readonly isStrict: boolean;
  /** Its value stands in no message and no log. */
  readonly isSecret: boolean;
}

export const served = "served";
export const notYet = "not yet";
export const harmless = "harmless";
export function guard<const Risk extends string>(risk: Risk) {
  return { risk } as const;
}

export const live = "live";
export const replace = "replace";
export const restart = "restart";

export const block = { kind: "block", takesName: false, isOpen: false } as const;
export const namedBlock = { kind: "block", takesName: true, isOpen: false } as const;
export const openBlock = { kind: "block", takesName: true, isOpen: true } as const;
export const onOff = { kind: "onOff" } as const;
export const text = { kind: "text" } as const;
export const texts = { kind: "texts" } as const;
export const listen = { kind: "listen" } as const;
export const servers = { kind: "servers" } as const;

/** The largest number that C's `int` holds, as an upper bound: none but SRS's own. */
export const anyNumber = 2_147_483_647;

/** A whole number. */
export function whole(unit: Unit, min = 0, max = anyNumber): ValueType & { kind: "number" } {
  return { kind: "number", unit, min, max, isWhole: true };
}

/** A number with decimals. */
export function decimal(unit: Unit, min = 0, max = anyNumber): ValueType & { kind: "number" } {
  return { kind: "number", unit, min, max, isWhole: false };
}

export function word<const Words extends readonly string[]>(words: Words, otherwise: Words[number]) {
  return { kind: "word", words, otherwise } as const;
}

export function wholeOr<const Word extends string>(instead: Word, min: number, max: number) {
  return { kind: "numberOr", word: instead, min, max } as const;
}
