// A crowd that comes at once to a stream that runs: how long each waits for his first frame, and what a join costs.
//
//   ├─ ramp ─┼── everybody has media ──┤      ├── the crowd stays ──┤
//   └────────── joins: CPU ────────────┘      └─ steady: CPU ───────┘     per join: the first without what the second says that
//                                                                         serving those who were there already took
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPlayers, startPublishers } from "../load.js";
import { openWindow, watch } from "../meter/window.js";
import type { Sample } from "../row.js";
import { headStartMs, youthOf } from "./pace.js";

export interface Crowd {
  readonly players: number;
  readonly rampS: number;
  readonly protocol: "rtmp" | "flv";
}

const kbps = 200;
/** Behind the ramp, until everybody must have media. */
const graceS = 4;
const steadyS = 4;

/** There is one viewer before the crowd, so that every edge has the stream already where there is but one. */
export async function measureCrowd(serving: Serving, { players, rampS, protocol }: Crowd): Promise<Sample> {
  const { rtmpPort, httpPort } = serving;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const runS = graceS + steadyS + 1;
    const wholeS = headStartMs / 1000 + rampS + runS + 5;
    const publisher = await startPublishers({ port: rtmpPort, stream: "bench", publishers: 1, kbps }, wholeS);
    cleanups.after(() => publisher.stop());
    const target = { port: protocol === "flv" ? httpPort : rtmpPort, stream: "bench", protocol };
    const first = await startPlayers(target, 1, 0, wholeS);
    cleanups.after(() => first.stop());
    await pause(headStartMs);
    const close = openWindow(serving.tree, [publisher.pid]);
    const crowd = await startPlayers(target, players, rampS, runS);
    cleanups.after(() => crowd.stop());
    await pause((rampS + graceS) * 1000);
    const joining = close();
    const steady = await watch(serving.tree, [publisher.pid, crowd.pid], steadyS);
    const { playing, closed, joinMs } = await crowd.report;
    // On the average who came in the ramp was there for half of it.
    const servingMs = (steady.spent.cpuMs / steady.spent.seconds) * (joining.spent.seconds - rampS / 2);
    const { p50 = Number.NaN, p99 = Number.NaN, max = Number.NaN } = joinMs;
    const isLate = joinMs.count < players || max > graceS * 1000;
    return {
      figures: {
        joinMedianS: p50 / 1000,
        join99S: p99 / 1000,
        joinLastS: max / 1000,
        cpuPerJoinMs: (joining.spent.cpuMs - servingMs) / players,
        ...steady.beside,
        othersCpu: Math.max(joining.beside.othersCpu ?? 0, steady.beside.othersCpu ?? 0),
      },
      problem: isLate || closed > 0 ? `${playing} of ${players} played, the last after ${max} ms, ${closed} closed` : null,
    };
  } finally {
    await cleanups.stopAll();
  }
}
