// Viewers who have come and stay, while the server is asked about itself over HTTP: what the viewers notice of it, what it costs, and how
// often it answers.
import { setTimeout as pause } from "node:timers/promises";
import { Cleanups } from "../../test/helpers/cleanups.js";
import type { Serving } from "../boxes/servers.js";
import { startPlayers, startPublishers, startQuestions } from "../load.js";
import { CpuMeter } from "../meter/cpu-meter.js";
import { watch } from "../meter/window.js";
import type { Figures, Sample } from "../row.js";
import { headStartMs, leastShare, youthOf } from "./pace.js";

export interface Asking {
  /** Of RTMP, 200 kbps each. */
  readonly players: number;
  readonly rampS: number;
  /** As startQuestions has them; nobody asks when there is none. */
  readonly questions: readonly string[];
  /** A question whose answer must show every viewer, and what stands in it once for each. */
  readonly shows?: { readonly path: string; readonly viewer: RegExp };
}

const kbps = 200;
const settleMs = 1500;
/** Whoever answers for the first time compiles. */
const warmS = 2;
const windowS = 10;

/** Gaps count from the end of the ramp on. The questions begin soon after it, and what they find is measured in the window alone. */
export async function measureAsked(serving: Serving, { players, rampS, questions, shows }: Asking): Promise<Sample> {
  const { rtmpPort, askPort, tree } = serving;
  const cleanups = new Cleanups();
  try {
    await pause(youthOf(serving));
    const runS = settleMs / 1000 + warmS + windowS + 4;
    const wholeS = headStartMs / 1000 + rampS + runS + 5;
    const publisher = await startPublishers({ port: rtmpPort, stream: "bench", publishers: 1, kbps }, wholeS);
    cleanups.after(() => publisher.stop());
    await pause(headStartMs);
    const crowd = await startPlayers({ port: rtmpPort, stream: "bench", protocol: "rtmp" }, players, rampS, runS);
    cleanups.after(() => crowd.stop());
    await pause(rampS * 1000 + settleMs);
    const shown = shows === undefined ? players : await countIn(askPort, shows.path, shows.viewer);
    const asking = questions.length === 0 ? null : startQuestions(askPort, questions, warmS, windowS);
    if (asking !== null) cleanups.after(() => asking.stop());
    await pause(warmS * 1000);
    const edges = edgesMeter(serving);
    const { spent, beside } = await watch(tree, [publisher.pid, crowd.pid, ...(asking === null ? [] : [asking.pid])], windowS);
    const edgesCpu = edges?.close().cpu;
    const asked = await asking?.report;
    const { playing, closed, mbps, maxGapMs, gapsOver1500 } = await crowd.report;
    const wantedMbps = (players * kbps) / 1000;
    const problems = [
      playing < players || closed > 0 || mbps < wantedMbps * leastShare
        ? `${playing} of ${players} played, ${closed} closed, ${mbps} of ${wantedMbps} Mbps`
        : "",
      asked !== undefined && asked.failed > 0 ? `${asked.failed} of ${asked.answered + asked.failed} questions had no answer` : "",
      shown < players ? `an answer showed ${shown} of ${players} viewers` : "",
    ].filter((problem) => problem !== "");
    const figures: Figures = {
      cpu: spent.cpu,
      ...(edgesCpu === undefined ? {} : { edgesCpu }),
      ...(asked === undefined ? {} : { requestsPerS: asked.perSecond, answerKib: asked.kibEach }),
      longestGapMs: maxGapMs,
      latePlayers: gapsOver1500,
      ...beside,
    };
    return { figures, problem: problems.length === 0 ? null : problems.join("; ") };
  } finally {
    await cleanups.stopAll();
  }
}

/** What the processes that serve viewers take by themselves; null where they cannot be told apart. */
function edgesMeter({ box }: Serving): CpuMeter | null {
  const pids = Object.entries(box?.pids ?? {}).flatMap(([name, pid]) => (name.startsWith("edge-") ? [pid] : []));
  return pids.length === 0 ? null : new CpuMeter({ roots: pids, except: [] });
}

async function countIn(port: number, path: string, viewer: RegExp): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return (await response.text()).match(viewer)?.length ?? 0;
}
