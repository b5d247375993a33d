// The table of one track's frames, made of the runs of its fragments. A gap between two runs is time of the frame before it.
import type { FoundFragment } from "./fragment.js";
import type { SampleTable } from "./moov.js";

/** The table of a track; null: no fragment has frames of it. */
export function fragmentsTable(track: "video" | "audio", fragments: readonly FoundFragment[]): SampleTable | null {
  const durations: [count: number, ticks: number][] = [];
  const compositions: [count: number, ticks: number][] = [];
  const sizes: number[] = [];
  const chunks: { offsetBytes: number; count: number }[] = [];
  const keys: number[] = [];
  let startTicks: number | null = null;
  let endTicks = 0;
  let mediaBefore = 0;
  let [shownFrom, shownTo] = [Infinity, 0];
  for (const { mediaAt, mediaBytes, moofAt, runs } of fragments) {
    for (const run of runs) {
      if (run.track !== track || run.samples.length === 0) continue;
      if (startTicks === null) startTicks = run.startTicks;
      else if (run.startTicks > endTicks) stretch(durations, run.startTicks - endTicks);
      endTicks = Math.max(endTicks, run.startTicks);
      chunks.push({ offsetBytes: mediaBefore + moofAt + run.offsetBytes - mediaAt, count: run.samples.length });
      for (const { durationTicks, compositionTicks, isKeyFrame, sizeBytes } of run.samples) {
        count(durations, durationTicks);
        shownFrom = Math.min(shownFrom, endTicks + compositionTicks);
        shownTo = Math.max(shownTo, endTicks + compositionTicks + durationTicks);
        count(compositions, compositionTicks);
        sizes.push(sizeBytes);
        if (isKeyFrame) keys.push(sizes.length);
        endTicks += durationTicks;
      }
    }
    mediaBefore += mediaBytes;
  }
  if (startTicks === null) return null;
  const isComposed = compositions.length > 1 || compositions[0]?.[1] !== 0;
  // What is to be shown before it is decoded is shown with the first.
  const shown = { fromTicks: Math.max(0, shownFrom - startTicks), toTicks: Math.max(shownTo, endTicks) - startTicks };
  return {
    startTicks,
    shown,
    durations,
    compositions: isComposed ? compositions : [],
    sizes,
    chunks,
    keys: track === "audio" ? null : keys,
  };
}

function count(runs: [count: number, ticks: number][], ticks: number): void {
  const last = runs.at(-1);
  if (last?.[1] === ticks) last[0] += 1;
  else runs.push([1, ticks]);
}

/** Lengthens the last frame. */
function stretch(runs: [count: number, ticks: number][], byTicks: number): void {
  const last = runs.at(-1);
  if (last === undefined) return;
  if (last[0] === 1) runs.pop();
  else last[0] -= 1;
  count(runs, last[1] + byTicks);
}
