import assert from "node:assert/strict";
import { test } from "node:test";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { messageType } from "../../../../src/codec/rtmp/message.js";
import { abort, chunk, pattern, setChunkSize, whole } from "./chunks.js";

const { audio, video } = messageType;
const ten = pattern(10);

test("chunk reader: a stop ends the read behind the message, and the next read goes on there", () => {
  const types: number[] = [];
  const reader = new ChunkReader(({ type }) => {
    types.push(type);
    assert.equal(reader.stop(), true);
  });
  const bytes = Buffer.concat([whole(4, audio, 0, ten), whole(6, video, 0, ten)]);
  const used = reader.push(bytes);
  assert.deepEqual([used, types], [bytes.length / 2, [audio]]);
  assert.equal(reader.push(bytes.subarray(used)), bytes.length / 2);
  assert.deepEqual(types, [audio, video]);
});

test("chunk reader: there is no stopping while a message of another chunk stream is under way", () => {
  const stops: boolean[] = [];
  const reader = new ChunkReader(() => void stops.push(reader.stop()));
  const long = pattern(200);
  const bytes = Buffer.concat([
    chunk({ csid: 6, fmt: 0, type: video, length: 200, payload: long.subarray(0, 128) }),
    whole(4, audio, 0, ten),
    chunk({ csid: 6, fmt: 3, payload: long.subarray(128) }),
    whole(4, audio, 0, ten),
  ]);
  assert.equal(reader.push(bytes), bytes.length - 22);
  assert.deepEqual(stops, [false, true]);
});

test("chunk reader: there is no stopping among bytes that were read twice", () => {
  const long = pattern(129);
  const stops: boolean[] = [];
  const reader = new ChunkReader(() => void stops.push(reader.stop()));
  const bytes = Buffer.concat([
    chunk({ csid: 6, fmt: 0, time: 0xffffff, extended: 0x01020304, length: 129, type: video, payload: long.subarray(0, 128) }),
    chunk({ csid: 6, fmt: 3, payload: long.subarray(128) }),
    whole(4, audio, 0, ten),
  ]);
  let at = 0;
  while (at < bytes.length) at += reader.push(bytes.subarray(at, at + 1));
  assert.deepEqual(stops, [false, true]);
});

test("chunk reader: messages that change the reading are told to who asks for all", () => {
  const bytes = Buffer.concat([setChunkSize(4096), abort(6)]);
  const quiet: number[] = [];
  new ChunkReader(({ type }) => void quiet.push(type)).push(bytes);
  const told: number[] = [];
  const reader = new ChunkReader(({ type }) => void told.push(type), { tellsAll: true });
  reader.push(bytes);
  assert.deepEqual([quiet, told, reader.chunkSizeBytes], [[], [messageType.setChunkSize, messageType.abort], 4096]);
});

test("chunk reader: a message comes with its fmt and the header that the next one may refer to", () => {
  const seen: unknown[] = [];
  const reader = new ChunkReader((_message, { csid, timestamp, field, isDifference, length }, fmt) => {
    seen.push([fmt, csid, timestamp, field, isDifference, length]);
  });
  reader.push(
    Buffer.concat([
      chunk({ csid: 4, fmt: 0, time: 100, length: 10, payload: ten }),
      chunk({ csid: 4, fmt: 1, time: 20, length: 10, payload: ten }),
      chunk({ csid: 4, fmt: 3, payload: ten }),
      chunk({ csid: 4, fmt: 2, time: 5, payload: ten }),
    ]),
  );
  assert.deepEqual(seen, [
    [0, 4, 100, 100, false, 10],
    [1, 4, 120, 20, true, 10],
    [3, 4, 140, 20, true, 10],
    [2, 4, 145, 5, true, 10],
  ]);
  assert.deepEqual(
    reader.headers().map(({ csid, timestamp }) => [csid, timestamp]),
    [[4, 145]],
  );
});
