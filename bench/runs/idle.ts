// A box that nobody uses.
import { setTimeout as pause } from "node:timers/promises";
import type { Serving } from "../boxes/servers.js";
import { memoryOf } from "../meter/memory.js";
import { watch } from "../meter/window.js";
import type { Sample } from "../row.js";
import { mib } from "./pace.js";

/** Long enough for what happens once in ten seconds to happen twice. */
const windowS = 20;
/** What a start leaves behind (compiling, collecting, a spare that warms up) is over. */
const settleMs = 20_000;

export async function measureIdle(serving: Serving): Promise<Sample> {
  await pause(settleMs);
  const { spent, beside } = await watch(serving.tree, [], windowS);
  return { figures: { cpu: spent.cpu, wakeUps: spent.wakeUps, totalMib: mib(memoryOf(serving.tree)), ...beside }, problem: null };
}
