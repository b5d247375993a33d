import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { chunkedBytes, readdress, writeMessage, writeMessages, writtenAt } from "../../../../src/codec/rtmp/chunk-writer.js";
import { chunkStreamOf, messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { hex } from "../hex.js";
import { pattern, read, setChunkSize } from "./chunks.js";

const { audio, video, data, command, userControl, aggregate } = messageType;

const rows: { name: string; message: Message; chunkSize: number; bytes: Buffer }[] = [
  {
    name: "a message that fits",
    message: { type: audio, streamId: 1, timestamp: 1000, payload: hex("af 01") },
    chunkSize: 128,
    bytes: hex("04 00 03 e8 00 00 02 08 01 00 00 00 af 01"),
  },
  {
    name: "a message without a payload",
    message: { type: audio, streamId: 1, timestamp: 0, payload: Buffer.alloc(0) },
    chunkSize: 128,
    bytes: hex("04 00 00 00 00 00 00 08 01 00 00 00"),
  },
  {
    name: "a message that fills its chunk has no second one",
    message: { type: video, streamId: 1, timestamp: 0, payload: pattern(4) },
    chunkSize: 4,
    bytes: Buffer.concat([hex("06 00 00 00 00 00 04 09 01 00 00 00"), pattern(4)]),
  },
  {
    name: "a message that is longer goes on with fmt 3",
    message: { type: video, streamId: 1, timestamp: 1, payload: hex("01 02 03 04 05") },
    chunkSize: 2,
    bytes: hex("06 00 00 01 00 00 05 09 01 00 00 00 01 02 c6 03 04 c6 05"),
  },
  {
    name: "the last time without an extended timestamp",
    message: { type: audio, streamId: 1, timestamp: 0xfffffe, payload: hex("01") },
    chunkSize: 128,
    bytes: hex("04 ff ff fe 00 00 01 08 01 00 00 00 01"),
  },
  {
    name: "an extended timestamp, repeated in every chunk",
    message: { type: audio, streamId: 1, timestamp: 0xffffff, payload: hex("01 02 03") },
    chunkSize: 2,
    bytes: hex("04 ff ff ff 00 00 03 08 01 00 00 00 00 ff ff ff 01 02 c4 00 ff ff ff 03"),
  },
  {
    name: "a time past 2³² wraps",
    message: { type: audio, streamId: 1, timestamp: 0x100000005, payload: hex("01") },
    chunkSize: 128,
    bytes: hex("04 00 00 05 00 00 01 08 01 00 00 00 01"),
  },
  {
    name: "the stream id is little-endian",
    message: { type: data, streamId: 0x01020304, timestamp: 0, payload: hex("05") },
    chunkSize: 128,
    bytes: hex("07 00 00 00 00 00 01 12 04 03 02 01 05"),
  },
];

for (const { name, message, chunkSize, bytes } of rows) {
  test(`chunk writer: ${name}`, () => {
    assert.deepEqual(writeMessages([message], chunkSize), bytes);
    assert.equal(chunkedBytes(message.payload.length, message.timestamp, chunkSize), bytes.length);
  });
}

test("chunk writer: a message is written where it is told to, and nowhere else", () => {
  const message = { type: audio, streamId: 1, timestamp: 1000, payload: hex("af 01") };
  const out = Buffer.alloc(20, 0xee);
  assert.equal(writeMessage(out, 3, message, 128), 17);
  assert.deepEqual(out, hex("ee ee ee 04 00 03 e8 00 00 02 08 01 00 00 00 af 01 ee ee ee"));
});

test("chunk writer: no messages are no bytes", () => assert.equal(writeMessages([], 128).length, 0));

test("chunk writer: every kind of message has a chunk stream of its own", () => {
  assert.equal(chunkStreamOf(userControl, 0), 2);
  assert.equal(chunkStreamOf(messageType.setChunkSize, 0), 2);
  assert.equal(chunkStreamOf(command, 0), 3);
  assert.equal(chunkStreamOf(command, 1), 5);
  assert.equal(chunkStreamOf(messageType.commandAmf3, 1), 5);
  assert.equal(chunkStreamOf(audio, 1), 4);
  assert.equal(chunkStreamOf(video, 1), 6);
  assert.equal(chunkStreamOf(aggregate, 1), 6);
  assert.equal(chunkStreamOf(data, 1), 7);
  assert.equal(chunkStreamOf(messageType.dataAmf3, 1), 7);
});

const messages = fc.record(
  {
    type: fc.constantFrom(audio, video, data, command, userControl, 99),
    streamId: fc.constantFrom(0, 1, 5, 0xffffffff),
    timestamp: fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 0xfffffe, 0xffffff, 0x1000000, 0xffffffff)),
    payload: fc.oneof(fc.nat(600), fc.constantFrom(0, 1, 127, 128, 129, 255, 256, 257, 70_000)).map((length) => pattern(length, length)),
  },
  { noNullPrototype: true },
);

test("chunk writer: the chunk reader reads whatever was written", () => {
  fc.assert(
    fc.property(
      fc.array(messages, { maxLength: 8 }),
      fc.oneof(fc.integer({ min: 128, max: 700 }), fc.constantFrom(4096, 60_000, 0xffffff)),
      (list, chunkSize) => {
        assert.deepEqual(read(setChunkSize(chunkSize), writeMessages(list, chunkSize)), list);
      },
    ),
    { numRuns: 500 },
  );
});

const anyMessage = fc.record({
  type: fc.constantFrom(audio, video, data),
  streamId: fc.constant(1),
  timestamp: fc.oneof(fc.nat(100_000), fc.integer({ min: 0xfffff0, max: 0xffffffff })),
  payload: fc.uint8Array({ maxLength: 700 }).map((bytes) => Buffer.from(bytes)),
});

test("chunk writer: what it has written is found again, message by message, and can be given to another stream", () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 8 }), fc.integer({ min: 128, max: 300 }), (list, chunkSize) => {
      const bytes = writeMessages(list, chunkSize);
      let at = 0;
      for (const { type, timestamp, payload } of list) {
        const found = writtenAt(bytes, at, chunkSize);
        assert.deepEqual([found.type, found.timestamp], [type, timestamp]);
        const first = payload.subarray(0, chunkSize);
        assert.deepEqual(bytes.subarray(found.body, found.body + first.length), first);
        readdress(bytes, at, 5);
        at = found.end;
      }
      assert.equal(at, bytes.length);
      assert.deepEqual(
        bytes,
        writeMessages(
          list.map((message) => ({ ...message, streamId: 5 })),
          chunkSize,
        ),
      );
    }),
  );
});
