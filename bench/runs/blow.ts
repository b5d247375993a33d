// Viewers whose process is killed, or replaced with the whole box by an upgrade: how long they go without, and how many are cut.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Box } from "../boxes/box.js";
import type { Serving } from "../boxes/servers.js";
import { startPlayers, startPublishers } from "../load.js";
import { openWindow } from "../meter/window.js";
import type { Sample } from "../row.js";
import { headStartMs, youthOf } from "./pace.js";

export interface Viewers {
  readonly players: number;
  readonly rampS: number;
  readonly protocol: "rtmp" | "flv";
}

/** What befalls a box. */
export type Blow = (box: Box) => Promise<unknown>;

export const killOfEdge: Blow = async (box) => process.kill(box.pidOf("edge-1"), "SIGKILL");
export const upgrade: Blow = (box) => box.ask("upgrade");

const kbps = 200;
const settleMs = 2000;
const runS = 12;

/**
 * Viewers are served again with the first byte that was not yet on its way at the blow, as they see it themselves. Nobody is silent
 * at an upgrade; there it counts when the last of them is in the new process, as the log says.
 */
export async function measureBlow(serving: Serving, viewers: Viewers, blow: Blow): Promise<Sample> {
  const { box, rtmpPort, httpPort } = serving;
  if (box === null) throw new Error("only a box of dolphin's takes a blow");
  const { players, rampS, protocol } = viewers;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const publishS = headStartMs / 1000 + rampS + runS + 15;
    const publisher = await startPublishers({ port: rtmpPort, stream: "bench", publishers: 1, kbps }, publishS);
    cleanups.after(() => publisher.stop());
    await pause(headStartMs);
    const port = protocol === "flv" ? httpPort : rtmpPort;
    const crowd = await startPlayers({ port, stream: "bench", protocol }, players, rampS, runS);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const close = openWindow(serving.tree, [publisher.pid, crowd.pid]);
    const struckAtMs = Date.now();
    const struck = blow(box);
    crowd.mark();
    await struck;
    const { playing, closed, maxGapMs, againMs } = await crowd.report;
    const { beside } = close();
    const lines = box.logLines().filter(({ time }) => Date.parse(time) >= struckAtMs);
    const resumed = lines.filter(({ event }) => event === "connections.resumed");
    const moved = resumed.reduce((sum, line) => sum + Number(line["count"]), 0);
    const { p50 = Number.NaN, p99 = Number.NaN, max = Number.NaN, count } = againMs;
    const isShort = playing < players || closed > 0 || moved < players || count < players;
    return {
      figures: {
        servedMedianS: p50 / 1000,
        served99S: p99 / 1000,
        servedLastS: max / 1000,
        movedS: (Math.max(...resumed.map(({ time }) => Date.parse(time))) - struckAtMs) / 1000,
        closed,
        longestGapMs: maxGapMs,
        ...beside,
      },
      problem: isShort
        ? `of ${players} viewers ${playing} played, ${moved} went on elsewhere, ${count} were served again, ${closed} closed`
        : null,
    };
  } finally {
    await cleanups.stopAll();
  }
}
