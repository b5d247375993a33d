import assert from "node:assert/strict";
import { test } from "node:test";
import { audioUnit, videoUnit } from "../../../src/codec/av-unit.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const avc1 = "61766331";
const hvc1 = "68766331";
const av01 = "61763031";

const videos: readonly (readonly [
  name: string,
  bytes: string,
  unit: readonly [string, boolean, boolean, number, number, string] | null,
])[] = [
  ["H.264's record in the old form", "17 00 000000 aabb", ["avc1", true, false, 0, 0, "aabb"]],
  ["a frame with a composition time below 0", "27 01 ffffd8 aabb", ["avc1", false, false, 0, -40, "aabb"]],
  ["H.265 in the old form", "1c 01 000050 aabb", ["hvc1", false, true, 0, 80, "aabb"]],
  ["an enhanced frame with a composition time", `91 ${hvc1} 000028 aabb`, ["hvc1", false, true, 0, 40, "aabb"]],
  ["an enhanced frame without one", `a3 ${avc1} aabb`, ["avc1", false, false, 0, 0, "aabb"]],
  ["AV1, which has none", `91 ${av01} aabb`, ["av01", false, true, 0, 0, "aabb"]],
  ["a track of several", `96 01 ${avc1} 03 000028 aabb`, ["avc1", false, true, 3, 40, "aabb"]],
  ["an end of sequence", "17 02 000000", null],
  ["a codec without a name here", "22 0102", null],
];

for (const [name, bytes, expected] of videos) {
  test(`av-unit: video: ${name}`, () => {
    const unit = videoUnit(hex(bytes));
    assert.deepEqual(
      unit && [unit.fourCc, unit.isConfig, unit.isKeyFrame, unit.track, unit.compositionMs, unit.body.toString("hex")],
      expected,
    );
  });
}

const audios: readonly (readonly [name: string, bytes: string, unit: readonly [string, boolean, string] | null])[] = [
  ["AAC's record", "af 00 1210", ["mp4a", true, "1210"]],
  ["a frame of AAC", "af 01 2110", ["mp4a", false, "2110"]],
  ["a frame of MP3", "2f fffb90", [".mp3", false, "fffb90"]],
  ["an enhanced frame of Opus", "91 4f707573 aabb", ["Opus", false, "aabb"]],
  ["Speex", "b2 aabb", null],
];

for (const [name, bytes, expected] of audios) {
  test(`av-unit: audio: ${name}`, () => {
    const unit = audioUnit(hex(bytes));
    assert.deepEqual(unit && [unit.fourCc, unit.isConfig, unit.body.toString("hex")], expected);
  });
}
