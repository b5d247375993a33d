// One measurement of one proxy: players of a stream behind it, or connections that come and go. What it cost is that of the
// proxy's process; the server and the load are the same for all that are compared.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../test/helpers/cleanups.js";
import { start } from "../test/helpers/child.js";
import { eventually, within } from "../test/helpers/wait.js";
import { freePort } from "../test/helpers/ports.js";
import { compiled, startPlayers, startPublishers } from "./load.js";
import { closeWindow, openWindow, residentBytes } from "./measure.js";
import type { RelayKind } from "./relays.js";
import { serveSingle } from "./servers.js";

export interface RelaySample {
  /** Percent of one core. */
  readonly cpu: number;
  readonly bytesPerConnection: number;
  /** Connections a second; 0 where they stay. */
  readonly perSecond: number;
  readonly problem: string | null;
}

export interface RelayLoad {
  readonly players: number;
  readonly kbps: number;
}

const rampS = 2;
const settleMs = 1000;
const windowS = Number(process.env["BENCH_WINDOW_S"] ?? 6);
const stormClients = 32;
const stormS = 4;

/** Measures each kind once, behind it one server and one publisher for all of them. */
export async function measureRelays(kinds: readonly RelayKind[], { players, kbps }: RelayLoad): Promise<Map<string, RelaySample>> {
  const cleanups = new Cleanups();
  const samples = new Map<string, RelaySample>();
  try {
    const server = await serveSingle();
    cleanups.after(() => server.stop());
    const eachS = rampS + windowS + 5;
    const publisher = await startPublishers(server.rtmpPort, "bench", 1, kbps, Math.min(115, eachS * kinds.length));
    cleanups.after(() => publisher.stop());
    await pause(settleMs);
    for (const kind of kinds) samples.set(kind.name, await measurePlayers(kind, server.rtmpPort, { players, kbps }));
  } finally {
    await cleanups.stopAll();
  }
  return samples;
}

/** Measures how fast a proxy sets connections up, and what one costs. */
export async function measureStorm(kind: RelayKind): Promise<RelaySample> {
  const cleanups = new Cleanups();
  try {
    const serverPort = await freePort();
    const relay = await kind.start(serverPort);
    cleanups.after(() => relay.stop());
    const host = "127.0.0.1";
    const storm = start(await compiled("tcpstorm"), [host, String(relay.port), String(serverPort), String(stormClients), String(stormS)]);
    cleanups.after(async () => void (await storm.stop()));
    await eventually(() => storm.output().includes("listening"), { timeoutMs: 5000, what: "the storm's server" });
    const window = openWindow(relay.pid);
    storm.write("go\n");
    await pause(stormS * 1000 - 200);
    const cpu = closeWindow(window);
    await within(storm.ended, 10_000, "the storm to end");
    const { failed, perSecond } = JSON.parse(storm.output().split("\n").at(-1) ?? "") as { failed: number; perSecond: number };
    return { cpu, bytesPerConnection: 0, perSecond, problem: failed === 0 ? null : `${failed} connections failed` };
  } finally {
    await cleanups.stopAll();
  }
}

async function measurePlayers(kind: RelayKind, serverPort: number, { players, kbps }: RelayLoad): Promise<RelaySample> {
  const cleanups = new Cleanups();
  try {
    const relay = await kind.start(serverPort);
    cleanups.after(() => relay.stop());
    await pause(300); // a young process has not settled in its memory yet
    const before = residentBytes(relay.pid);
    const crowd = await startPlayers({ port: relay.port, stream: "bench", protocol: "rtmp" }, players, rampS, windowS + 2);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const window = openWindow(relay.pid);
    await pause(windowS * 1000);
    const cpu = closeWindow(window);
    const bytesPerConnection = (residentBytes(relay.pid) - before) / players;
    const { playing, closed, mbps } = await crowd.report;
    const wantedMbps = (players * kbps) / 1000;
    const isShort = playing < players || closed > 0 || mbps < wantedMbps * 0.9;
    const problem = isShort ? `${playing} of ${players} played, ${closed} closed, ${mbps} of ${wantedMbps} Mbps` : null;
    return { cpu, bytesPerConnection, perSecond: 0, problem };
  } finally {
    await cleanups.stopAll();
  }
}
