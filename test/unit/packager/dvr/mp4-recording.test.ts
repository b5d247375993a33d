// What players of others say of recordings as MP4: of every kind of stream, written at once, and read by ffmpeg and by mp4box.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { test } from "node:test";
import { createFile, MP4BoxBuffer, type Sample } from "mp4box";
import { clip } from "../../../helpers/clips.js";
import { clipSums, pictureSums, repeated } from "../../../helpers/packages.js";
import type { Media } from "../../../helpers/rtmp-client.js";
import { dvrOf, leastSeconds, write } from "../direct.js";

async function seconds(count: number, options: Partial<Parameters<typeof clip>[0]> = {}): Promise<Media[]> {
  return repeated(await clip({ seconds: 2, ...options }), count / 2, 2000);
}

for (const { name, options, codecs } of [
  { name: "H.264 with B-frames, and AAC", options: { bFrames: 2 }, codecs: [/^avc1\./, /^mp4a\.40\.2$/] },
  { name: "H.265 and AAC", options: { video: "h265" as const }, codecs: [/^hvc1\.1\.6\./, /^mp4a\.40\.2$/] },
  { name: "H.264 and MP3", options: { audio: "mp3" as const }, codecs: [/^avc1\./, /^mp4a\.(6b|40\.34)$/i] },
  { name: "AAC alone", options: { video: "none" as const }, codecs: [/^mp4a\.40\.2$/] },
]) {
  test(`mp4-recording: an MP4 of ${name} is plain, with its head first, and whole to mp4box and ffmpeg`, async (t) => {
    const length = Math.max(6, leastSeconds);
    const media = await seconds(length, options);
    const box = await dvrOf(t, "s.mp4");
    await write(box, media);
    const bytes = readFileSync(join(box.folder, "s.mp4"));
    const file = createFile(false);
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(bytes).buffer, 0));
    file.flush();
    assert.deepEqual(
      file.boxes.map(({ type }) => type),
      ["ftyp", "moov", "mdat"],
    );
    const { tracks, isFragmented } = file.getInfo();
    assert.equal(isFragmented, false);
    tracks.forEach(({ codec }, index) => assert.match(codec, codecs[index]!));
    assert.equal(tracks.length, codecs.length);
    for (const { id } of tracks) assertJoined(file.getTrackSamplesInfo(id));
    if (codecs.length > 1) assert.equal((await pictureSums(bytes, "mp4")).length, 25 * length);
  });
}

for (const { name, audio, atMs, files } of [
  { name: "AAC that comes half a second after the pictures is in the file", audio: "aac", atMs: 500, files: 1 },
  { name: "MP3 that comes half a second after the pictures is in the file", audio: "mp3", atMs: 500, files: 1 },
  { name: "AAC that comes later begins another file with a key frame, and no picture is missing", audio: "aac", atMs: 2500, files: 2 },
  { name: "MP3 that comes later begins another file with a key frame, and no picture is missing", audio: "mp3", atMs: 2500, files: 2 },
] as const) {
  test(`mp4-recording: ${name}`, async (t) => {
    const all = await seconds(6, { audio });
    const isConfig = ({ type, payload }: Media): boolean => type === 8 && payload[0]! >> 4 === 10 && payload[1] === 0;
    const timeOf = (one: Media): number => (isConfig(one) ? atMs : one.timestamp);
    const moved = all.map((one): Media => ({ type: one.type, payload: one.payload, timestamp: timeOf(one) }));
    const media = moved.filter(({ type, timestamp }) => type === 9 || timestamp >= atMs).toSorted((a, b) => a.timestamp - b.timestamp);
    const box = await dvrOf(t, "s.mp4");
    await write(box, media);
    assert.deepEqual(
      box.finished.map(({ path }) => basename(path)),
      files === 1 ? ["s.mp4"] : ["s.mp4", "s-1.mp4"], // both begin at once
    );
    const sums = await Promise.all(box.finished.map(({ path }) => pictureSums(readFileSync(path), "mp4")));
    assert.deepEqual(sums.flat(), await clipSums(media));
    const last = createFile(false);
    last.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(readFileSync(box.finished.at(-1)!.path)).buffer, 0));
    last.flush();
    assert.equal(last.getInfo().audioTracks.length, 1);
  });
}

test("mp4-recording: pictures are shown to the last one, though it is shown after the last one is decoded", async (t) => {
  const box = await dvrOf(t, "s.mp4");
  await write(box, await seconds(4, { bFrames: 2, audio: "none" }));
  const file = createFile(false);
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(readFileSync(join(box.folder, "s.mp4"))).buffer, 0));
  file.flush();
  const [track] = file.getInfo().tracks;
  const last = Math.max(...file.getTrackSamplesInfo(1).map(({ cts, duration }) => cts + duration));
  const shownMs = track!.edits!.map(({ segment_duration, media_time }) => [segment_duration, media_time]);
  assert.deepEqual([last / 90, track!.movie_duration], [4080, 4080]);
  assert.deepEqual(
    shownMs,
    [
      [80, -1],
      [4000, 80 * 90],
    ],
    "nothing for as long as the first picture is late, then all",
  );
});

/** Fails unless each sample ends where the next begins, and lies behind it in the file or in another chunk. */
function assertJoined(samples: readonly Sample[]): void {
  assert.ok(samples.length > 100);
  samples.forEach((sample, index) => {
    const next = samples[index + 1];
    if (next !== undefined) assert.equal(next.dts, sample.dts + sample.duration);
    if (next !== undefined) assert.ok(next.offset >= sample.offset + sample.size);
  });
  assert.equal(samples[0]!.is_sync, true);
}

test("mp4-recording: an MP4 of hours, with pictures of every distance between decoding and display, is finished", async (t) => {
  const [config, key, ...rest] = (await clip({ seconds: 1, audio: "none", bFrames: 2 })).filter(({ type }) => type === 9);
  const pictures = [key!, ...rest.slice(0, 8)].map(({ payload }) => payload.subarray(0, 64)).map(shortened);
  const media = [config!, ...Array.from({ length: 80_000 }, (_, at) => ({ type: 9, timestamp: at * 40, payload: pictures[at % 9]! }))];
  const box = await dvrOf(t, "s.mp4");
  await write(box, media);
  assert.deepEqual(
    box.told.filter(({ level }) => level === "error"),
    [],
  );
  assert.equal(box.finished.length, 1);
  const file = createFile(false);
  file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(new Uint8Array(readFileSync(join(box.folder, "s.mp4"))).buffer, 0));
  file.flush();
  assert.equal(file.getTrackSamplesInfo(1).length, 80_000);
});

/** A picture that was cut off, with the length that it has now. */
function shortened(payload: Buffer): Buffer {
  const short = Buffer.from(payload);
  short.writeUInt32BE(short.length - 9, 5);
  return short;
}
