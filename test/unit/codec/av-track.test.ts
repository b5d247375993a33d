import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameTrack, mp3Track, opusSamples, readAudioTrack, readVideoTrack } from "../../../src/codec/av-track.js";
import { audioUnit, videoUnit } from "../../../src/codec/av-unit.js";
import { clip } from "../../helpers/clips.js";

test("av-track: a real encoder's H.264 and AAC are read: picture, rate, and what players call them", async () => {
  const tags = await clip({ seconds: 1 });
  const config = (type: number): Buffer => tags.find((tag) => tag.type === type)!.payload;
  const video = readVideoTrack("avc1", videoUnit(config(9))!.body);
  const audio = readAudioTrack("mp4a", audioUnit(config(8))!.body);
  assert.deepEqual([video?.width, video?.height, video?.lengthBytes, video?.sets.length], [320, 180, 4, 2]);
  assert.match(video?.codecs ?? "", /^avc1\.6400[0-9A-F]{2}$/);
  assert.deepEqual([audio?.sampleRate, audio?.channels, audio?.frameSamples, audio?.codecs], [48_000, 2, 1024, "mp4a.40.2"]);
});

test("av-track: a real encoder's H.265 is read", async () => {
  const [first] = await clip({ seconds: 1, video: "h265", audio: "none" });
  const track = readVideoTrack("hvc1", videoUnit(first!.payload)!.body);
  assert.deepEqual([track?.width, track?.height, track?.sets.length], [320, 180, 3]);
  assert.match(track?.codecs ?? "", /^hvc1\.1\.6\.L\d+(\.[0-9A-F]{2})*$/);
});

const audioRows: readonly (readonly [name: string, config: string, rate: number, channels: number, codecs: string])[] = [
  ["AAC-LC of 44.1 kHz", "1210", 44_100, 2, "mp4a.40.2"],
  ["HE-AAC, told by the core's rate", "2b8a0800", 22_050, 1, "mp4a.40.5"],
  ["a rate of its own", "17805dc010", 48_000, 2, "mp4a.40.2"],
];

for (const [name, config, rate, channels, codecs] of audioRows) {
  test(`av-track: ${name}`, () => {
    const track = readAudioTrack("mp4a", Buffer.from(config, "hex"));
    assert.deepEqual([track?.sampleRate, track?.channels, track?.codecs], [rate, channels, codecs]);
  });
}

test("av-track: what is cut off or of another codec is no track", () => {
  for (const bytes of ["", "01", "0142c00dffe1", "0142c00dffe100ff6742"])
    assert.equal(readVideoTrack("avc1", Buffer.from(bytes, "hex")), null, bytes);
  assert.equal(readVideoTrack("hvc1", Buffer.alloc(23)), null);
  assert.equal(readVideoTrack("vp09", Buffer.alloc(23, 1)), null);
  assert.equal(readAudioTrack("mp4a", Buffer.of(0x12)), null);
  assert.equal(mp3Track(Buffer.of(0xff, 0xfb)), null);
});

test("av-track: tracks are the same by what is written of them", () => {
  const one = readAudioTrack("mp4a", Buffer.of(0x12, 0x10));
  assert.equal(isSameTrack(one, readAudioTrack("mp4a", Buffer.of(0x12, 0x10))), true);
  assert.equal(isSameTrack(one, readAudioTrack("mp4a", Buffer.of(0x11, 0x90))), false);
  assert.equal(isSameTrack(one, null), false);
});

test("av-track: a record of AV1 is named as players ask for it", () => {
  const record = Buffer.from("81000c000a0b00000024cf7f0dbffc3008", "hex");
  const track = readVideoTrack("av01", record);
  assert.deepEqual([track?.fourCc, track?.codecs, track?.record], ["av01", "av01.0.00M.08", record]);
  assert.equal(readVideoTrack("av01", Buffer.of(0x80, 0, 0, 0)), null);
});

test("av-track: packets of Opus last as their first byte says", () => {
  const head = Buffer.concat([Buffer.from("OpusHead"), Buffer.from("01023801 80bb0000 000000".replaceAll(" ", ""), "hex")]);
  const track = readAudioTrack("Opus", head);
  assert.deepEqual([track?.channels, track?.sampleRate, track?.codecs], [2, 48_000, "opus"]);
  const rows = [
    [[0xfc], 960], // CELT, 20 ms
    [[0x78], 960], // hybrid, 20 ms
    [[0x7b, 0x03], 2880], // three frames of it
    [[0x00], 480], // SILK, 10 ms
    [[0x19], 5760], // SILK, 60 ms, two frames
    [[], 0],
  ] as const;
  for (const [bytes, samples] of rows) assert.equal(opusSamples(Buffer.from(bytes)), samples, bytes.join(" "));
});
