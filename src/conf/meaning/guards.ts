// Guards that are not served yet: what keeps somebody or something out in SRS and would let it in here. A file that relies on one is
// refused, at the start, at -t and `check`, and at a reload; `dolphin { unguarded on; }` takes it all the same, with a warning for each.
// Which directives are guards says the table. When one is served, its row says so, and its line in `missedWhen` goes.
import { findRow, namesAt } from "../directives/table.js";
import type { DirectiveRow } from "../directives/row.js";
import type { Directive } from "../grammar/parser.js";
import { errorAt, type Place, type Problem, warningAt } from "../grammar/problem.js";
import { type Block, blockIn, inside, isEnabled, valueOf, vhostsIn } from "./tree.js";
import { readValue } from "./values.js";

/** Guards that act by more than a value that is not their default, or by less: whether they would, in the block that they stand in. */
const missedWhen: Readonly<Record<string, (remux: Block<"vhost.http_remux">) => boolean>> = {
  drop_if_not_match: (remux) => valueOf(remux, "drop_if_not_match") && !(valueOf(remux, "has_audio") && valueOf(remux, "has_video")),
};

/** A problem for each guard that would act in a vhost that is served: errors, or warnings where the file is to be taken all the same. */
export function checkGuards(root: Block<"root">): Problem[] {
  const isUnguarded = valueOf(blockIn(root, "dolphin"), "unguarded");
  const names = new Set<string>();
  return vhostsIn(root).flatMap(({ at, vhost }) => {
    const [name = ""] = at.args;
    const isServed = isEnabled(vhost) && !names.has(name); // of several vhosts of a name the first counts
    names.add(name);
    return isServed ? guardsIn(vhost, at).map(({ row, place }) => told(row, place, isUnguarded)) : [];
  });
}

interface Found {
  readonly row: DirectiveRow;
  readonly place: Place;
}

/** The guards in a block that is on; `at` is the block's own directive. */
function guardsIn(block: Block, at: Directive): Found[] {
  return namesAt(block.place).flatMap((name) => {
    const row = findRow(block.place, name);
    const given = block.directives.find((directive) => directive.name === name);
    if (row === undefined) return [];
    if (row.serving === "guard" && isMissed(block, row, given)) return [{ row, place: given ?? at }];
    return row.type.kind === "block" && given !== undefined && isEnabled(inside(block, given)) ? guardsIn(inside(block, given), given) : [];
  });
}

function isMissed(block: Block, row: DirectiveRow, given: Directive | undefined): boolean {
  const isMissedIn = block.place === "vhost.http_remux" ? missedWhen[row.name] : undefined;
  if (isMissedIn !== undefined) return isMissedIn({ place: "vhost.http_remux", directives: block.directives });
  if (given === undefined) return false;
  if (row.type.kind === "block") return isEnabled(inside(block, given));
  return JSON.stringify(readValue(row, given).value) !== JSON.stringify(readValue(row, undefined).value);
}

function told({ name, risk }: DirectiveRow, place: Place, isUnguarded: boolean): Problem {
  const sentence = `${name} is not served yet, and without it ${risk ?? ""}`;
  if (isUnguarded) return warningAt(place, "CONF_UNGUARDED", sentence);
  return errorAt(
    place,
    "CONF_UNGUARDED",
    `${sentence}; to start all the same write dolphin { unguarded on; } or set SRS_DOLPHIN_UNGUARDED=on`,
  );
}
