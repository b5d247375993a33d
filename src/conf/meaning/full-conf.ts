// The table as a manual: conf/full.conf, which shows every directive and can be run. `dolphin conf --full` prints it, and a test
// holds the file to what is made here.
import { findRow, namesAt, placeInside } from "../directives/table.js";
import type { DirectiveRow, ValueType } from "../directives/row.js";
import { numberForm } from "./values.js";

const head = `# Every directive that dolphin knows, with its default; printed by \`dolphin conf --full\`. It can be run, and does what a file
# does that says no more than \`listen 1935; vhost __defaultVhost__ { }\`. What has no default is commented out.
#
# Above each directive stands what it is for; then its form, the environment variable that overrides it, and what a changed
# value takes at a reload:
#
#   live      running processes take it; no connection notices but those that it is about
#   replace   worker processes are replaced one by one, the new one before the old
#   restart   dolphin must be started anew
#
# "not served yet": SRS acts on it, dolphin does not, and says so at start when it would do something.
# "guard, not served yet": the same, but it keeps somebody or something out: where it would, dolphin does not start without
# "unguarded on" in the block dolphin.
# "no effect": SRS acts on it, and there is nothing here for it to act on.
# SRS itself takes this file without the block dolphin and srs_log_format.
`;

/** The text of conf/full.conf. */
export function fullConf(): string {
  return `${head}\n${insideText("root", "")}`;
}

/** What stands for a name where a block takes one. */
const exampleNames: Readonly<Record<string, string>> = { vhost: " __defaultVhost__", ingest: " example", engine: " example" };

function insideText(place: string, indent: string): string {
  const rows = namesAt(place).flatMap((name) => findRow(place, name) ?? []);
  return rows.map((row) => rowText(row, indent)).join("\n");
}

function rowText(row: DirectiveRow, indent: string): string {
  const { name, type } = row;
  const comment = `${indent}# ${row.about}\n${indent}# ${factsOf(row).join("; ")}\n`;
  if (type.kind !== "block") return `${comment}${indent}${valueText(row)}\n`;
  const start = `${indent}${name}${exampleNames[name] ?? ""} {`;
  const inside = insideText(placeInside(row.place, name), `${indent}    `);
  return inside === "" ? `${comment}${start} }\n` : `${comment}${start}\n${inside}${indent}}\n`;
}

/** The one directive without which no file is whole is shown with the port that everybody takes. */
function valueText({ place, name, default: defaultText }: DirectiveRow): string {
  const value = place === "root" && name === "listen" ? "1935" : defaultText;
  return value === null ? `# ${name.padEnd(18)} …;` : `${name.padEnd(20)} ${value};`;
}

function factsOf(row: DirectiveRow): string[] {
  const serving = { served: [], "not yet": ["not served yet"], guard: ["guard, not served yet"], harmless: ["no effect"] }[row.serving];
  const repeatable = row.isRepeatable ? ["may be repeated"] : [];
  return [formOf(row.type), ...row.variables.map((name) => `$${name}`), ...repeatable, row.reload, ...serving];
}

/** The arguments of a directive, as they are written. */
export function formOf(type: ValueType): string {
  switch (type.kind) {
    case "block":
      return `${type.takesName ? "name { … }" : "{ … }"}${type.isOpen ? ", further names of SRS too" : ""}`;
    case "onOff":
      return "on|off";
    case "number":
      return numberForm(type);
    case "numberOr":
      return `${type.word}|${numberForm({ ...type, unit: "count", isWhole: true })}`;
    case "word":
      return type.words.join("|");
    case "text":
      return "text";
    case "texts":
      return "text …";
    case "listen":
      return "[ip:]port …";
    case "servers":
      break;
  }
  return "host[:port] …";
}
