// The index that players of FLV seek by: each of its entries is held to the tag that it names, and ffmpeg seeks by it.
import assert from "node:assert/strict";
import { readFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { asObject, decodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { FlvReader, type FlvTag } from "../../../../src/codec/flv-reader.js";
import { makePacket } from "../../../../src/stream/packet.js";
import { run } from "../../../helpers/child.js";
import { clip } from "../../../helpers/clips.js";
import { findFfmpeg } from "../../../helpers/ffmpeg.js";
import { clipSums, pictureSums, repeated } from "../../../helpers/packages.js";
import type { Media } from "../../../helpers/rtmp-client.js";
import { dvrOf, packetOf, write } from "../direct.js";

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

async function seconds(count: number): Promise<Media[]> {
  return repeated(await clip({ seconds: 2 }), count / 2, 2000);
}

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
