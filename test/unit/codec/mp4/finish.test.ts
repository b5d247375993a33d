import assert from "node:assert/strict";
import { test } from "node:test";
import { audioUnit, videoUnit, type Unit } from "../../../../src/codec/av-unit.js";
import { mp3Track, readAudioTrack, readVideoTrack } from "../../../../src/codec/av-track.js";
import type { FlvTag } from "../../../../src/codec/flv-reader.js";
import { boxesIn, readBoxHead } from "../../../../src/codec/mp4/box.js";
import { finishedFront } from "../../../../src/codec/mp4/finish.js";
import { fragment, noteIn, runsIn, type FoundFragment, type Run } from "../../../../src/codec/mp4/fragment.js";
import { initSegment, type Mp4Tracks } from "../../../../src/codec/mp4/moov.js";
import { clip, decode, type ClipOptions } from "../../../helpers/clips.js";

interface Timed extends Unit {
  readonly timestamp: number;
}

function unitsOf(tags: readonly FlvTag[], type: number): Timed[] {
  return tags.flatMap(({ type: own, timestamp, payload }) => {
    const unit = own !== type ? null : type === 9 ? videoUnit(payload) : audioUnit(payload);
    return unit === null ? [] : [{ ...unit, timestamp }];
  });
}

/** A clip in fragments of a second. */
function toFragments(tags: readonly FlvTag[]): { tracks: Mp4Tracks; fragments: Buffer[] } {
  const video = unitsOf(tags, 9);
  const audio = unitsOf(tags, 8);
  const head = audio[0];
  const audioTrack = head === undefined ? null : head.isConfig ? readAudioTrack(head.fourCc, head.body) : mp3Track(head.body);
  const tracks = { video: video[0] === undefined ? null : readVideoTrack(video[0].fourCc, video[0].body), audio: audioTrack };
  const pictures = video.filter(({ isConfig }) => !isConfig);
  const sounds = audio.filter(({ isConfig }) => !isConfig);
  const fragments: Buffer[] = [];
  for (let second = 0; second < 60; second++) {
    const runs: Run[] = [];
    const here = pictures.filter(({ timestamp }) => Math.floor(timestamp / 1000) === second);
    const samples = here.map(({ compositionMs, isKeyFrame, body }) => ({
      durationTicks: 3600,
      compositionTicks: compositionMs * 90,
      isKeyFrame,
      body,
    }));
    if (here[0] !== undefined) runs.push({ track: "video", startTicks: here[0].timestamp * 90, samples });
    const frame = audioTrack?.frameSamples ?? 1;
    const rate = audioTrack?.sampleRate ?? 1;
    const heard = sounds
      .map((sound, index) => ({ sound, ticks: index * frame }))
      .filter(({ ticks }) => Math.floor(ticks / rate) === second);
    if (heard[0] !== undefined) {
      const of = heard.map(({ sound }) => ({ durationTicks: frame, compositionTicks: 0, isKeyFrame: true, body: sound.body }));
      runs.push({ track: "audio", startTicks: heard[0].ticks, samples: of });
    }
    if (runs.length > 0) fragments.push(fragment(second + 1, runs, Buffer.from(`note ${second}`)));
  }
  return { tracks, fragments };
}

/** What a recorder finds in its file. */
function scan(file: Buffer): { found: FoundFragment[]; notes: string[]; media: Buffer[] } {
  const found: FoundFragment[] = [];
  const notes: string[] = [];
  const media: Buffer[] = [];
  let moof: { at: number; body: Buffer } = { at: 0, body: Buffer.alloc(0) };
  for (let at = 0; at < file.length;) {
    const head = readBoxHead(file, at)!;
    const body = file.subarray(at + head.headBytes, at + head.sizeBytes);
    if (head.type === "skip") notes.push(noteIn(body)?.toString() ?? "?");
    if (head.type === "moof") moof = { at, body };
    if (head.type === "mdat") {
      found.push({ mediaAt: at + 8, mediaBytes: body.length, moofAt: moof.at, runs: runsIn(moof.body) });
      media.push(body);
    }
    at += head.sizeBytes;
  }
  return { found, notes, media };
}

const kinds: readonly (readonly [name: string, options: ClipOptions, found: Record<string, number>])[] = [
  ["H.264 with B-frames and AAC", { seconds: 2, bFrames: 2 }, { h264: 50, aac: 95 }],
  ["H.265 and AAC", { seconds: 1, video: "h265" }, { hevc: 25, aac: 48 }],
  ["H.264 and MP3", { seconds: 1, audio: "mp3" }, { h264: 25, mp3: 40 }],
  ["audio alone", { seconds: 1, video: "none" }, { aac: 48 }],
];

for (const [name, options, expected] of kinds) {
  test(`mp4: ${name} is decoded by ffmpeg without an error, in fragments and finished`, async () => {
    const { tracks, fragments } = toFragments(await clip(options));
    const grown = Buffer.concat([initSegment(tracks), ...fragments]);
    const { found, notes, media } = scan(grown);
    const finished = Buffer.concat([finishedFront(tracks, found), ...media]);
    assert.deepEqual(
      notes,
      fragments.map((_, second) => `note ${second}`),
    );
    assert.deepEqual(
      boxesIn(finished).map(({ type }) => type),
      ["ftyp", "moov", "mdat"],
      "its head first",
    );
    for (const file of [grown, finished]) {
      const frames = await decode(file, "mp4");
      assert.deepEqual(Object.keys(frames).toSorted(), Object.keys(expected).toSorted());
      for (const [codec, count] of Object.entries(expected))
        assert.ok(Math.abs((frames[codec] ?? 0) - count) <= 2, `${codec}: ${frames[codec]}`);
    }
  });
}

test("mp4: media beyond 4 GiB is found by offsets of 64 bits", () => {
  const audio = mp3Track(Buffer.of(0xff, 0xfb, 0x90, 0x00));
  const run = (offsetBytes: number) => ({
    track: "audio" as const,
    startTicks: 0,
    offsetBytes,
    samples: [{ durationTicks: 1, compositionTicks: 0, isKeyFrame: true, sizeBytes: 1 }],
  });
  const far = 5 * 2 ** 30;
  const front = finishedFront({ video: null, audio }, [
    { mediaAt: 100, mediaBytes: far, moofAt: 0, runs: [run(100)] },
    { mediaAt: far + 200, mediaBytes: 1, moofAt: far + 100, runs: [run(100)] },
  ]);
  const at = front.indexOf("co64");
  assert.equal(front.readUInt32BE(at + 8), 2);
  assert.equal(Number(front.readBigUInt64BE(at + 12)), front.length);
  assert.equal(Number(front.readBigUInt64BE(at + 20)), front.length + far);
});
