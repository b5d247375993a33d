import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { writeMessages } from "../../../../src/codec/rtmp/chunk-writer.js";
import type { Message } from "../../../../src/codec/rtmp/message.js";
import { Excerpt, plainManner, type Manner } from "../../../../src/server/rtmp/excerpt.js";
import { setChunkSize } from "../../codec/rtmp/chunks.js";
import { headers, step, videoFrame } from "../../../helpers/media.js";
import type { Media } from "../../../helpers/rtmp-client.js";

const chunkSize = 300;
const data: Media = { type: 18, timestamp: 0, payload: Buffer.from("anything") };
const onFirst = (media: readonly Media[]): Message[] => media.map((one) => ({ ...one, streamId: 1 }));

/** What passes of a batch, as a client reads it. */
function passed(excerpt: Excerpt, media: readonly Media[]): Message[] {
  const read: Message[] = [];
  const reader = new ChunkReader((message) => void (message.type !== 1 && read.push(message)));
  reader.push(setChunkSize(chunkSize));
  reader.push(excerpt.take(writeMessages(onFirst(media), chunkSize)));
  return read;
}

const excerptOf = (manner: Partial<Manner>, streamId = 1): Excerpt => new Excerpt(streamId, chunkSize, { ...plainManner, ...manner });

test("excerpt: on another message stream everything is the same but for its number, whatever it is", () => {
  const messages = fc.array(
    fc.record({
      type: fc.constantFrom(8, 9, 18),
      timestamp: fc.oneof(fc.nat(5000), fc.integer({ min: 0xfffff0, max: 0xffffffff })),
      payload: fc.uint8Array({ minLength: 1, maxLength: 1000 }).map((bytes) => Buffer.from(bytes)),
    }),
    { maxLength: 10 },
  );
  fc.assert(
    fc.property(messages, (media) => {
      assert.deepEqual(
        passed(excerptOf({}, 7), media),
        media.map((one) => ({ ...one, streamId: 7 })),
      );
    }),
  );
});

test("excerpt: the batch that all others get stays as it is", () => {
  const batch = writeMessages(onFirst(step("avc", "aac", 0)), chunkSize);
  const before = Buffer.from(batch);
  excerptOf({ hasAudio: false }, 2).take(batch);
  assert.deepEqual(batch, before);
});

const film: readonly Media[] = [data, ...headers("avc", "aac"), ...step("avc", "aac", 0), ...step("avc", "aac", 1)];
const wanted: readonly (readonly [what: string, manner: Partial<Manner>, kept: (media: Media) => boolean])[] = [
  ["without sound its header passes, and all else", { hasAudio: false }, ({ type, payload }) => type !== 8 || payload[1] === 0],
  ["without pictures their header passes, and all else", { video: "none" }, ({ type, payload }) => type !== 9 || payload[1] === 0],
];

for (const [what, manner, kept] of wanted) {
  test(`excerpt: ${what}`, () => assert.deepEqual(passed(excerptOf(manner), film), onFirst(film.filter(kept))));
}

test("excerpt: pictures that are wanted again begin with a key frame, and go on from batch to batch", () => {
  const excerpt = excerptOf({ video: "later" });
  const frames = (from: number, to: number): Media[] =>
    Array.from({ length: to - from }, (_, i) => videoFrame("avc", from + i, (from + i) * 40));
  assert.deepEqual(passed(excerpt, frames(20, 24)), []);
  assert.deepEqual(passed(excerpt, frames(24, 27)), onFirst(frames(25, 27)));
  assert.deepEqual(passed(excerpt, frames(27, 30)), onFirst(frames(27, 30)));
  assert.ok(excerpt.isPlain);
});

test("excerpt: a length counts from the first sound or picture on, across the turn of the clock, and nothing passes behind it", () => {
  const excerpt = excerptOf({ durationMs: 80 });
  const at = (timestamp: number): Media => ({ ...videoFrame("avc", 0, 0), timestamp: timestamp >>> 0 });
  assert.deepEqual(passed(excerpt, [data]), onFirst([data]));
  assert.equal(excerpt.manner.sinceMs, null);
  assert.deepEqual(passed(excerpt, [at(-40), at(0)]), onFirst([at(-40), at(0)]));
  assert.deepEqual(passed(excerpt, [at(39), at(40), data, at(20)]), onFirst([at(39)]));
  assert.equal(excerpt.isOver, true);
  assert.deepEqual(passed(excerpt, film), []);
});

test("excerpt: one that goes on elsewhere counts from where it began", () => {
  const first = excerptOf({ durationMs: 100 });
  passed(first, [videoFrame("avc", 0, 1000)]);
  const second = new Excerpt(1, chunkSize, JSON.parse(JSON.stringify(first.manner)) as Manner);
  assert.equal(passed(second, [videoFrame("avc", 1, 1040), videoFrame("avc", 2, 1080), videoFrame("avc", 3, 1120)]).length, 2);
});
