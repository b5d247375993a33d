import assert from "node:assert/strict";
import { test } from "node:test";
import { beginRound, makeRounds, timeOfFrame } from "../../../src/publisher/rounds.js";

type Frame = readonly [type: number, timestamp: number];

/** The times that are given to frames; `null` begins a round. */
function times(...frames: readonly (Frame | null)[]): number[] {
  const rounds = makeRounds();
  return frames.flatMap((frame) => (frame === null ? (beginRound(rounds), []) : [timeOfFrame(rounds, ...frame)]));
}

const [audio, video] = [8, 9];

for (const [name, frames, expected] of [
  [
    "a stream begins at 0",
    [
      [video, 5000],
      [video, 5040],
    ],
    [0, 40],
  ],
  [
    "a round begins one step after the end of the one before",
    [[video, 0], [video, 40], null, [video, 0], [video, 40], null, [video, 0]],
    [0, 40, 80, 120, 160],
  ],
  [
    "all tracks begin it where the longest one is over",
    [[audio, 0], [video, 10], [audio, 20], [video, 50], null, [audio, 0], [video, 10], [audio, 20]],
    [0, 10, 20, 50, 90, 100, 110],
  ],
  ["a track that was one frame has a usual step", [[video, 0], null, [video, 0], null, [video, 0]], [0, 40, 80]],
  ["frames of the same time say nothing of the step", [[video, 0], [video, 20], [video, 20], null, [video, 0]], [0, 20, 20, 40]],
  [
    "a pause of 5 s is media",
    [
      [video, 0],
      [video, 40],
      [video, 5040],
    ],
    [0, 40, 5040],
  ],
  [
    "a longer one is a jump and closed",
    [
      [audio, 0],
      [audio, 20],
      [audio, 5021],
      [audio, 5041],
    ],
    [0, 20, 40, 60],
  ],
  [
    "so is a jump back",
    [
      [video, 60_000],
      [video, 60_040],
      [video, 0],
      [video, 40],
    ],
    [0, 40, 80, 120],
  ],
  [
    "and the wrap of a clock",
    [
      [video, 0xffffffd8],
      [video, 0],
      [video, 40],
    ],
    [0, 40, 80],
  ],
  [
    "a type never goes back",
    [
      [video, 20],
      [video, 100],
      [video, 60],
      [audio, 60],
      [audio, 120],
    ],
    [0, 80, 80, 40, 100],
  ],
  [
    "one that is behind the other is where it was",
    [
      [audio, 0],
      [audio, 20],
      [audio, 40],
      [video, 0],
      [video, 40],
    ],
    [0, 20, 40, 0, 40],
  ],
] as readonly [string, readonly (Frame | null)[], readonly number[]][]) {
  test(`rounds: ${name}`, () => assert.deepEqual(times(...frames), expected));
}
