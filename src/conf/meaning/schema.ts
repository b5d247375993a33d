// The table as data, printed by `dolphin conf --schema`: for editors, and for programs that write configurations.
// docs/configuration.md tells its fields, and a test holds the two to each other.
import { directiveRows } from "../directives/table.js";
import { anyNumber, type DirectiveRow, type Unit, type ValueType } from "../directives/row.js";
import { formOf } from "./full-conf.js";

export interface ConfSchema {
  /** Rises when a field changes its meaning or goes. */
  readonly version: 1;
  readonly directives: readonly SchemaRow[];
}

/** A row of the table with its type in plain fields; null where a type has no such thing. */
interface SchemaRow extends Omit<DirectiveRow, "type"> {
  readonly kind: ValueType["kind"];
  /** The arguments in words. */
  readonly form: string;
  /** `count` has none. Times are in the unit of the file. */
  readonly unit: Unit | null;
  readonly min: number | null;
  /** Null also where there is no bound but that of SRS's integers. */
  readonly max: number | null;
  /** The words that it takes. */
  readonly words: readonly string[] | null;
}

/** Every row of the table, in its order. */
export function confSchema(): ConfSchema {
  return { version: 1, directives: directiveRows.map(schemaRow) };
}

function schemaRow({ type, ...row }: DirectiveRow): SchemaRow {
  const isNumber = type.kind === "number" || type.kind === "numberOr";
  return {
    ...row,
    kind: type.kind,
    form: formOf(type),
    unit: type.kind === "number" ? type.unit : null,
    min: isNumber ? type.min : null,
    max: isNumber && type.max !== anyNumber ? type.max : null,
    words: wordsOf(type),
  };
}

function wordsOf(type: ValueType): readonly string[] | null {
  if (type.kind === "onOff") return ["on", "off"];
  if (type.kind === "word") return type.words;
  return type.kind === "numberOr" ? [type.word] : null;
}
