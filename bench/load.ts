// The load tools, compiled on first use, as programs that can be awaited. They count what they got; what the
// load itself cost is measured too, because a load tool that is out of breath makes any server look good.
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { projectRoot, run, start, type Child } from "../test/helpers/child.js";
import { within } from "../test/helpers/wait.js";

export interface Target {
  readonly port: number;
  readonly stream: string;
  readonly protocol: "rtmp" | "flv";
}

export interface PlayersReport {
  readonly players: number;
  readonly playing: number;
  readonly closed: number;
  readonly mbps: number;
  readonly maxGapMs: number;
  readonly gapsOver1500: number;
}

export interface PublishersReport {
  readonly publishers: number;
  readonly accepted: number;
  readonly closed: number;
  readonly mbps: number;
}

export interface Load<Report> {
  readonly pid: number;
  readonly report: Promise<Report>;
  stop(): Promise<void>;
}

const host = "127.0.0.1";
const app = "live";

/** Starts players that come evenly over the ramp and then watch for `runS` seconds. */
export async function startPlayers(target: Target, players: number, rampS: number, runS: number): Promise<Load<PlayersReport>> {
  const tool = await compiled("rtmpload");
  const args = [host, String(target.port), app, target.stream, String(players), String(rampS), String(runS)];
  const child = start(tool, target.protocol === "flv" ? [...args, "flv"] : args);
  return { pid: child.pid, report: reportOf<PlayersReport>(child, rampS + runS), stop: () => ended(child) };
}

/** Starts publishers, the first of `stream` itself; resolves when all of them publish. They stop after `runS` seconds. */
export async function startPublishers(
  port: number,
  stream: string,
  publishers: number,
  kbps: number,
  runS: number,
): Promise<Load<PublishersReport>> {
  const tool = await compiled("rtmppub");
  let begin = (): void => undefined;
  const begun = new Promise<void>((resolve) => (begin = resolve));
  const args = [host, String(port), app, stream, String(publishers), String(kbps), String(runS)];
  const child = start(tool, args, { onLine: (line) => line === "publishing" && begin() });
  const report = reportOf<PublishersReport>(child, runS + 30);
  await within(Promise.race([begun, report]), 30_000, `${publishers} publishers to publish`);
  return { pid: child.pid, report, stop: () => ended(child) };
}

async function reportOf<Report>(child: Child, seconds: number): Promise<Report> {
  const { code } = await within(child.ended, seconds * 1000 + 20_000, `${child.name} to end`);
  const last = child.output().split("\n").at(-1) ?? "";
  if (code !== 0 || !last.startsWith("{")) throw new Error(`${child.name} ended with ${code}: ${child.output()}`);
  return JSON.parse(last) as Report;
}

async function ended(child: Child): Promise<void> {
  await child.stop("SIGTERM", 3000);
}

/** The tool's binary in .cache, made again when its source is newer. */
export async function compiled(name: "rtmpload" | "rtmppub" | "tcpstorm"): Promise<string> {
  const folder = join(projectRoot, ".cache", "bench");
  const binary = join(folder, name);
  const sources = [`${name}.c`, "rtmpwire.h"].map((file) => join(projectRoot, "bench", file));
  const isFresh = existsSync(binary) && sources.every((file) => statSync(file).mtimeMs < statSync(binary).mtimeMs);
  if (isFresh) return binary;
  mkdirSync(folder, { recursive: true });
  await run(process.env["CC"] ?? "cc", ["-O2", "-pthread", "-o", binary, join(projectRoot, "bench", `${name}.c`)], 60_000);
  return binary;
}
