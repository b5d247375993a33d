// The rows of the table: each compares or measures one thing several times and says what the figure is held to.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../test/helpers/cleanups.js";
import { Dolphin } from "../test/helpers/dolphin.js";
import { handshakeAnswered } from "../test/helpers/rtmp-connection.js";
import { carryingRows } from "./carrying-rows.js";
import { startPlayers } from "./load.js";
import { median } from "./measure.js";
import { relayRows } from "./relay-rows.js";
import type { Context, Limit, Result, Row } from "./row.js";
import { measurePlayers, measurePublishers, medianCpu, percent, remarksOn, type PlayersLoad, type Sample } from "./runs.js";
import { serveEdge, serveNginx, serveSingle, type Serving } from "./servers.js";

export const rows: readonly Row[] = [
  fanout("fan-out RTMP, 2000 players × 200 kbps", { players: 2000, kbps: 200, rampS: 3, protocol: "rtmp" }, { bar: 0.1, aim: 0.05 }),
  fanout("fan-out RTMP, 500 players × 1 Mbps", { players: 500, kbps: 1000, rampS: 2, protocol: "rtmp" }, { bar: 0.3, aim: 0.15 }),
  fanout("fan-out HTTP-FLV, 2000 players × 200 kbps", { players: 2000, kbps: 200, rampS: 3, protocol: "flv" }, { bar: 0.1, aim: 0.05 }),
  { name: "10,000 players × 200 kbps on one edge", run: tenThousand },
  { name: "ingest, 300 publishers × 1 Mbps", run: ingest },
  { name: "spread of 400 long connections over 4 workers", run: spread },
  { name: "recovery of a killed edge", run: recovery },
  ...carryingRows,
  ...relayRows,
];

function fanout(name: string, load: PlayersLoad, limit: Limit): Row {
  return {
    name,
    async run(context) {
      const flv = "nginx-rtmp has no HTTP-FLV: compared with its RTMP at the same load";
      return compare(context, name, limit, load.protocol === "flv" ? [flv] : [], async (server, isPeer) => {
        return measurePlayers(server, isPeer ? { ...load, protocol: "rtmp" } : load);
      });
    },
  };
}

async function ingest(context: Context): Promise<Result[]> {
  const measure = (server: Serving): Promise<Sample> => measurePublishers(server, 300, 1000);
  const remarks = ["dolphin as one stand-alone process (plan single)"];
  return compare(context, "ingest, 300 publishers × 1 Mbps", { bar: 1.2, aim: 0.8 }, remarks, measure, serveSingle);
}

/** Takes turns, so that what else the machine does falls on both. */
async function compare(
  { nginx, runs, say }: Context,
  name: string,
  limit: Limit,
  remarks: readonly string[],
  measure: (server: Serving, isPeer: boolean) => Promise<Sample>,
  serve: () => Promise<Serving> = serveEdge,
): Promise<Result[]> {
  const ours: Sample[] = [];
  const theirs: Sample[] = [];
  for (let i = 0; i < runs; i++) {
    ours.push(await measure(await serve(), false));
    if (typeof nginx !== "string") theirs.push(await measure(await serveNginx(nginx), true));
    say(`${name}: dolphin ${percent(ours.at(-1)?.cpu ?? 0)}, nginx-rtmp ${percent(theirs.at(-1)?.cpu ?? 0)}`);
  }
  const hasPeer = theirs.length > 0;
  const dolphin = percent(medianCpu(ours));
  const peer = hasPeer ? percent(medianCpu(theirs)) : "none";
  const value = hasPeer ? medianCpu(ours) / medianCpu(theirs) : null;
  const all = [...remarks, ...remarksOn("dolphin", ours), ...remarksOn("nginx-rtmp", theirs)];
  return [{ name, dolphin, peer, value, digits: 3, limit, remarks: all }];
}

async function tenThousand({ runs, say }: Context): Promise<Result[]> {
  const players = 10_000;
  const samples: Sample[] = [];
  for (let i = 0; i < runs; i++) {
    const sample = await measurePlayers(await serveEdge(), { players, kbps: 200, rampS: 8, protocol: "rtmp" });
    samples.push(sample);
    say(`10,000 players: ${percent(sample.cpu)}, ${sample.report?.gapsOver1500} with a gap over 1.5 s`);
  }
  const cpu = medianCpu(samples);
  const late = Math.max(...samples.map(({ report }) => report?.gapsOver1500 ?? players));
  const longestMs = Math.max(...samples.map(({ report }) => report?.maxGapMs ?? 0));
  const kib = median(samples.map(({ bytesPerPlayer }) => bytesPerPlayer)) / 1024;
  const remarks = [`longest gap of any player ${longestMs} ms`, ...remarksOn("dolphin", samples)];
  const dolphin = percent(cpu);
  return [
    { name: "10,000 × 200 kbps on one edge, late players", dolphin, peer: "", value: late, digits: 0, limit: { bar: 0, aim: 0 }, remarks },
    {
      name: "players of 200 kbps per core, extrapolated",
      dolphin,
      peer: "",
      value: (players * 100) / cpu,
      digits: 0,
      limit: { bar: 20_000, aim: 40_000, isMoreBetter: true },
      remarks: [],
    },
    { name: "memory per player, KiB", dolphin: "", peer: "", value: kib, digits: 1, limit: { bar: 16, aim: 10 }, remarks: [] },
  ];
}

async function spread({ runs, say }: Context): Promise<Result[]> {
  const workers = 4;
  const ratios: number[] = [];
  const counts: string[] = [];
  for (let i = 0; i < runs; i++) {
    const each = await withDolphin(workers, async (dolphin, cleanups) => {
      const load = await startPlayers({ port: dolphin.rtmpPort, stream: "spread", protocol: "rtmp" }, 400, 2, 6);
      cleanups.after(() => load.stop());
      await pause(5000); // the ramp, and heartbeats for the status to know
      const { processes } = await dolphin.status();
      return processes.filter(({ name }) => name.startsWith("edge-")).map(({ players }) => players);
    });
    ratios.push(Math.max(...each) / (each.reduce((sum, n) => sum + n, 0) / workers));
    counts.push(each.join("/"));
    say(`spread: ${counts.at(-1)}`);
  }
  const name = "400 long connections over 4 workers, max/mean";
  return [
    {
      name,
      dolphin: counts[0] ?? "",
      peer: "",
      value: median(ratios),
      digits: 2,
      limit: { bar: 1.3, aim: 1.1 },
      remarks: [counts.join(", ")],
    },
  ];
}

async function recovery({ runs, say }: Context): Promise<Result[]> {
  const seconds: number[] = [];
  const failed: number[] = [];
  for (let i = 0; i < runs; i++) {
    await withDolphin(1, async (dolphin) => {
      const edge = dolphin.pids["edge-1"];
      if (edge === undefined) throw new Error("there is no edge-1");
      const from = performance.now();
      let attempts = 0;
      process.kill(edge, "SIGKILL");
      while (!(await handshakeAnswered("127.0.0.1", dolphin.rtmpPort)) && performance.now() - from < 10_000) attempts++;
      seconds.push((performance.now() - from) / 1000);
      failed.push(attempts);
    });
    say(`recovery: ${seconds.at(-1)?.toFixed(2)} s`);
  }
  const value = median(seconds);
  const remarks = [`connections that failed meanwhile: ${failed.join(", ")}; the box has no other edge`];
  const name = "a killed edge serves again, s";
  return [{ name, dolphin: `${value.toFixed(2)} s`, peer: "", value, digits: 2, limit: { bar: 1, aim: 0.3 }, remarks }];
}

async function withDolphin<T>(cores: number, use: (dolphin: Dolphin, cleanups: Cleanups) => Promise<T>): Promise<T> {
  const cleanups = new Cleanups();
  try {
    return await use(await Dolphin.start(cleanups, { cores }), cleanups);
  } finally {
    await cleanups.stopAll();
  }
}
