import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ChunkReader, maxChunkStreams, maxDataBytes, maxMediaBytes } from "../../../../src/codec/rtmp/chunk-reader.js";
import { maxPendingBytes } from "../../../../src/codec/rtmp/payloads.js";
import { messageType } from "../../../../src/codec/rtmp/message.js";
import { throwsOnly } from "../hex.js";
import { abort, chunk, pattern, read, setChunkSize, whole } from "./chunks.js";

const { audio, video, data, command, aggregate } = messageType;
const codes = ["RTMP_CHUNK_HEADER", "RTMP_CHUNK_SIZE", "RTMP_CHUNK_STREAMS", "RTMP_MESSAGE_SIZE", "RTMP_MEMORY"];
const ten = pattern(10);

for (const size of [0, 1, 127, 0x80000000, 0xffffffff]) {
  test(`chunk reader: a chunk size of ${size} is refused`, () => {
    assert.throws(() => read(setChunkSize(size)), { code: "RTMP_CHUNK_SIZE" });
  });
}

test("chunk reader: a chunk size without its number is refused", () => {
  assert.throws(() => read(whole(2, messageType.setChunkSize, 0, Buffer.alloc(3))), { code: "RTMP_CHUNK_SIZE" });
  assert.throws(() => read(whole(2, messageType.setChunkSize, 0, Buffer.alloc(0))), { code: "RTMP_CHUNK_SIZE" });
});

test("chunk reader: an abort without its number is passed over", () => {
  assert.equal(read(whole(2, messageType.abort, 0, Buffer.alloc(3)), whole(4, audio, 0, ten)).length, 1);
});

test("chunk reader: a connection may use 64 chunk streams and no more", () => {
  const headers = Array.from({ length: maxChunkStreams }, (_, i) => whole(2 + i * 500, audio, i, ten));
  assert.equal(read(...headers).length, maxChunkStreams);
  assert.throws(() => read(...headers, whole(65_599, audio, 0, ten)), { code: "RTMP_CHUNK_STREAMS" });
});

for (const fmt of [1, 2, 3] as const) {
  test(`chunk reader: a chunk stream that opens with fmt ${fmt} is refused`, () => {
    assert.throws(() => read(chunk({ csid: 4, fmt, length: 10, payload: ten })), { code: "RTMP_CHUNK_HEADER", message: /opens with fmt/ });
  });
}

for (const fmt of [2, 3] as const) {
  test(`chunk reader: the control stream may not open with fmt ${fmt} either`, () => {
    assert.throws(() => read(chunk({ csid: 2, fmt, payload: ten })), { code: "RTMP_CHUNK_HEADER" });
  });
}

for (const fmt of [0, 1, 2] as const) {
  test(`chunk reader: a new header (fmt ${fmt}) inside a message is refused, whatever length it announces`, () => {
    const opening = chunk({ csid: 4, fmt: 0, length: 200, payload: pattern(128) });
    for (const length of [10, 200, 100_000]) {
      assert.throws(() => read(opening, chunk({ csid: 4, fmt, length, payload: ten })), {
        code: "RTMP_CHUNK_HEADER",
        message: /inside a message/,
      });
    }
  });
}

for (const [type, most] of [
  [audio, maxMediaBytes],
  [video, maxMediaBytes],
  [aggregate, maxMediaBytes],
  [data, maxDataBytes],
  [command, maxDataBytes],
  [messageType.userControl, maxDataBytes],
  [99, maxDataBytes],
] as const) {
  test(`chunk reader: a message of type ${type} may announce ${most} bytes and no more`, () => {
    assert.deepEqual(read(chunk({ csid: 6, fmt: 0, type, length: most })), []);
    assert.throws(() => read(chunk({ csid: 6, fmt: 0, type, length: most + 1 })), { code: "RTMP_MESSAGE_SIZE" });
    assert.throws(() => read(chunk({ csid: 6, fmt: 0, type, length: 0xffffff })), { code: "RTMP_MESSAGE_SIZE" });
  });
}

test("chunk reader: the longest message is read whole", () => {
  const payload = pattern(maxMediaBytes);
  const messages = read(setChunkSize(0xffffff), whole(6, video, 0, payload));
  assert.equal(messages.length, 1);
  assert.ok(messages[0]?.payload.equals(payload));
});

test("chunk reader: a length that fmt 1 changes is checked as well", () => {
  assert.throws(() => read(whole(6, video, 0, ten), chunk({ csid: 6, fmt: 1, type: video, length: maxMediaBytes + 1 })), {
    code: "RTMP_MESSAGE_SIZE",
  });
  assert.throws(() => read(whole(6, video, 0, pattern(100)), chunk({ csid: 6, fmt: 1, type: data, length: maxDataBytes + 1 })), {
    code: "RTMP_MESSAGE_SIZE",
  });
});

test("chunk reader: announcing large messages on every chunk stream takes little memory", () => {
  const before = process.memoryUsage().arrayBuffers;
  const announcements = Array.from({ length: maxChunkStreams }, (_, i) =>
    chunk({ csid: 2 + i, fmt: 0, type: video, length: maxMediaBytes, payload: pattern(128) }),
  );
  assert.deepEqual(read(...announcements), []);
  assert.ok(process.memoryUsage().arrayBuffers - before < 8 << 20);
});

test("chunk reader: unfinished messages may take 16 MiB together and no more", () => {
  const part = pattern(4 << 20);
  const reader = new ChunkReader(() => assert.fail("no message is complete"));
  reader.push(setChunkSize(part.length));
  const begin = (csid: number): number => reader.push(chunk({ csid, fmt: 0, type: video, length: part.length + 1, payload: part }));
  begin(10);
  begin(11);
  assert.throws(
    () => {
      for (let csid = 12; csid < 16; csid++) begin(csid);
    },
    { code: "RTMP_MEMORY", message: new RegExp(`more than ${maxPendingBytes} bytes`) },
  );
});

test("chunk reader: finished and aborted messages give their memory back", () => {
  const payload = pattern(3 << 20);
  let messages = 0;
  const reader = new ChunkReader(() => void messages++);
  reader.push(setChunkSize(payload.length));
  for (let i = 0; i < 20; i++) {
    reader.push(chunk({ csid: 10, fmt: 0, type: video, length: payload.length + 1, payload }));
    reader.push(abort(10));
    reader.push(whole(11, video, i, payload));
  }
  assert.equal(messages, 20);
});

test("chunk reader: any bytes are read or refused with one of its codes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (pieces) => {
      throwsOnly(codes, () => void read(...pieces.map((piece) => Buffer.from(piece))));
    }),
    { numRuns: 2000 },
  );
});

const chunks = fc
  .record({
    csid: fc.constantFrom(2, 3, 4, 6, 64, 400),
    fmt: fc.constantFrom(0, 1, 2, 3),
    time: fc.constantFrom(0, 40, 0xfffffe, 0xffffff),
    length: fc.constantFrom(0, 1, 4, 127, 128, 129, 300, 0xffffff),
    type: fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 9, 18, 20, 22),
    payload: fc.uint8Array({ maxLength: 130 }).map((bytes) => Buffer.from(bytes)),
  })
  .map((fields) => chunk(fields as Parameters<typeof chunk>[0]));

test("chunk reader: any chunks in any pieces are read alike, or refused alike with one of its codes", () => {
  const outcome = (pieces: readonly Buffer[]): unknown => {
    const seen: unknown[] = [];
    const reader = new ChunkReader(({ type, timestamp, payload }) => void seen.push([type, timestamp, payload.toString("hex")]));
    throwsOnly(codes, () => {
      for (const piece of pieces) reader.push(piece);
    });
    return seen;
  };
  fc.assert(
    fc.property(fc.array(chunks, { maxLength: 12 }), fc.integer({ min: 1, max: 40 }), (list, size) => {
      const bytes = Buffer.concat(list);
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
      assert.deepEqual(outcome(pieces), outcome([bytes]));
    }),
    { numRuns: 2000 },
  );
});
