import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  audioCodec,
  audioHeader,
  audioRole,
  headerKind,
  role,
  videoCodec,
  videoHeader,
  videoRole,
  videoTrack,
  type Header,
} from "../../../src/codec/av.js";
import { hex } from "./hex.js";

type Is = "header" | "key frame" | "frame" | "neither";

function nameOf(found: number): Is {
  return found === role.header ? "header" : found === role.keyFrame ? "key frame" : found === role.frame ? "frame" : "neither";
}

const videos: { name: string; bytes: Buffer; is: Is; codec: string; track?: number }[] = [
  { name: "an AVC sequence header", bytes: hex("17 00 00 00 00 01 64 00 1f"), is: "header", codec: "H.264" },
  { name: "an AVC key frame", bytes: hex("17 01 00 00 00 00 00 00 01 65"), is: "key frame", codec: "H.264" },
  { name: "an AVC inter frame", bytes: hex("27 01 00 00 00 00 00 00 01 41"), is: "frame", codec: "H.264" },
  { name: "an AVC frame without a picture", bytes: hex("17 01 00 00 00"), is: "neither", codec: "H.264" },
  { name: "an AVC end of sequence, which ffmpeg marks as a key frame", bytes: hex("17 02 00 00 00"), is: "neither", codec: "H.264" },
  { name: "an AVC message of one byte", bytes: hex("17"), is: "neither", codec: "H.264" },
  { name: "a command frame, whose second byte is no packet type", bytes: hex("57 00"), is: "neither", codec: "H.264" },
  { name: "an HEVC sequence header under id 12", bytes: hex("1c 00 00 00 00 01"), is: "header", codec: "H.265" },
  { name: "an HEVC key frame under id 12", bytes: hex("1c 01 00 00 00 26"), is: "key frame", codec: "H.265" },
  { name: "an HEVC inter frame under id 12", bytes: hex("2c 01 00 00 00 02"), is: "frame", codec: "H.265" },
  { name: "an AV1 sequence header under id 13", bytes: hex("1d 00 00 00 00 81"), is: "header", codec: "AV1" },
  { name: "an enhanced HEVC sequence start", bytes: hex('90 "hvc1" 01'), is: "header", codec: "H.265" },
  { name: "an enhanced HEVC key frame", bytes: hex('91 "hvc1" 00 00 00 26'), is: "key frame", codec: "H.265" },
  { name: "an enhanced HEVC key frame without a composition time", bytes: hex('93 "hvc1" 26'), is: "key frame", codec: "H.265" },
  { name: "an enhanced HEVC inter frame", bytes: hex('a1 "hvc1" 00 00 00 02'), is: "frame", codec: "H.265" },
  { name: "an enhanced end of sequence", bytes: hex('92 "hvc1"'), is: "neither", codec: "H.265" },
  { name: "enhanced colour metadata", bytes: hex('94 "hvc1" 02 00 00'), is: "header", codec: "H.265" },
  { name: "enhanced colour metadata in a command frame", bytes: hex('d4 "hvc1" 02 00 00'), is: "header", codec: "H.265" },
  { name: "an enhanced command", bytes: hex("d1 00"), is: "neither", codec: "video" },
  { name: "an enhanced AV1 sequence start", bytes: hex('90 "av01" 81'), is: "header", codec: "AV1" },
  { name: "an AV1 sequence start for MPEG-2 TS", bytes: hex('95 "av01" 81'), is: "header", codec: "AV1" },
  { name: "an enhanced AV1 key frame", bytes: hex('91 "av01" 0a'), is: "key frame", codec: "AV1" },
  { name: "an enhanced message whose codec is cut off", bytes: hex("a1 61 76"), is: "frame", codec: "video" },
  { name: "an enhanced packet type that nobody knows", bytes: hex('9f "avc1" 00'), is: "frame", codec: "H.264" },
  { name: "a sequence start of track 1", bytes: hex('96 00 "avc1" 01 01'), is: "header", codec: "H.264", track: 1 },
  { name: "a key frame of track 2", bytes: hex('96 01 "hvc1" 02 00 00 00 26'), is: "key frame", codec: "H.265", track: 2 },
  { name: "an inter frame of track 1", bytes: hex('a6 01 "avc1" 01 00 00 00 41'), is: "frame", codec: "H.264", track: 1 },
  {
    name: "a key frame of tracks 1 and 0",
    bytes: hex('96 11 "avc1" 01 00 00 02 aa bb 00 00 00 01 cc'),
    is: "key frame",
    codec: "H.264",
    track: 0,
  },
  {
    name: "a sequence start of tracks 3 and 4 in two codecs",
    bytes: hex('96 20 "avc1" 03 00 00 01 aa "hvc1" 04 00 00 01 bb'),
    is: "header",
    codec: "H.264",
    track: 3,
  },
  { name: "colour metadata of track 1", bytes: hex('96 04 "hvc1" 01 02 00 00'), is: "header", codec: "H.265", track: 1 },
  { name: "an end of track 1", bytes: hex('96 02 "hvc1" 01'), is: "neither", codec: "H.265", track: 1 },
  { name: "a key frame behind a modifier", bytes: hex('97 02 01 02 03 01 "avc1" 00 00 00 65'), is: "key frame", codec: "H.264" },
  {
    name: "a key frame of track 1 behind two modifiers",
    bytes: hex('97 00 aa 07 00 bb 06 01 "avc1" 01 00 00 00 65'),
    is: "key frame",
    codec: "H.264",
    track: 1,
  },
  {
    name: "a sequence start behind a modifier of 300 bytes",
    bytes: Buffer.concat([hex("97 ff 01 2b"), Buffer.alloc(300, 7), hex('00 "avc1" 01')]),
    is: "header",
    codec: "H.264",
  },
  { name: "an enhanced message that ends inside its modifier", bytes: hex("97 05 01"), is: "neither", codec: "video" },
  { name: "an enhanced message that ends before its layout", bytes: hex("96"), is: "neither", codec: "video" },
  { name: "an H.263 key frame", bytes: hex("12 00"), is: "key frame", codec: "H.263" },
  { name: "an H.263 inter frame", bytes: hex("22 00"), is: "frame", codec: "H.263" },
  { name: "a codec that nobody knows", bytes: hex("2f 00"), is: "frame", codec: "video" },
  { name: "an empty video message", bytes: Buffer.alloc(0), is: "neither", codec: "" },
];

const audios: { name: string; bytes: Buffer; is: Is; codec: string }[] = [
  { name: "an AAC sequence header", bytes: hex("af 00 12 10"), is: "header", codec: "AAC" },
  { name: "an empty AAC sequence header", bytes: hex("af 00"), is: "header", codec: "AAC" },
  { name: "an AAC frame", bytes: hex("af 01 21 10"), is: "frame", codec: "AAC" },
  { name: "an AAC frame without sound", bytes: hex("af 01"), is: "neither", codec: "AAC" },
  { name: "an AAC message of one byte", bytes: hex("af"), is: "neither", codec: "AAC" },
  { name: "an MP3 frame whose second byte is 0", bytes: hex("2f 00 fb"), is: "frame", codec: "MP3" },
  { name: "an MP3 frame", bytes: hex("2f ff fb"), is: "frame", codec: "MP3" },
  { name: "a Speex frame", bytes: hex("b2 00"), is: "frame", codec: "Speex" },
  { name: "an enhanced Opus sequence start", bytes: hex('90 "Opus" 01'), is: "header", codec: "Opus" },
  { name: "an enhanced Opus frame", bytes: hex('91 "Opus" fc'), is: "frame", codec: "Opus" },
  { name: "an enhanced end of sequence of audio", bytes: hex('92 "Opus"'), is: "neither", codec: "Opus" },
  { name: "a description of channels", bytes: hex('94 "Opus" 01 06 00 00 00 3f'), is: "header", codec: "Opus" },
  { name: "a sequence start of audio track 1", bytes: hex('95 00 "mp4a" 01 12 10'), is: "header", codec: "AAC" },
  { name: "a frame of audio track 1", bytes: hex('95 01 "mp4a" 01 21'), is: "frame", codec: "AAC" },
  { name: "an audio frame behind a modifier", bytes: hex('97 02 00 00 05 01 "Opus" fc'), is: "frame", codec: "Opus" },
  { name: "an enhanced message whose codec is cut off", bytes: hex("91 4f"), is: "frame", codec: "audio" },
  { name: "a format that nobody knows", bytes: hex("cf 00"), is: "frame", codec: "audio" },
  { name: "an empty audio message", bytes: Buffer.alloc(0), is: "neither", codec: "" },
];

for (const { name, bytes, is, codec, track = 0 } of videos) {
  test(`av: ${name} is ${is === "neither" ? is : `a ${is}`}`, () => {
    assert.deepEqual([nameOf(videoRole(bytes)), videoCodec(bytes), videoTrack(bytes)], [is, codec, track]);
  });
}

for (const { name, bytes, is, codec } of audios) {
  test(`av: ${name} is ${is === "neither" ? is : `a ${is}`}`, () => {
    assert.deepEqual([nameOf(audioRole(bytes)), audioCodec(bytes)], [is, codec]);
  });
}

test("av: any bytes are classified", () => {
  const any = fc.oneof(
    fc.uint8Array({ maxLength: 24 }),
    // More that begin as enhanced messages do.
    fc.tuple(fc.integer({ min: 0x90, max: 0x9f }), fc.uint8Array({ maxLength: 24 })).map(([first, rest]) => Uint8Array.of(first, ...rest)),
  );
  fc.assert(
    fc.property(any, (bytes) => {
      const media = Buffer.from(bytes);
      for (const found of [videoRole(media), audioRole(media)]) assert.ok(Object.values(role).includes(found));
      assert.ok(videoTrack(media) >= 0 && videoTrack(media) <= 255);
      if (videoRole(media) === role.header) assert.equal(typeof videoHeader(media).isComplete, "boolean");
      if (audioRole(media) === role.header) assert.equal(typeof audioHeader(media).isComplete, "boolean");
      assert.equal(typeof videoCodec(media) + typeof audioCodec(media), "stringstring");
    }),
    { numRuns: 5000 },
  );
});

const { audioConfig, audioChannels, videoConfig, videoMetadata } = headerKind;
/** Parameter sets as encoders write them. */
const avcRecord = "01 42 c0 0c ff e1 00 04 67 42 c0 0c 01 00 02 68 ce";
const hevcHead = "01 01 60 00 00 00 90 00 00 00 00 00 3f f0 00 fc fd f8 f8 00 00 0f";
const hevcSets = "20 00 01 00 02 40 01 21 00 01 00 02 42 01 22 00 01 00 02 44 01";

const headers: { name: string; type: "video" | "audio"; bytes: Buffer; is: Header }[] = [
  ...(
    [
      ["an AVC record with both parameter sets", avcRecord, true],
      ["an AVC record of another profile, with what that adds", `${avcRecord} fd f8 f8 00`, true],
      ["an AVC record without a sequence parameter set", "01 42 c0 0c ff e0 01 00 02 68 ce", false],
      ["an AVC record with an empty sequence parameter set", "01 42 c0 0c ff e1 00 00 01 00 02 68 ce", false],
      ["an AVC record without a picture parameter set", "01 42 c0 0c ff e1 00 04 67 42 c0 0c 00", false],
      ["an AVC record that ends inside its sequence parameter set", "01 42 c0 0c ff e1 00 04 67 42", false],
      ["an AVC record that ends inside its picture parameter set", "01 42 c0 0c ff e1 00 04 67 42 c0 0c 01 00 02 68", false],
      ["an AVC record that ends before its picture parameter set", "01 42 c0 0c ff e1 00 04 67 42 c0 0c", false],
      ["AVC parameter sets as a byte stream", "00 00 00 01 67 42 c0 0c 00 00 01 68 ce", true],
      ["an AVC record of zeros", "00 00 00 00 00 00 00 00", false],
      ["an empty AVC record", "", false],
    ] as const
  ).flatMap(([name, bytes, isComplete]) => [
    { name, type: "video" as const, bytes: hex(`17 00 00 00 00 ${bytes}`), is: { kind: videoConfig, tracks: [0], isComplete } },
    {
      name: `${name}, enhanced`,
      type: "video" as const,
      bytes: hex(`90 "avc1" ${bytes}`),
      is: { kind: videoConfig, tracks: [0], isComplete },
    },
  ]),
  ...(
    [
      ["an HEVC record with its parameter sets", `${hevcHead} 03 ${hevcSets}`, true],
      ["an HEVC record without parameter sets", `${hevcHead} 00`, false],
      ["an HEVC record that ends inside a parameter set", `${hevcHead} 03 ${hevcSets.slice(0, -3)}`, false],
      ["an HEVC record that ends inside its head", "01 01 60", false],
    ] as const
  ).flatMap(([name, bytes, isComplete]) => [
    { name, type: "video" as const, bytes: hex(`1c 00 00 00 00 ${bytes}`), is: { kind: videoConfig, tracks: [0], isComplete } },
    {
      name: `${name}, enhanced`,
      type: "video" as const,
      bytes: hex(`90 "hvc1" ${bytes}`),
      is: { kind: videoConfig, tracks: [0], isComplete },
    },
  ]),
  ...(
    [
      ["an AV1 record with a sequence header", '90 "av01" 81 00 0c 00 0a 02 00 00', true],
      ["an AV1 record that leaves it to the stream", '90 "av01" 81 00 0c 00', true],
      ["an AV1 record that ends inside a sequence header", '90 "av01" 81 00 0c 00 0a 05 00 00', false],
      ["an AV1 record of another version", '90 "av01" 01 00 0c 00', false],
      ["an AV1 descriptor for MPEG-2 TS", '95 "av01" 80 04', true],
      ["a VP9 record", '90 "vp09" 01 00 00 00 00 1f 80 02', true],
      ["an empty VP9 record", '90 "vp09"', false],
    ] as const
  ).map(([name, bytes, isComplete]) => ({
    name,
    type: "video" as const,
    bytes: hex(bytes),
    is: { kind: videoConfig, tracks: [0], isComplete },
  })),
  ...(
    [
      ["an AudioSpecificConfig of AAC-LC", "af 00 12 10", true],
      ["one of HE-AAC with its extension", "af 00 2b 92 08 00", true],
      ["one with a frequency of its own", "af 00 17 80 5d c0 10", true],
      ["one that ends inside that frequency", "af 00 17 80 5d", false],
      ["one whose frequency is reserved", "af 00 16 90", false],
      ["one of xHE-AAC, whose type takes more bits", "af 00 f9 46 40", true],
      ["one of no type", "af 00 02 10", false],
      ["one of one byte", "af 00 12", false],
      ["an empty one", "af 00", false],
      ["an enhanced one", '90 "mp4a" 12 10', true],
      ["an enhanced empty one", '90 "mp4a"', false],
      ["an Opus head", '90 "Opus" "OpusHead" 01 02 38 01 80 bb 00 00 00 00 00', true],
      ["an Opus head that is cut off", '90 "Opus" "OpusHead" 01 02', false],
      ["AC-3, which has none", '90 "ac-3"', true],
    ] as const
  ).map(([name, bytes, isComplete]) => ({
    name,
    type: "audio" as const,
    bytes: hex(bytes),
    is: { kind: audioConfig, tracks: [0], isComplete },
  })),
  {
    name: "a native order of channels",
    type: "audio",
    bytes: hex('94 "Opus" 01 06 00 00 00 3f'),
    is: { kind: audioChannels, tracks: [0], isComplete: true },
  },
  {
    name: "a native order that is cut off",
    type: "audio",
    bytes: hex('94 "Opus" 01 06 00'),
    is: { kind: audioChannels, tracks: [0], isComplete: false },
  },
  {
    name: "an order of channels of its own",
    type: "audio",
    bytes: hex('94 "Opus" 02 02 00 01'),
    is: { kind: audioChannels, tracks: [0], isComplete: true },
  },
  {
    name: "colours",
    type: "video",
    bytes: hex('94 "hvc1" 02 00 09 "colorInfo" 03 00 00 09'),
    is: { kind: videoMetadata, tracks: [0], isComplete: true },
  },
  {
    name: "colours that are cut off",
    type: "video",
    bytes: hex('94 "hvc1" 02 00 09 "color"'),
    is: { kind: videoMetadata, tracks: [0], isComplete: false },
  },
  {
    name: "colours of track 7",
    type: "video",
    bytes: hex('96 04 "hvc1" 07 02 00 01 "a" 05'),
    is: { kind: videoMetadata, tracks: [7], isComplete: true },
  },
  {
    name: "a record of track 1",
    type: "video",
    bytes: hex(`96 00 "avc1" 01 ${avcRecord}`),
    is: { kind: videoConfig, tracks: [1], isComplete: true },
  },
  {
    name: "records of two tracks",
    type: "video",
    bytes: hex(`96 10 "avc1" 00 00 00 11 ${avcRecord} 01 00 00 11 ${avcRecord}`),
    is: { kind: videoConfig, tracks: [0, 1], isComplete: true },
  },
  {
    name: "records of two tracks, of which one is empty",
    type: "video",
    bytes: hex(`96 10 "avc1" 00 00 00 11 ${avcRecord} 01 00 00 00`),
    is: { kind: videoConfig, tracks: [0, 1], isComplete: false },
  },
  {
    name: "records of two codecs",
    type: "video",
    bytes: hex(`96 20 "avc1" 02 00 00 11 ${avcRecord} "vp09" 03 00 00 01 01`),
    is: { kind: videoConfig, tracks: [2, 3], isComplete: true },
  },
  {
    name: "records of tracks whose lengths lie outside",
    type: "video",
    bytes: hex(`96 10 "avc1" 00 00 00 ff ${avcRecord}`),
    is: { kind: videoConfig, tracks: [], isComplete: true },
  },
  {
    name: "an audio record of track 2",
    type: "audio",
    bytes: hex('95 00 "mp4a" 02 12 10'),
    is: { kind: audioConfig, tracks: [2], isComplete: true },
  },
];

for (const { name, type, bytes, is } of headers) {
  test(`av: what a header describes: ${name}`, () => {
    assert.equal(type === "video" ? videoRole(bytes) : audioRole(bytes), role.header);
    assert.deepEqual(type === "video" ? videoHeader(bytes) : audioHeader(bytes), is);
  });
}
