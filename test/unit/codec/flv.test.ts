import assert from "node:assert/strict";
import { test } from "node:test";
import { flvHeader, tagOverhead, writeTag } from "../../../src/codec/flv.js";
import { flvTags } from "./flv-tags.js";
import { hex } from "./hex.js";

for (const [hasAudio, hasVideo, flags] of [
  [true, true, "05"],
  [true, false, "04"],
  [false, true, "01"],
  [false, false, "00"],
] as const) {
  test(`flv: the header announces ${hasAudio ? "audio" : "no audio"} and ${hasVideo ? "video" : "no video"} with ${flags}`, () => {
    assert.deepEqual(flvHeader(hasAudio, hasVideo), hex(`"FLV" 01 ${flags} 00 00 00 09 00 00 00 00`));
  });
}

for (const { name, type, timestamp, payload, bytes } of flvTags) {
  test(`flv: ${name}`, () => {
    const out = Buffer.alloc(payload.length + tagOverhead + 4, 0xee);
    assert.equal(writeTag(out, 2, type, timestamp, payload), bytes.length + 2);
    assert.deepEqual(out, Buffer.concat([hex("ee ee"), bytes, hex("ee ee")]));
  });
}
