// HLS: what it costs to write the segments of many streams, and to give segments to many viewers.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPublishers, startQuestions } from "../load.js";
import { watch } from "../meter/window.js";
import type { Sample } from "../row.js";
import { leastShare, youthMs } from "./pace.js";

export interface Packaging {
  readonly publishers: number;
  readonly kbps: number;
  readonly fragmentS: number;
}

const windowS = 12;
const settleMs = 6000;

/** Publishers whose segments are written into a folder. */
export async function measurePackaging(serving: Serving, { publishers, kbps, fragmentS }: Packaging, folder: string): Promise<Sample> {
  const cleanups = new Cleanups();
  try {
    await pause(youthMs);
    const publishing = { port: serving.rtmpPort, stream: "bench", publishers, kbps };
    const load = await startPublishers(publishing, settleMs / 1000 + windowS + 5);
    cleanups.after(() => load.stop());
    await pause(settleMs);
    const { spent, beside } = await watch(serving.tree, [load.pid], windowS);
    const segments = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts")).length;
    const { accepted, closed, mbps } = await load.report;
    const wantedMbps = (publishers * kbps) / 1000;
    const wanted = publishers * Math.floor(windowS / fragmentS / 2);
    const isShort = accepted < publishers || closed > 0 || mbps < wantedMbps * leastShare || segments < wanted;
    return {
      figures: { cpu: spent.cpu, ...beside },
      problem: isShort
        ? `${accepted} of ${publishers} accepted, ${closed} closed, ${mbps} of ${wantedMbps} Mbps, ${segments} segments`
        : null,
    };
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

/** A folder of segments, all as long; `close` removes it. */
export function segmentsFolder({ kbps, segmentS }: Watching): { readonly folder: string; close(): void } {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-bench-hls-"));
  mkdirSync(join(folder, "live"));
  for (let number = 0; number < files; number++)
    writeFileSync(join(folder, `live/s-${number}.ts`), Buffer.alloc((kbps * segmentS * 1000) / 8, number + 1));
  return { folder, close: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Viewers who fetch a segment each for as long as it lasts. */
export async function measureWatching(serving: Serving, { viewers, segmentS }: Watching): Promise<Sample> {
  await pause(youthMs);
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
