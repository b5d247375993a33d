// Loading for a running box. A file that is being written in place is whole only a moment later: it counts when two readings, with a
// pause between them, agree, or when nobody has touched it for a while.
import { statSync } from "node:fs";
import { errorAt } from "./grammar/problem.js";
import type { Loaded } from "./load.js";

const maxReadings = 20;
/** File systems may be so much behind in telling when a file was touched. */
const restMs = 5000;

/** Whether nobody has touched any of these files for a while; false where one is not there. */
export function haveRested(files: Iterable<string>, nowMs = Date.now()): boolean {
  return [...files].every((file) => {
    const stats = statSync(file, { throwIfNoEntry: false });
    return stats !== undefined && Math.max(stats.mtimeMs, stats.ctimeMs) < nowMs - restMs;
  });
}

/**
 * Loads until nothing changes any more; once is enough where all that was read is at rest. Gives a problem, and no configuration, where
 * it never rests.
 */
export async function loadQuiet(load: () => Loaded, file: string, pause: () => Promise<unknown>, isAtRest: () => boolean): Promise<Loaded> {
  let last = load();
  if (isAtRest()) return last;
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
