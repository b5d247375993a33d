// The load tools of bench/tools, compiled on first use, as programs that can be awaited. They count what they got; what the load
// itself cost is measured too, because a load tool that is out of breath makes any server look good.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, run, start, type Child } from "../test/helpers/child.js";
import { freePort } from "../test/helpers/ports.js";
import { within } from "../test/helpers/wait.js";

/** What players watch: the stream of a name, or players in turn the streams of rtmppub's publishers. */
export interface Target {
  readonly port: number;
  readonly stream: string;
  readonly protocol: "rtmp" | "flv";
  readonly streams?: number;
}

/** How many, and places of their distribution in ms. Without places where there was nobody. */
interface Distribution {
  readonly count: number;
  readonly p50?: number;
  readonly p90?: number;
  readonly p99?: number;
  readonly max?: number;
}

interface PlayersReport {
  readonly players: number;
  readonly playing: number;
  readonly closed: number;
  readonly mbps: number;
  readonly maxGapMs: number;
  readonly gapsOver1500: number;
  /** From connecting to the first frame. */
  readonly joinMs: Distribution;
  /** From the mark to the first byte behind it. */
  readonly againMs: Distribution;
}

/** What is published: publishers of one stream each, `stream`, `stream-1`, … */
export interface Publishing {
  readonly port: number;
  readonly stream: string;
  readonly publishers: number;
  readonly kbps: number;
  /** Between key frames; 2 when left out. */
  readonly keyS?: number;
}

export interface PublishersReport {
  readonly publishers: number;
  readonly accepted: number;
  readonly closed: number;
  readonly mbps: number;
}

export interface StormReport {
  readonly done: number;
  readonly failed: number;
  readonly perSecond: number;
}

interface QuestionsReport {
  readonly answered: number;
  readonly failed: number;
  readonly perSecond: number;
  readonly kibEach: number;
}

export interface Load<Report> {
  readonly pid: number;
  readonly report: Promise<Report>;
  stop(): Promise<void>;
}

export interface Players extends Load<PlayersReport> {
  /** From now on everybody is to be served again. */
  mark(): void;
}

/** What a proxy leads to. */
export interface ServerBehind {
  readonly rtmpPort: number;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

const host = "127.0.0.1";
const app = "live";
const beginTimeoutMs = 60_000;

/** Starts players that come evenly over the ramp and then watch for `runS` seconds. */
export async function startPlayers(target: Target, players: number, rampS: number, runS: number): Promise<Players> {
  const { port, stream, protocol, streams = 1 } = target;
  const args = [host, port, app, stream, players, rampS, runS, `flv=${protocol === "flv" ? 1 : 0}`, `streams=${streams}`];
  const child = start(await compiled("rtmpload"), args.map(String));
  const report = reportOf<PlayersReport>(child, rampS + runS);
  return { pid: child.pid, report, mark: () => child.write("mark\n"), stop: () => ended(child) };
}

/** Starts publishers; resolves when all of them publish. They stop `runS` seconds later. */
export async function startPublishers(publishing: Publishing, runS: number): Promise<Load<PublishersReport>> {
  const { port, stream, publishers, kbps, keyS = 2 } = publishing;
  const tool = await compiled("rtmppub");
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const args = [host, port, app, stream, publishers, kbps, Math.ceil(runS), `key_s=${keyS}`];
  const child = start(tool, args.map(String), { onLine: (line) => line === "publishing" && begin() });
  const report = reportOf<PublishersReport>(child, beginTimeoutMs / 1000 + runS);
  try {
    await within(Promise.race([begun, report]), beginTimeoutMs, `${publishers} publishers to publish`);
  } catch (thrown) {
    await ended(child);
    throw thrown;
  }
  return { pid: child.pid, report, stop: () => ended(child) };
}

/** Starts clients that come and go for `runS` seconds. */
export async function startStorm(port: number, clients: number, runS: number): Promise<Load<StormReport>> {
  const child = start(await compiled("tcpstorm"), [host, port, clients, runS].map(String));
  return { pid: child.pid, report: reportOf<StormReport>(child, runS), stop: () => ended(child) };
}

/** Starts who asks an HTTP server, for `runS` seconds behind `warmS`. A question is a path, or `PATH@MS` for one that waits its time. */
export function startQuestions(port: number, questions: readonly string[], warmS: number, runS: number): Load<QuestionsReport> {
  const tool = join(projectRoot, "dist", "bench", "tools", "httpload.js");
  const child = start(process.execPath, [tool, ...[port, warmS, runS].map(String), ...questions]);
  return { pid: child.pid, report: reportOf<QuestionsReport>(child, warmS + runS), stop: () => ended(child) };
}

/** Starts the server that they go to. */
export async function startStormServer(): Promise<ServerBehind> {
  const rtmpPort = await freePort();
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const child = start(await compiled("tcpstorm"), ["serve", host, String(rtmpPort)], { onLine: (line) => line === "listening" && begin() });
  await within(begun, 5000, "the storm's server to listen");
  return { rtmpPort, pids: [child.pid], stop: () => ended(child) };
}

/** The tool's binary in .cache, made again when its source is newer. */
export async function compiled(name: "rtmpload" | "rtmppub" | "tcpstorm"): Promise<string> {
  const folder = join(projectRoot, ".cache", "bench");
  const binary = join(folder, name);
  const sources = [`${name}.c`, "rtmpwire.h"].map((file) => join(projectRoot, "bench", "tools", file));
  const isFresh = existsSync(binary) && sources.every((file) => statSync(file).mtimeMs < statSync(binary).mtimeMs);
  if (isFresh) return binary;
  mkdirSync(folder, { recursive: true });
  await run(process.env["CC"] ?? "cc", ["-O2", "-o", binary, sources[0] ?? ""], 60_000);
  return binary;
}

/** Nobody may come to ask for it, where something else fails first. */
function reportOf<Report>(child: Child, seconds: number): Promise<Report> {
  const report = lastLineOf<Report>(child, seconds);
  report.catch(() => undefined);
  return report;
}

async function lastLineOf<Report>(child: Child, seconds: number): Promise<Report> {
  const { code } = await within(child.ended, seconds * 1000 + 20_000, `${child.name} to end`);
  const last = child.output().split("\n").at(-1) ?? "";
  if (code !== 0 || !last.startsWith("{")) throw new Error(`${child.name} ended with ${code}: ${child.output()}`);
  return JSON.parse(last) as Report;
}

async function ended(child: Child): Promise<void> {
  await child.stop("SIGTERM", 3000);
}
