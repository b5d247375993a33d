import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { audioDetails, videoDetails } from "../../../src/codec/av-details.js";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");

describe("what a configuration tells of pictures", () => {
  for (const [what, fourCc, config, expected] of [
    [
      "x264, 320x180",
      "avc1",
      "0142c00cffe100176742c00cda05067e7c0440000003004000000c83c50aa801000468ce0fc8",
      ["Baseline(Constrained)", "1.2", 320, 180],
    ],
    [
      "x264, 1920x1080, which is cropped",
      "avc1",
      "01640028ffe1001b67640028acd940780227e5c044000003000400000300c83c60c65801000568ebecb22c",
      ["High", "4", 1920, 1080],
    ],
    ["AV1", "av01", "81000c000a0b00000024cf7f0dbffc3008", ["Main", "2.0", 960, 540]],
    ["nothing that is known", "vp09", "00", ["", "", 0, 0]],
    ["a record that is cut off", "avc1", "0142c00cffe10017", ["Baseline(Constrained)", "1.2", 0, 0]],
  ] as const) {
    it(`is read: ${what}`, () => {
      const { profile, level, width, height } = videoDetails(fourCc, hex(config));
      assert.deepEqual([profile, level, width, height], expected);
    });
  }

  it("never throws, whatever it is", () => {
    fc.assert(
      fc.property(fc.constantFrom("avc1", "hvc1", "av01", "mp4a", "Opus", "x"), fc.uint8Array({ maxLength: 100 }), (fourCc, bytes) => {
        const config = Buffer.from(bytes);
        const { width, height } = videoDetails(fourCc, config);
        audioDetails(fourCc, config);
        assert.ok(width >= 0 && height >= 0 && width <= 65_536 && height <= 65_536);
      }),
    );
  });
});

describe("what a configuration tells of sound", () => {
  for (const [what, fourCc, config, expected] of [
    ["AAC, 44.1 kHz, stereo", "mp4a", "1210", ["LC", 44_100, 2]],
    ["AAC, 48 kHz, mono", "mp4a", "1188", ["LC", 48_000, 1]],
    ["HE-AAC, which plays at twice its core's rate", "mp4a", "2b920800", ["HE", 44_100, 2]],
    ["Opus", "Opus", "4f707573486561640102", ["", 48_000, 2]],
    ["half a byte", "mp4a", "12", ["", 0, 0]],
  ] as const) {
    it(`is read: ${what}`, () => {
      const { profile, sampleRate, channels } = audioDetails(fourCc, hex(config));
      assert.deepEqual([profile, sampleRate, channels], expected);
    });
  }
});
