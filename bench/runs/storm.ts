// Connections that come and go through a proxy, as fast as it sets them up: what one of them costs, from its accept to its last line
// in the log.
import { setTimeout as pause } from "node:timers/promises";
import type { Serving } from "../boxes/servers.js";
import { startStorm } from "../load.js";
import { openWindow } from "../meter/window.js";
import type { Sample } from "../row.js";
import { youthOf } from "./pace.js";

/** In progress at any time. */
const clients = 32;
const runS = 6;
/** What is left to do for connections that have ended. */
const afterMs = 500;

export async function measureStorm(serving: Serving): Promise<Sample> {
  await pause(youthOf(serving));
  const storm = await startStorm(serving.rtmpPort, clients, runS);
  try {
    const close = openWindow(serving.tree, [storm.pid]);
    const { done, failed, perSecond } = await storm.report;
    await pause(afterMs);
    const { spent, beside } = close();
    return {
      figures: { cpuPerConnectionUs: (spent.cpuMs * 1000) / done, connectionsPerS: perSecond, ...beside },
      problem: failed === 0 ? null : `${failed} of ${done + failed} connections failed`,
    };
  } finally {
    await storm.stop();
  }
}
