import assert from "node:assert/strict";
import { test } from "node:test";
import { isCutBefore, type Cuttable } from "../../../../src/packager/hls/cutting.js";

const by = { fragmentMs: 2000, tdRatio: 1, aofRatio: 2.1, waitsForKeyFrame: true };
const withVideo: Cuttable = { startMs: 0, hasVideo: true, lastVideoMs: 0, isStale: false };
const soundAlone: Cuttable = { startMs: 0, hasVideo: false, lastVideoMs: null, isStale: false };
const key = (dtsMs: number) => ({ kind: "video", dtsMs, isKeyFrame: true }) as const;
const picture = (dtsMs: number) => ({ kind: "video", dtsMs, isKeyFrame: false }) as const;
const sound = (dtsMs: number) => ({ kind: "audio", dtsMs, isKeyFrame: false }) as const;

const rows: readonly (readonly [name: string, isCut: boolean, ...Parameters<typeof isCutBefore>])[] = [
  ["a key frame at the length of a fragment", true, key(2000), withVideo, by],
  ["a key frame before that", false, key(1999), withVideo, by],
  ["a key frame at the length by the ratio", false, key(2999), withVideo, { ...by, tdRatio: 1.5 }],
  ["a picture that is no key frame, however late", false, picture(20_000), withVideo, by],
  ["the same where key frames are not waited for", true, picture(2000), withVideo, { ...by, waitsForKeyFrame: false }],
  ["sound in a stream with pictures, however late", false, sound(20_000), { ...withVideo, lastVideoMs: 19_960 }, by],
  ["sound when pictures have stopped coming", true, sound(6000), { ...withVideo, lastVideoMs: 1800 }, by],
  ["the same before they have stopped for long", false, sound(5999), { ...withVideo, lastVideoMs: 1800 }, by],
  ["sound alone at the length of a fragment", true, sound(2000), soundAlone, by],
  ["sound alone before that", false, sound(1999), soundAlone, by],
  ["what begins another track, at once", true, key(10), { ...withVideo, isStale: true }, by],
  ["a fragment of nothing is 200 ms", false, key(199), withVideo, { ...by, fragmentMs: 0 }],
];

for (const [name, isCut, frame, at, settings] of rows) {
  test(`cutting: ${name}: ${isCut ? "cuts" : "does not"}`, () => {
    assert.equal(isCutBefore(frame, at, settings), isCut);
  });
}
