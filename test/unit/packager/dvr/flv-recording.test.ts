// What players of others say of recordings as FLV, of every kind of stream, and the index that players seek by: each of its entries is
// held to the tag that it names.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { asObject, decodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { FlvReader, type FlvTag } from "../../../../src/codec/flv-reader.js";
import { isFrame, makePacket } from "../../../../src/stream/packet.js";
import { run } from "../../../helpers/child.js";
import { clip } from "../../../helpers/clips.js";
import { findFfmpeg, findFfprobe } from "../../../helpers/ffmpeg.js";
import { clipSums, pictureSums, repeated } from "../../../helpers/packages.js";
import type { Media } from "../../../helpers/rtmp-client.js";
import { dvrOf, leastSeconds, packetOf, write } from "../direct.js";

function tagsOf(file: Buffer): (FlvTag & { readonly at: number })[] {
  const tags: (FlvTag & { at: number })[] = [];
  let at = 13;
  const reader = new FlvReader((tag) => {
    tags.push({ ...tag, at });
    at += tag.payload.length + 15;
  });
  reader.push(file);
  return tags;
}

function descriptionOf(file: Buffer): AmfObject {
  return asObject(decodeAmf(tagsOf(file)[0]!.payload)[1])!;
}

/** The index of a file, each entry of which is held to the tag that it names. */
function indexOf(file: Buffer): { times: number[]; every: number } {
  const { times, filepositions } = asObject(descriptionOf(file)["keyframes"])! as { times: number[]; filepositions: number[] };
  const tags = new Map(tagsOf(file).map((tag) => [tag.at, makePacket(9, tag.timestamp, tag.payload)]));
  assert.equal(times.length, filepositions.length);
  assert.equal(tags.get(filepositions[0]!)!.isHeader, true, "first what describes the pictures");
  filepositions.forEach((at, index) => {
    const tag = tags.get(at);
    assert.equal(tag?.timestamp, Math.round(times[index]! * 1000));
    if (index > 0) assert.equal(tag?.isKeyFrame, true);
  });
  const keyFrames = [...tags.values()].filter(({ isKeyFrame }) => isKeyFrame).length;
  return { times, every: Math.ceil(keyFrames / (times.length - 1)) };
}

async function seconds(count: number, options: Partial<Parameters<typeof clip>[0]> = {}): Promise<Media[]> {
  return repeated(await clip({ seconds: 2, ...options }), count / 2, 2000);
}

/** Of one kind, as ffprobe reads them: when each is decoded (ms), and its bytes. */
async function packetsOf(path: string, kind: "video" | "audio"): Promise<[number, number][]> {
  const args = ["-v", "error", "-select_streams", kind[0]!, "-show_entries", "packet=dts_time,size", "-of", "csv=print_section=0", path];
  const lines = (await run(findFfprobe(), args, 30_000)).split("\n").filter((line) => line !== "");
  return lines.map((line) => line.split(",").map(Number)).map(([at = Number.NaN, bytes = 0]) => [Math.round(at * 1000), bytes]);
}

/** The same, as it was sent from the first picture on: a frame is behind the head that FLV gives it. */
function sentOf(media: readonly Media[], type: number, headBytes: number): [number, number][] {
  const frames = media.filter((one) => isFrame(packetOf(one)));
  const start = Math.max(
    0,
    frames.findIndex((one) => one.type === 9),
  );
  const startMs = frames[start]!.timestamp;
  const wanted = frames.slice(start).filter((one) => one.type === type);
  return wanted.map(({ timestamp, payload }) => [timestamp - startMs, payload.length - headBytes]);
}

for (const { name, options, audioHeadBytes } of [
  { name: "H.264 with B-frames, and AAC", options: { bFrames: 2 }, audioHeadBytes: 2 },
  { name: "H.264 and MP3", options: { audio: "mp3" as const }, audioHeadBytes: 1 },
  { name: "AAC alone", options: { video: "none" as const }, audioHeadBytes: 2 },
  { name: "pictures alone", options: { audio: "none" as const }, audioHeadBytes: 2 },
]) {
  test(`flv-recording: an FLV of ${name} has every frame at its time to ffprobe, and lasts as long as the stream`, async (t) => {
    const length = Math.max(6, leastSeconds);
    const media = await seconds(length, options);
    const box = await dvrOf(t, "s.flv");
    await write(box, media);
    const path = join(box.folder, "s.flv");
    assert.deepEqual(await packetsOf(path, "video"), sentOf(media, 9, 5));
    assert.deepEqual(await packetsOf(path, "audio"), sentOf(media, 8, audioHeadBytes));
    const told = await run(findFfprobe(), ["-v", "error", "-show_entries", "format=duration", "-of", "csv=print_section=0", path], 30_000);
    assert.ok(Math.abs(Number(told) - length) < 0.1, `${told} s of ${length}`);
    if (media.every(({ type }) => type === 8)) return;
    assert.deepEqual(await pictureSums(readFileSync(path), "flv"), await clipSums(media));
    assert.ok(indexOf(readFileSync(path)).times.at(-1)! >= length - 1 - length / 100);
  });
}

// The npm package's ffmpeg reads no H.265 in FLV.
test("flv-recording: an FLV of H.265 and AAC has every frame as it was sent", async (t) => {
  const media = await seconds(Math.max(6, leastSeconds), { video: "h265" });
  const box = await dvrOf(t, "s.flv");
  await write(box, media);
  const tags = tagsOf(readFileSync(join(box.folder, "s.flv"))).filter(({ type }) => type !== 18);
  const shown = (one: Media): string => `${one.timestamp} ${createHash("sha1").update(one.payload).digest("hex")}`;
  for (const wanted of [9, 8]) {
    const of = (all: readonly Media[]): string[] => all.filter((one) => one.type === wanted && isFrame(packetOf(one))).map(shown);
    assert.deepEqual(of(tags), of(media));
  }
});

test("flv-recording: an FLV has an index of its key frames, by which ffmpeg seeks", async (t) => {
  const media = await seconds(8);
  const box = await dvrOf(t, "s.flv");
  await write(box, media);
  const path = join(box.folder, "s.flv");
  const file = readFileSync(path);
  assert.deepEqual(indexOf(file).times.slice(1), [0, 1, 2, 3, 4, 5, 6, 7]);
  const { duration, filesize, hasKeyframes } = descriptionOf(file);
  assert.deepEqual([filesize, hasKeyframes, Math.round(Number(duration))], [file.length, true, 8]);
  const sought = await run(findFfmpeg(), ["-v", "error", "-xerror", "-ss", "5", "-i", path, "-map", "0:v", "-f", "framemd5", "-"], 30_000);
  const sums = sought.split("\n").filter((line) => line.startsWith("0,"));
  assert.equal(sums.length, 75, "three seconds of pictures");
  assert.deepEqual(await pictureSums(file, "flv"), await clipSums(media));
});

test("flv-recording: an FLV that was left by its writer gets its index when it is finished, of all that is whole", async (t) => {
  const media = await seconds(6);
  const box = await dvrOf(t, "s.flv");
  box.output.begin(1, []);
  for (const one of media) box.output.push(packetOf(one));
  await box.output.close(false);
  const path = join(box.folder, "s.flv");
  assert.equal(descriptionOf(readFileSync(`${path}.tmp`))["keyframes"], undefined, "none while it grows");
  truncateSync(`${path}.tmp`, readFileSync(`${path}.tmp`).length - 100);
  const next = await box.again();
  next.output.end();
  await next.output.close(true);
  assert.deepEqual(
    next.finished.map((one) => one.path),
    [path],
  );
  assert.deepEqual(indexOf(readFileSync(path)).times.slice(1), [0, 1, 2, 3, 4, 5]);
  await pictureSums(readFileSync(path), "flv");
});

test("flv-recording: an index has room for a recording of any length, with every so many-th key frame", async (t) => {
  const [config, key] = (await clip({ seconds: 1, audio: "none", gop: 1 })).filter(({ type }) => type === 9);
  const media = [config!, ...Array.from({ length: 4500 }, (_, index) => ({ ...key!, timestamp: index * 1000 }))];
  const box = await dvrOf(t, "s.flv");
  await write(box, media);
  const { times, every } = indexOf(readFileSync(join(box.folder, "s.flv")));
  assert.equal(every, 8);
  assert.deepEqual(times.slice(1, 4), [0, 8, 16]);
  assert.equal(times.at(-1), 4496);
});

test("flv-recording: what an encoder says of key frames of its own is not taken for ours", async (t) => {
  const media = await seconds(2);
  const box = await dvrOf(t, "again.flv");
  const first = await dvrOf(t, "s.flv");
  await write(first, media);
  const [described] = tagsOf(readFileSync(join(first.folder, "s.flv")));
  await write(box, [described!, ...media]);
  assert.equal(indexOf(readFileSync(join(box.folder, "again.flv"))).times.length, 3);
});
