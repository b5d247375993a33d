// How V8 collects garbage in a process of a box. Where there is a process for each core, helpers that collect beside it take what they
// save from the others, and more: two fifths of a packager's CPU went to four threads that shared out a collection of a few hundred KiB.
// Source: V8's flags, 11.3.
import { setFlagsFromString } from "node:v8";

/** From now on new objects are collected by the thread that made them. */
export function collectAlone(): void {
  setFlagsFromString("--no-parallel-scavenge");
}
