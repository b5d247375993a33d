// One measurement: a server just started, a load on it, and what its process cost while the load was steady. The server and
// the load are stopped in any case. Who is measured and what the figures are held to is in rows.ts.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../test/helpers/cleanups.js";
import { startPlayers, startPublishers, type PlayersReport } from "./load.js";
import { closeWindow, median, openWindow, residentBytes } from "./measure.js";
import type { Serving } from "./servers.js";

export interface PlayersLoad {
  readonly players: number;
  readonly kbps: number;
  readonly rampS: number;
  readonly protocol: "rtmp" | "flv";
}

export interface Sample {
  /** Percent of one core of the serving process, and of the load tool. */
  readonly cpu: number;
  readonly loadCpu: number;
  /** Null where there were no players. */
  readonly report: PlayersReport | null;
  readonly bytesPerPlayer: number;
  /** What makes the figure worth less than it seems. */
  readonly problem: string | null;
}

const windowS = 6;
const settleMs = 1000;
/** The publisher is there a moment before the crowd, so that nobody waits for the first key frame. */
const warmUpMs = 1500;
/** A load that got less than this part of the bytes was not served. */
const leastShare = 0.9;

/** Players of one stream on the port that it is published to. */
export async function measurePlayers(server: Serving, { players, kbps, rampS, protocol }: PlayersLoad): Promise<Sample> {
  const cleanups = new Cleanups();
  cleanups.after(() => server.stop());
  try {
    const publisher = await startPublishers(server.rtmpPort, "bench", 1, kbps, rampS + windowS + 15);
    cleanups.after(() => publisher.stop());
    await pause(warmUpMs);
    const bytesBefore = residentBytes(server.pid);
    const port = protocol === "flv" ? server.httpPort : server.rtmpPort;
    const crowd = await startPlayers({ port, stream: "bench", protocol }, players, rampS, windowS + 2);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const { cpu, loadCpu } = await measureBoth(server.pid, crowd.pid);
    const bytesPerPlayer = (residentBytes(server.pid) - bytesBefore) / players;
    const report = await crowd.report;
    const wantedMbps = (players * kbps) / 1000;
    const isShort = report.playing < players || report.closed > 0 || report.mbps < wantedMbps * leastShare;
    const problem = isShort
      ? `${report.playing} of ${players} played, ${report.closed} closed, ${report.mbps} of ${wantedMbps} Mbps`
      : null;
    return { cpu, loadCpu, report, bytesPerPlayer, problem };
  } finally {
    await cleanups.stopAll();
  }
}

/** Publishers of one stream each, and nobody who watches. */
export async function measurePublishers(server: Serving, publishers: number, kbps: number): Promise<Sample> {
  const cleanups = new Cleanups();
  cleanups.after(() => server.stop());
  try {
    const load = await startPublishers(server.rtmpPort, "ingest", publishers, kbps, windowS + 3);
    cleanups.after(() => load.stop());
    await pause(settleMs);
    const { cpu, loadCpu } = await measureBoth(server.pid, load.pid);
    const { accepted, closed, mbps } = await load.report;
    const wantedMbps = (publishers * kbps) / 1000;
    const isShort = accepted < publishers || closed > 0 || mbps < wantedMbps * leastShare;
    const problem = isShort ? `${accepted} of ${publishers} accepted, ${closed} closed, ${mbps} of ${wantedMbps} Mbps` : null;
    return { cpu, loadCpu, report: null, bytesPerPlayer: 0, problem };
  } finally {
    await cleanups.stopAll();
  }
}

export function medianCpu(samples: readonly Sample[]): number {
  return median(samples.map(({ cpu }) => cpu));
}

/** Runs that did not get their bytes, and a load tool that was out of breath: it makes any server look good. */
export function remarksOn(who: string, samples: readonly Sample[]): string[] {
  const short = samples.map(({ problem }) => problem).filter((problem) => problem !== null);
  const remarks = short.length === 0 ? [] : [`${who}: ${short.length} of ${samples.length} runs fell short (${short[0]})`];
  const busiest = Math.max(0, ...samples.map(({ loadCpu }) => loadCpu));
  return busiest > 90 ? [...remarks, `the load tool took ${percent(busiest)} of a core against ${who}`] : remarks;
}

export function percent(value: number): string {
  return `${value.toFixed(1)} %`;
}

async function measureBoth(serverPid: number, loadPid: number): Promise<{ cpu: number; loadCpu: number }> {
  const server = openWindow(serverPid);
  const load = openWindow(loadPid);
  await pause(windowS * 1000);
  return { cpu: closeWindow(server), loadCpu: closeWindow(load) };
}
