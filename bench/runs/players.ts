// Players of a stream, or of several, who have come and stay: what a second of them costs.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPlayers, startPublishers } from "../load.js";
import { memoryOf, memoryOfProcess } from "../meter/memory.js";
import { watch } from "../meter/window.js";
import type { Figures, Sample } from "../row.js";
import { headStartMs, kib, leastShare, mib, youthOf } from "./pace.js";

export interface Audience {
  /** Of all streams together. */
  readonly players: number;
  readonly kbps: number;
  readonly rampS: number;
  readonly protocol: "rtmp" | "flv";
  /** 1 when left out. */
  readonly streams?: number;
}

const windowS = 8;
const settleMs = 1500;

/** Of a peer without HTTP-FLV, its RTMP is measured. */
export async function measurePlayers(serving: Serving, audience: Audience): Promise<Sample> {
  const { players, kbps, rampS, streams = 1 } = audience;
  const { rtmpPort, httpPort } = serving;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const runS = settleMs / 1000 + windowS + 2;
    const publishing = { port: rtmpPort, stream: "bench", publishers: streams, kbps };
    const publisher = await startPublishers(publishing, headStartMs / 1000 + rampS + runS + 5);
    cleanups.after(() => publisher.stop());
    await pause(headStartMs);
    const before = memoryIn(serving);
    const protocol = httpPort === 0 ? "rtmp" : audience.protocol;
    const port = protocol === "flv" ? httpPort : rtmpPort;
    const crowd = await startPlayers({ port, stream: "bench", protocol, streams }, players, rampS, runS);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const { spent, beside } = await watch(serving.tree, [publisher.pid, crowd.pid], windowS);
    const after = memoryIn(serving);
    const { playing, closed, mbps, maxGapMs, gapsOver1500 } = await crowd.report;
    const wantedMbps = (players * kbps) / 1000;
    const isShort = playing < players || closed > 0 || mbps < wantedMbps * leastShare;
    return {
      figures: {
        cpu: spent.cpu,
        ...memoryFigures(before, after, players),
        latePlayers: gapsOver1500,
        longestGapMs: maxGapMs,
        ...beside,
      },
      problem: isShort ? `${playing} of ${players} played, ${closed} closed, ${mbps} of ${wantedMbps} Mbps` : null,
    };
  } finally {
    await cleanups.stopAll();
  }
}

interface Memory {
  readonly total: number;
  /** Null where there is none. */
  readonly edge: number | null;
  readonly master: number | null;
}

function memoryIn({ tree, box }: Serving): Memory {
  const of = (name: string): number | null => (box?.pids[name] === undefined ? null : memoryOfProcess(box.pids[name]));
  return { total: memoryOf(tree), edge: of("edge-1"), master: of("master") };
}

function memoryFigures(before: Memory, after: Memory, players: number): Figures {
  const grown = (from: number | null, to: number | null): number | null => (from === null || to === null ? null : kib(to - from) / players);
  const [edge, master] = [grown(before.edge, after.edge), grown(before.master, after.master)];
  return {
    totalMib: mib(after.total),
    playerKib: kib(after.total - before.total) / players,
    ...(edge === null ? {} : { edgePlayerKib: edge }),
    ...(master === null ? {} : { masterPlayerKib: master }),
  };
}
