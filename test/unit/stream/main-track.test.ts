import assert from "node:assert/strict";
import { test } from "node:test";
import { MainTrack } from "../../../src/stream/main-track.js";
import { hex } from "../codec/hex.js";
import { payloadOf } from "./fakes.js";

const key = payloadOf("key");
const keyOf = (track: number): Buffer => Buffer.concat([hex('96 01 "avc1"'), Buffer.of(track), hex("00 00 00 65")]);

const rows: [name: string, videos: readonly Buffer[], starts: readonly boolean[]][] = [
  ["every key frame of a stream with one track", [key, key], [true, true]],
  ["no other frame and no header", [payloadOf("inter"), payloadOf("avc"), hex("17 02 00 00 00")], [false, false, false]],
  ["no key frame of another track", [key, keyOf(1), keyOf(2), key], [true, false, false, true]],
  ["those of the lowest track, whatever it is called", [keyOf(3), keyOf(5), keyOf(2), keyOf(3)], [true, false, true, false]],
];

for (const [name, videos, starts] of rows) {
  test(`main track: it starts with ${name}`, () => {
    const mainTrack = new MainTrack();
    assert.deepEqual(
      videos.map((video) => mainTrack.starts(video)),
      starts,
    );
  });
}
