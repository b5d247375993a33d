// HLS: what it costs to write the segments of many streams, and to give segments to many viewers.
import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPublishers, startQuestions } from "../load.js";
import { watch } from "../meter/window.js";
import type { Sample } from "../row.js";
import type { Ingest } from "./ingest.js";
import { leastShare, missingOf, youthOf } from "./pace.js";

export interface Packaging extends Ingest {
  readonly fragmentS: number;
}

const windowS = 8;
/** Lists name so many seconds. */
export const listedS = 20;
/** By then what an origin keeps for packagers has its size, and a segment goes for each that comes: as it is from the first minutes on. */
const settleMs = 60_000;

/** Publishers whose segments are written into a folder. */
export async function measurePackaging(serving: Serving, packaging: Packaging, folder: string): Promise<Sample> {
  const { publishers, kbps, fragmentS } = packaging;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const load = await startPublishers({ port: serving.rtmpPort, stream: "bench", publishers, kbps }, settleMs / 1000 + windowS + 2);
    cleanups.after(() => load.stop());
    await pause(settleMs);
    const sinceMs = Date.now();
    const { spent, beside } = await watch(serving.tree, [load.pid], windowS);
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const segments = names.filter((name) => (statSync(join(folder, name), { throwIfNoEntry: false })?.mtimeMs ?? 0) >= sinceMs).length;
    const missing = missingOf(await load.report, packaging);
    const wanted = publishers * (windowS / fragmentS - 1);
    const problem = missing ?? (segments < wanted ? `${segments} of at least ${wanted} segments` : null);
    return { figures: { cpu: spent.cpu, ...beside }, problem };
  } finally {
    await cleanups.stopAll();
  }
}

export interface Watching {
  readonly viewers: number;
  readonly kbps: number;
  readonly segmentS: number;
}

const files = 6;
const watchedS = 10;

/** Writes segments into a folder, all as long. */
export function writeSegments(folder: string, { kbps, segmentS }: Watching): void {
  mkdirSync(join(folder, "live"));
  for (let number = 0; number < files; number++)
    writeFileSync(join(folder, `live/s-${number}.ts`), Buffer.alloc((kbps * segmentS * 1000) / 8, number + 1));
}

/** Viewers who fetch a segment each for as long as it lasts. */
export async function measureWatching(serving: Serving, { viewers, segmentS }: Watching): Promise<Sample> {
  await pause(youthOf(serving));
  const questions = Array.from({ length: viewers }, (_, index) => `/live/s-${index % files}.ts@${segmentS * 1000}`);
  const load = startQuestions(serving.httpPort, questions, segmentS + 2, watchedS + 2);
  await pause((segmentS + 2) * 1000);
  const { spent, beside } = await watch(serving.tree, [load.pid], watchedS);
  const { failed, perSecond } = await load.report;
  const isShort = failed > 0 || perSecond < (viewers / segmentS) * leastShare;
  return {
    figures: { cpu: spent.cpu, requestsPerS: perSecond, ...beside },
    problem: isShort ? `${perSecond.toFixed(0)} of ${viewers / segmentS} segments a second, ${failed} failed` : null,
  };
}
