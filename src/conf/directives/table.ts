// THE TABLE of directives: every name that SRS 7 knows and our own block `dolphin`, one row each. This file puts the rows together
// and finds them. meaning/check.ts holds a file against the table, values.ts reads arguments by it, changes.ts takes from it what a reload
// does, full-conf.ts the manual; and the compiler the types of build.ts (see tree.ts).
//
//   place         name         type   default  serving  reload  about
//   vhost.play    gop_cache: [ onOff, "on",    served,  live,   "Keep what came since the last key frame …" ]
//
//   root, dolphin, vhost, media, others ─ rows, in the words of row.ts ─▶ table.ts ─┬─▶ environment.ts: the variables over a file
//   suggest.ts: which name was probably meant                                       └─▶ the room meaning
import { dolphinPlaces } from "./dolphin.js";
import { mediaPlaces } from "./media.js";
import { otherPlaces } from "./others.js";
import { rootPlaces } from "./root.js";
import type { DirectiveRow, WrittenPlaces } from "./row.js";
import { vhostPlaces } from "./vhost.js";

/** The table as it is written, for the compiler. */
export type Places = typeof rootPlaces & typeof dolphinPlaces & typeof otherPlaces & typeof vhostPlaces & typeof mediaPlaces;

/** Every row, in the order in which a full configuration would show them. */
export const directiveRows: readonly DirectiveRow[] = rowsOf({
  ...rootPlaces,
  ...dolphinPlaces,
  ...otherPlaces,
  ...vhostPlaces,
  ...mediaPlaces,
});

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

/**
 * The variables that SRS's rule makes of a path: `vhost.play.gop_cache` is SRS_VHOST_PLAY_GOP_CACHE. Names that begin with
 * `srs_` have a second spelling, SRS_LOG_TANK beside SRS_SRS_LOG_TANK.
 */
export function variablesOf(place: string, name: string): string[] {
  const spell = (path: string): string => `SRS_${path.replaceAll(".", "_").toUpperCase()}`;
  const path = placeInside(place, name);
  return path.startsWith("srs_") ? [spell(path), path.toUpperCase()] : [spell(path)];
}

/** A block stands before what is in it. */
function rowsOf(places: WrittenPlaces): DirectiveRow[] {
  const rows: DirectiveRow[] = [];
  const outOfReach = new Set<string>();
  for (const [place, written] of Object.entries(places)) {
    for (const [name, [type, defaultText, serving, reload, about, ...marks]] of Object.entries(written)) {
      const path = placeInside(place, name);
      const isOutOfReach = marks.includes("noVariable") || outOfReach.has(place);
      if (isOutOfReach) outOfReach.add(path);
      rows.push({
        place,
        name,
        type,
        default: defaultText,
        serving: typeof serving === "string" ? serving : "guard",
        risk: typeof serving === "string" ? null : serving.risk,
        reload,
        about,
        variables: isOutOfReach || type.kind === "block" ? [] : variablesOf(place, name),
        isRepeatable: marks.includes("repeatable"),
        isStrict: marks.includes("strict"),
        isSecret: marks.includes("secret"),
      });
    }
  }
  return rows;
}
