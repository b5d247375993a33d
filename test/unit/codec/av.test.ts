import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { audioCodec, isAudioHeader, isKeyFrame, isSequenceEnd, isVideoHeader, videoCodec } from "../../../src/codec/av.js";
import { hex } from "./hex.js";

const videos: { name: string; bytes: Buffer; is: "header" | "key frame" | "frame" | "end"; codec: string }[] = [
  { name: "an AVC sequence header", bytes: hex("17 00 00 00 00 01 64 00 1f"), is: "header", codec: "H.264" },
  { name: "an AVC key frame", bytes: hex("17 01 00 00 00 00 00 00 01 65"), is: "key frame", codec: "H.264" },
  { name: "an AVC inter frame", bytes: hex("27 01 00 00 00 00 00 00 01 41"), is: "frame", codec: "H.264" },
  { name: "an AVC end of sequence, which ffmpeg marks as a key frame", bytes: hex("17 02 00 00 00"), is: "end", codec: "H.264" },
  { name: "an AVC message of one byte", bytes: hex("17"), is: "frame", codec: "H.264" },
  { name: "a command frame, whose second byte is no packet type", bytes: hex("57 00"), is: "frame", codec: "H.264" },
  { name: "an HEVC sequence header under id 12", bytes: hex("1c 00 00 00 00 01"), is: "header", codec: "H.265" },
  { name: "an HEVC key frame under id 12", bytes: hex("1c 01 00 00 00 26"), is: "key frame", codec: "H.265" },
  { name: "a command frame whose second byte is 2", bytes: hex("57 02"), is: "frame", codec: "H.264" },
  { name: "an HEVC end of sequence under id 12", bytes: hex("1c 02 00 00 00"), is: "end", codec: "H.265" },
  { name: "an H.263 frame whose second byte is 2", bytes: hex("22 02"), is: "frame", codec: "H.263" },
  { name: "an HEVC inter frame under id 12", bytes: hex("2c 01 00 00 00 02"), is: "frame", codec: "H.265" },
  { name: "an AV1 sequence header under id 13", bytes: hex("1d 00 00 00 00 81"), is: "header", codec: "AV1" },
  { name: "an enhanced HEVC sequence start", bytes: hex('90 "hvc1" 01'), is: "header", codec: "H.265" },
  { name: "an enhanced HEVC key frame", bytes: hex('91 "hvc1" 00 00 00 26'), is: "key frame", codec: "H.265" },
  { name: "an enhanced HEVC key frame without a composition time", bytes: hex('93 "hvc1" 26'), is: "key frame", codec: "H.265" },
  { name: "an enhanced HEVC inter frame", bytes: hex('a1 "hvc1" 00 00 00 02'), is: "frame", codec: "H.265" },
  { name: "an enhanced end of sequence", bytes: hex('92 "hvc1"'), is: "end", codec: "H.265" },
  { name: "enhanced colour metadata", bytes: hex('94 "hvc1" 02 00 00'), is: "frame", codec: "H.265" },
  { name: "an enhanced AV1 sequence start", bytes: hex('90 "av01" 81'), is: "header", codec: "AV1" },
  { name: "an AV1 sequence start for MPEG-2 TS", bytes: hex('95 "av01" 81'), is: "header", codec: "AV1" },
  { name: "an enhanced AV1 key frame", bytes: hex('91 "av01" 0a'), is: "key frame", codec: "AV1" },
  { name: "an enhanced message whose codec is cut off", bytes: hex("a1 61 76"), is: "frame", codec: "video" },
  { name: "an H.263 key frame", bytes: hex("12 00"), is: "key frame", codec: "H.263" },
  { name: "an H.263 inter frame", bytes: hex("22 00"), is: "frame", codec: "H.263" },
  { name: "a codec that nobody knows", bytes: hex("2f 00"), is: "frame", codec: "video" },
  { name: "an empty video message", bytes: Buffer.alloc(0), is: "frame", codec: "" },
];

const audios: { name: string; bytes: Buffer; isHeader: boolean; codec: string }[] = [
  { name: "an AAC sequence header", bytes: hex("af 00 12 10"), isHeader: true, codec: "AAC" },
  { name: "an AAC frame", bytes: hex("af 01 21 10"), isHeader: false, codec: "AAC" },
  { name: "an AAC message of one byte", bytes: hex("af"), isHeader: false, codec: "AAC" },
  { name: "an MP3 frame whose second byte is 0", bytes: hex("2f 00 fb"), isHeader: false, codec: "MP3" },
  { name: "an MP3 frame", bytes: hex("2f ff fb"), isHeader: false, codec: "MP3" },
  { name: "a Speex frame", bytes: hex("b2 00"), isHeader: false, codec: "Speex" },
  { name: "an enhanced Opus sequence start", bytes: hex('90 "Opus" 01'), isHeader: true, codec: "Opus" },
  { name: "an enhanced Opus frame", bytes: hex('91 "Opus" fc'), isHeader: false, codec: "Opus" },
  { name: "an enhanced message whose codec is cut off", bytes: hex("91 4f"), isHeader: false, codec: "audio" },
  { name: "a format that nobody knows", bytes: hex("cf 00"), isHeader: false, codec: "audio" },
  { name: "an empty audio message", bytes: Buffer.alloc(0), isHeader: false, codec: "" },
];

for (const { name, bytes, is, codec } of videos) {
  test(`av: ${name} is a ${is}`, () => {
    assert.equal(isVideoHeader(bytes), is === "header");
    assert.equal(isKeyFrame(bytes), is === "key frame");
    assert.equal(isSequenceEnd(bytes), is === "end");
    assert.equal(videoCodec(bytes), codec);
  });
}

for (const { name, bytes, isHeader, codec } of audios) {
  test(`av: ${name} is ${isHeader ? "a header" : "a frame"}`, () => {
    assert.equal(isAudioHeader(bytes), isHeader);
    assert.equal(audioCodec(bytes), codec);
  });
}

test("av: any bytes are classified, and nothing is a header and a key frame", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      const media = Buffer.from(bytes);
      assert.ok(!(isKeyFrame(media) && isVideoHeader(media)));
      assert.equal(typeof isAudioHeader(media), "boolean");
      assert.equal(typeof videoCodec(media) + typeof audioCodec(media), "stringstring");
    }),
    { numRuns: 2000 },
  );
});
