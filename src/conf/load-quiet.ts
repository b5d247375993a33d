// Loading for a running box. A file that is being written in place is whole only a moment later: it counts when two readings, with a
// pause between them, agree.
import { errorAt } from "./grammar/problem.js";
import type { Loaded } from "./load.js";

const maxReadings = 20;

/** Loads until nothing changes any more. Gives a problem, and no configuration, where it never rests. */
export async function loadQuiet(load: () => Loaded, file: string, pause: () => Promise<unknown>): Promise<Loaded> {
  let last = load();
  for (let readings = 1; readings < maxReadings; readings++) {
    await pause();
    const now = load();
    if (isSame(last, now)) return now;
    last = now;
  }
  const message = `it changes all the time: read ${maxReadings} times, never twice the same; write it whole, then ask again`;
  return { ...last, config: null, problems: [errorAt({ file, line: 1, column: 1 }, "CONF_FILE", message)] };
}

function isSame(one: Loaded, other: Loaded): boolean {
  return JSON.stringify([one.directives, one.problems]) === JSON.stringify([other.directives, other.problems]);
}
