// Rows about what viewers notice: of the death of the process that serves them, and of an upgrade of the whole box.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../test/helpers/cleanups.js";
import { Dolphin } from "../test/helpers/dolphin.js";
import { startPlayers, startPublishers, type PlayersReport } from "./load.js";
import { median } from "./measure.js";
import type { Context, Limit, Result, Row } from "./row.js";
import { measurePlayers, medianCpu, percent, remarksOn, type Sample } from "./runs.js";
import { serveEdge, serveEdgeAlone } from "./servers.js";

interface Crowd {
  readonly players: number;
  readonly protocol: "rtmp" | "flv";
  readonly rampS: number;
}

/** What happened to a crowd of viewers. */
interface Outcome {
  readonly report: PlayersReport;
  /** Who went on in another process, and how long after the blow the last of them did, ms. */
  readonly moved: number;
  readonly servedMs: number;
}

const kbps = 200;
const settleMs = 2000;
const runS = 10;

export const carryingRows: readonly Row[] = [
  killed({ players: 2000, protocol: "rtmp", rampS: 3 }, { bar: 1, aim: 0.3 }),
  killed({ players: 2000, protocol: "flv", rampS: 3 }, { bar: 1, aim: 0.3 }),
  killed({ players: 10_000, protocol: "rtmp", rampS: 10 }, { bar: 2, aim: 2 }),
  upgraded({ players: 2000, protocol: "rtmp", rampS: 3 }),
  { name: "carrying: what it costs a fan-out", run: cost },
];

/** All viewers are at the one edge there is, so that its replacement has to start, too. */
function killed(crowd: Crowd, limit: Limit): Row {
  const name = `${crowd.players.toLocaleString("en")} viewers (${crowd.protocol}) of a killed edge are served again, s`;
  return {
    name,
    run: (context) => carried(context, name, crowd, limit, async (dolphin) => process.kill(dolphin.pids["edge-1"] ?? 0, "SIGKILL")),
  };
}

function upgraded(crowd: Crowd): Row {
  const name = `${crowd.players.toLocaleString("en")} viewers (${crowd.protocol}) are in the new process of an upgrade, s`;
  return { name, run: (context) => carried(context, name, crowd, null, (dolphin) => dolphin.ask("upgrade")) };
}

/** Marks are stored per viewer and batch whether anybody dies or not. */
async function cost({ runs, say }: Context): Promise<Result[]> {
  const load = { players: 2000, kbps, rampS: 3, protocol: "rtmp" } as const;
  const [on, off]: [Sample[], Sample[]] = [[], []];
  for (let i = 0; i < runs; i++) {
    on.push(await measurePlayers(await serveEdge(), load));
    off.push(await measurePlayers(await serveEdgeAlone(), load));
    say(`carrying on ${percent(on.at(-1)?.cpu ?? 0)}, off ${percent(off.at(-1)?.cpu ?? 0)}`);
  }
  const remarks = [...remarksOn("carrying", on), ...remarksOn("without", off), "the peer is dolphin with carry_sessions off"];
  const [dolphin, peer] = [percent(medianCpu(on)), percent(medianCpu(off))];
  const value = medianCpu(on) / medianCpu(off);
  const name = "fan-out RTMP, 2000 players × 200 kbps, carrying on over off";
  return [{ name, dolphin, peer, value, digits: 3, limit: { bar: 1.03, aim: 1.03 }, remarks }];
}

async function carried(
  { runs, say }: Context,
  name: string,
  crowd: Crowd,
  limit: Limit | null,
  blow: (dolphin: Dolphin) => Promise<unknown>,
): Promise<Result[]> {
  const outcomes: Outcome[] = [];
  for (let i = 0; i < runs; i++) {
    const outcome = await strike(crowd, blow);
    outcomes.push(outcome);
    const { report, moved, servedMs } = outcome;
    say(`${name}: ${(servedMs / 1000).toFixed(2)} s for ${moved}, ${report.closed} closed, longest gap ${report.maxGapMs} ms`);
  }
  const seconds = median(outcomes.map(({ servedMs }) => servedMs)) / 1000;
  const closed = Math.max(...outcomes.map(({ report }) => report.closed));
  const longestMs = Math.max(...outcomes.map(({ report }) => report.maxGapMs));
  const fewest = Math.min(...outcomes.map(({ moved }) => moved));
  const remarks = [
    `of ${crowd.players} viewers at least ${fewest} went on elsewhere, ${closed} were closed; longest gap of any ${longestMs} ms`,
  ];
  return [{ name, dolphin: `${closed} closed, gap ${longestMs} ms`, peer: "", value: seconds, digits: 2, limit, remarks }];
}

async function strike({ players, protocol, rampS }: Crowd, blow: (dolphin: Dolphin) => Promise<unknown>): Promise<Outcome> {
  const cleanups = new Cleanups();
  try {
    const dolphin = await Dolphin.start(cleanups, { cores: 1 });
    const publisher = await startPublishers(dolphin.rtmpPort, "bench", 1, kbps, rampS + runS + 20);
    cleanups.after(() => publisher.stop());
    const port = protocol === "flv" ? dolphin.httpPort : dolphin.rtmpPort;
    const crowd = await startPlayers({ port, stream: "bench", protocol }, players, rampS, runS);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const beganAtMs = Date.now();
    await blow(dolphin);
    const report = await crowd.report;
    const lines = dolphin.logLines(({ time }) => Date.parse(time) >= beganAtMs);
    const moved = lines.filter(({ event }) => event === "connections.resumed").reduce((sum, line) => sum + Number(line["count"]), 0);
    // Each is served on as soon as he is there, and the stream is.
    const served = lines.filter(({ event }) => event === "connections.resumed" || event === "pull.started");
    return { report, moved, servedMs: Math.max(beganAtMs, ...served.map(({ time }) => Date.parse(time))) - beganAtMs };
  } finally {
    await cleanups.stopAll();
  }
}
