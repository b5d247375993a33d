// THE TABLE of directives: every name that SRS 7 knows and our own block `dolphin`, one row each. Rows live in
// directives-root.ts, directives-vhost.ts and directives-media.ts by where they stand; this file says what a row is and
// finds rows. check.ts holds a file against the table, values.ts reads arguments by it, build.ts takes the defaults from it.
//
//   place         name          type         default  serving  about
//   vhost.play  [ "gop_cache",  onOff,       "on",    served,  "Keep what came since the last key frame …" ]
import { mediaRows } from "./directives-media.js";
import { rootRows } from "./directives-root.js";
import type { DirectiveRow } from "./directives-row.js";
import { vhostRows } from "./directives-vhost.js";

/** Every row, in the order in which a full configuration would show them. */
export const directiveRows: readonly DirectiveRow[] = [...rootRows, ...vhostRows, ...mediaRows];

const rowsByPlace = new Map<string, Map<string, DirectiveRow>>();
for (const row of directiveRows) {
  const rows = rowsByPlace.get(row.place) ?? new Map<string, DirectiveRow>();
  rows.set(row.name, row);
  rowsByPlace.set(row.place, rows);
}

/** The row of a name at a place (`root`, `vhost`, `vhost.play` …), or undefined when the name is not known there. */
export function findRow(place: string, name: string): DirectiveRow | undefined {
  return rowsByPlace.get(place)?.get(name);
}

/** The names that may stand at a place. */
export function namesAt(place: string): string[] {
  return [...(rowsByPlace.get(place)?.keys() ?? [])];
}

/** The places where a name is known, in the order of the table. */
export function placesOf(name: string): string[] {
  return directiveRows.filter((row) => row.name === name).map((row) => row.place);
}

/** The place inside a block: `vhost` in `root` is `vhost`, `play` in `vhost` is `vhost.play`. */
export function placeInside(place: string, block: string): string {
  return place === "root" ? block : `${place}.${block}`;
}
