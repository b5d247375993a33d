import assert from "node:assert/strict";
import { test } from "node:test";
import { audioUnit, videoUnit } from "../../../../src/codec/av-unit.js";
import { mp3Track, readAudioTrack, readVideoTrack, type AudioTrack, type VideoTrack } from "../../../../src/codec/av-track.js";
import type { FlvTag } from "../../../../src/codec/flv-reader.js";
import { checksum, patSection, pid, pmtSection } from "../../../../src/codec/ts/tables.js";
import { Packets } from "../../../../src/codec/ts/packets.js";
import { makeTsState, TsWriter } from "../../../../src/codec/ts/writer.js";
import { clip, decode, type ClipOptions } from "../../../helpers/clips.js";

/** A clip as a transport stream, `shiftMs` later, gathered in blocks of so many bytes. */
function toTs(tags: readonly FlvTag[], shiftMs = 0, blockBytes = 64 << 10): Buffer {
  let video: VideoTrack | null = null;
  let audio: AudioTrack | null = null;
  for (const { type, payload } of tags) {
    const unit = type === 9 ? videoUnit(payload) : audioUnit(payload);
    if (unit === null) continue;
    if (type === 9 && unit.isConfig) video ??= readVideoTrack(unit.fourCc, unit.body);
    if (type === 8) audio ??= unit.isConfig ? readAudioTrack(unit.fourCc, unit.body) : mp3Track(unit.body);
  }
  const writer = new TsWriter({ video, audio }, makeTsState());
  const blocks: Buffer[] = [];
  const out = new Packets(
    (bytes) => Buffer.allocUnsafeSlow(Math.max(blockBytes, bytes)),
    (block) => void blocks.push(block),
  );
  writer.tables(out);
  let frames: Buffer[] = [];
  let first = 0;
  const flush = (): void => {
    if (frames.length > 0) writer.audio(out, first, frames);
    frames = [];
  };
  for (const { type, timestamp, payload } of tags) {
    const unit = type === 9 ? videoUnit(payload) : audioUnit(payload);
    if (unit === null || unit.isConfig) continue;
    const ticks = (timestamp + shiftMs) * 90;
    if (type === 9) {
      flush();
      writer.video(out, { dtsTicks: ticks, ptsTicks: ticks + unit.compositionMs * 90, isKeyFrame: unit.isKeyFrame, body: unit.body });
    } else {
      if (frames.length === 0) first = ticks;
      frames.push(unit.body);
      if (frames.length === 4) flush();
    }
  }
  flush();
  out.flush();
  return Buffer.concat(blocks);
}

/** What is written at once. */
function written(write: (out: Packets) => void): Buffer {
  const blocks: Buffer[] = [];
  const out = new Packets(
    (bytes) => Buffer.allocUnsafeSlow(Math.max(4096, bytes)),
    (block) => void blocks.push(block),
  );
  write(out);
  out.flush();
  return Buffer.concat(blocks);
}

/** The packets of one identifier. */
function packets(ts: Buffer, at: number): Buffer[] {
  const all = Array.from({ length: ts.length / 188 }, (_, index) => ts.subarray(index * 188, (index + 1) * 188));
  return all.filter((packet) => (packet.readUInt16BE(1) & 0x1fff) === at);
}

const kinds: readonly (readonly [name: string, options: ClipOptions, found: Record<string, number>])[] = [
  ["H.264 with B-frames and AAC", { seconds: 2, bFrames: 2 }, { h264: 50, aac: 94 }],
  ["H.265 and AAC", { seconds: 1, video: "h265" }, { hevc: 25, aac: 47 }],
  ["H.264 and MP3", { seconds: 1, audio: "mp3" }, { h264: 25, mp3: 40 }],
  ["audio alone", { seconds: 1, video: "none" }, { aac: 47 }],
  ["video alone", { seconds: 1, audio: "none" }, { h264: 25 }],
];

for (const [name, options, expected] of kinds) {
  test(`ts: ${name} is decoded by ffmpeg without an error, to the last frame`, async () => {
    const found = await decode(toTs(await clip(options)), "ts");
    assert.deepEqual(Object.keys(found).toSorted(), Object.keys(expected).toSorted());
    for (const [codec, frames] of Object.entries(expected))
      assert.ok(Math.abs((found[codec] ?? 0) - frames) <= 2, `${codec}: ${found[codec]}`);
    if (expected["h264"] !== undefined) assert.equal(found["h264"], expected["h264"]);
  });
}

test("ts: times that pass 33 bits go on from 0 and are decoded", async () => {
  const tags = await clip({ seconds: 2, bFrames: 2 });
  const wrapMs = 2 ** 33 / 90;
  const found = await decode(toTs(tags, Math.floor(wrapMs - 1400 - 1000)), "ts");
  assert.equal(found["h264"], 50);
});

test("ts: the counter of each identifier goes up by one from packet to packet", async () => {
  const ts = toTs(await clip({ seconds: 1 }));
  assert.equal(ts.length % 188, 0);
  for (const at of [pid.pat, pid.pmt, pid.video, pid.aac]) {
    const counters = packets(ts, at).map((packet) => packet[3]! & 15);
    assert.ok(counters.length > 1);
    counters.forEach((counter, index) => assert.equal(counter, index % 16));
  }
});

test("ts: a key frame is marked as a place to start, and has the tables before it and a clock that is behind its time", async () => {
  const ts = toTs(await clip({ seconds: 2, audio: "none" }));
  const starts = packets(ts, pid.video).filter((packet) => (packet[1]! & 0x40) !== 0);
  const keys = starts.filter((packet) => (packet[5]! & 0x40) !== 0);
  assert.equal(starts.length, 50);
  assert.equal(keys.length, 2);
  for (const key of keys) {
    assert.equal((ts.readUInt16BE(key.byteOffset - ts.byteOffset - 188 + 1) & 0x1fff) === pid.pmt, true);
  }
  for (const [index, packet] of starts.entries()) {
    assert.equal(packet[5]! & 0x10, 0x10, "a clock with every picture");
    assert.equal(packet.readUInt32BE(6) * 2, index * 3600 + 126_000 - 63_000);
  }
});

test("ts: a state that was written down goes on with the very bytes", async () => {
  const tags = (await clip({ seconds: 1, audio: "none" })).flatMap(({ payload }) => videoUnit(payload) ?? []);
  const track = readVideoTrack("avc1", tags[0]!.body);
  const frames = tags.slice(1).map(({ isKeyFrame, body }, at) => ({ dtsTicks: at * 3600, ptsTicks: at * 3600, isKeyFrame, body }));
  const state = makeTsState();
  const writer = new TsWriter({ video: track, audio: null }, state);
  for (const frame of frames.slice(0, 10)) written((out) => writer.video(out, frame));
  const heir = new TsWriter({ video: track, audio: null }, structuredClone(state));
  assert.deepEqual(
    written((out) => heir.video(out, frames[10]!)),
    written((out) => writer.video(out, frames[10]!)),
  );
});

/** An independent reading: the payloads behind heads and fields, one after the other. */
function payloadOf(ts: Buffer, at: number): Buffer {
  const payloads = packets(ts, at).map((packet) => packet.subarray((packet[3]! & 0x20) === 0 ? 4 : 5 + packet[4]!));
  return Buffer.concat(payloads);
}

test("ts: a picture of any length is in its packets byte by byte, whatever block it is written to", () => {
  const track = readVideoTrack("avc1", Buffer.from("0142c00cffe100046742c00c01000468ce0fc8", "hex"))!;
  for (const isKeyFrame of [false, true]) {
    for (let length = 1; length < 600; length++) {
      const unit = Buffer.from(
        Array.from({ length }, (_, index) => (index === 0 ? (isKeyFrame ? 0x65 : 0x41) : (index * 7 + length) & 0xff)),
      );
      const body = Buffer.concat([Buffer.of(0, 0, length >> 8, length & 0xff), unit]);
      const start = Buffer.of(0, 0, 0, 1);
      const sets = isKeyFrame ? track.sets.flatMap((set) => [start, set]) : [];
      const picture = Buffer.concat([Buffer.of(0, 0, 0, 1, 0x09, 0xf0), ...sets, start, unit]);
      for (const ptsTicks of [90_000, 93_600]) {
        const writer = new TsWriter({ video: track, audio: null }, makeTsState());
        const ts = written((out) => {
          writer.tables(out); // what is before it stays
          writer.video(out, { dtsTicks: 90_000, ptsTicks, isKeyFrame, body });
        });
        const pes = payloadOf(ts, pid.video);
        const headBytes = 9 + pes[8]!;
        assert.equal(pes[8], ptsTicks === 90_000 ? 5 : 10);
        assert.equal(pes.readUInt16BE(4), pes.length - 6);
        assert.ok(pes.subarray(headBytes).equals(picture), `${length} bytes`);
        assert.equal((ts.readUInt16BE(1) & 0x1fff) === pid.pat && (ts.readUInt16BE(189) & 0x1fff) === pid.pmt, true);
      }
    }
  }
});

test("ts: small blocks and large ones hold the same packets", async () => {
  const tags = await clip({ seconds: 2, bFrames: 2 });
  assert.ok(toTs(tags, 0, 188).equals(toTs(tags, 0, 1 << 20)));
});

test("ts: tables end with a checksum that a reader finds to be 0", () => {
  const audio = mp3Track(Buffer.of(0xff, 0xfb, 0x90, 0x00))!;
  assert.equal(checksum(patSection), 0);
  const pmt = pmtSection({ video: null, audio }, 3);
  assert.equal(checksum(pmt), 0);
  assert.equal((pmt[5]! >> 1) & 31, 3);
  assert.deepEqual([...pmt.subarray(8, 17)], [0xe1, 0x02, 0xf0, 0, 3, 0xe1, 0x02, 0xf0, 0], "the clock is on the only track");
});
