import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  flvContainer,
  flvStart,
  rtmpContainer,
  webSocketContainer,
  webSocketStart,
  withoutFraming,
} from "../../../src/stream/container.js";
import { makePacket, type Packet } from "../../../src/stream/packet.js";
import { encodeAmf } from "../../../src/codec/rtmp/amf0.js";
import { hex } from "../codec/hex.js";
import { read, setChunkSize } from "../codec/rtmp/chunks.js";

const packets: Packet[] = [
  makePacket(18, 0, hex("02 00 01 41")),
  makePacket(9, 40, hex("17 01 00 00 00")),
  makePacket(8, 0x1234567, Buffer.alloc(70_000, 0xaf)),
];

/** The data of a body in HTTP's chunked coding, read strictly (RFC 9112 section 7.1); the body has no last chunk. */
function unchunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < body.length) {
    const end = body.indexOf("\r\n", at);
    const size = body.toString("latin1", at, end);
    assert.match(size, /^[0-9a-f]{1,8}$/);
    const bytes = Number.parseInt(size, 16);
    assert.notEqual(bytes, 0, "a chunk of 0 bytes would end the body");
    parts.push(body.subarray(end + 2, end + 2 + bytes));
    at = end + 2 + bytes;
    assert.equal(body.toString("latin1", at, at + 2), "\r\n");
    at += 2;
  }
  assert.equal(at, body.length);
  return Buffer.concat(parts);
}

/** The tags of an FLV body without its header: type, time, payload. */
function tags(bytes: Buffer): [type: number, timestamp: number, payload: Buffer][] {
  const found: [number, number, Buffer][] = [];
  let at = 0;
  while (at < bytes.length) {
    const length = bytes.readUIntBE(at + 1, 3);
    const payload = bytes.subarray(at + 11, at + 11 + length);
    assert.equal(payload.length, length);
    assert.equal(bytes.readUInt32BE(at + 11 + length), length + 11);
    found.push([bytes[at]!, bytes.readUIntBE(at + 4, 3) + bytes[at + 7]! * 0x1000000, payload]);
    at += 15 + length;
  }
  return found;
}

const tagged = packets.map(({ type, timestamp, payload }) => [type, timestamp, payload]);

for (const chunkSize of [128, 4096, 60_000]) {
  test(`container: RTMP for players with a chunk size of ${chunkSize}`, () => {
    const messages = read(setChunkSize(chunkSize), rtmpContainer(chunkSize)(packets));
    assert.deepEqual(
      messages.map(({ type, timestamp, payload }) => [type, timestamp, payload]),
      tagged,
    );
    assert.ok(messages.every(({ streamId }) => streamId === 1));
  });
}

test("container: what RTMP yields is valid wherever it is put", () => {
  const joined = rtmpContainer(60_000)(packets);
  assert.equal(read(setChunkSize(60_000), joined, joined, rtmpContainer(60_000)(packets.slice(1))).length, 8);
});

test("container: FLV tags are one chunk of HTTP's chunked coding", () => {
  const framed = flvContainer(packets);
  assert.deepEqual(tags(unchunked(framed)), tagged);
  assert.deepEqual(tags(unchunked(Buffer.concat([framed, framed]))), [...tagged, ...tagged]);
});

test("container: the framing can be left away, without a copy", () => {
  const framed = flvContainer(packets);
  const bare = withoutFraming(framed);
  assert.deepEqual(bare, unchunked(framed));
  assert.equal(bare.buffer, framed.buffer);
});

test("container: the FLV header comes in the same framing", () => {
  const header = hex('"FLV" 01 05 00 00 00 09 00 00 00 00');
  assert.deepEqual(unchunked(flvStart(true, true)), header);
  assert.deepEqual(withoutFraming(flvStart(true, true)), header);
  assert.equal(unchunked(flvStart(true, false))[4], 4);
  assert.equal(unchunked(flvStart(false, true))[4], 1);
});

/** The payloads of binary frames of a server, read strictly (RFC 6455 section 5.2). */
function unframed(bytes: Buffer): Buffer {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < bytes.length) {
    assert.equal(bytes[at], 0x82, "a binary message in one frame");
    const first = bytes.readUInt8(at + 1); // the mask's bit would make it more than 127
    const [size, head] =
      first < 126 ? [first, 2] : first === 126 ? [bytes.readUInt16BE(at + 2), 4] : [Number(bytes.readBigUInt64BE(at + 2)), 10];
    assert.ok(first < 128 && size >= (first < 126 ? 0 : first === 126 ? 126 : 65_536), "the shortest form of the length");
    parts.push(bytes.subarray(at + head, at + head + size));
    at += head + size;
  }
  assert.equal(at, bytes.length);
  return Buffer.concat(parts);
}

for (const payloadBytes of [1, 110, 111, 65_520, 65_521, 200_000]) {
  test(`container: WebSocket has the same tags in one frame, with a payload of ${payloadBytes} bytes`, () => {
    const packet = makePacket(9, 40, Buffer.alloc(payloadBytes, 0x17));
    const framed = webSocketContainer([packet]);
    assert.deepEqual(tags(unframed(Buffer.concat([framed, webSocketContainer([packet])]))).length, 2);
    assert.deepEqual(unframed(framed), withoutFraming(flvContainer([packet])));
  });
}

test("container: WebSocket has the same file header", () => {
  assert.deepEqual(unframed(webSocketStart(true, true)), withoutFraming(flvStart(true, true)));
});

test("container: no container changes or keeps the packets' memory", () => {
  const packet = makePacket(9, 40, hex("17 01 00 00 00"));
  for (const container of [rtmpContainer(128), flvContainer, webSocketContainer]) {
    container([packet]).fill(0xee);
    assert.deepEqual(packet.payload, hex("17 01 00 00 00"));
  }
});

test("container: any packets are framed so that they are read back", () => {
  const anyPacket = fc
    .tuple(fc.constantFrom(8 as const, 9 as const, 18 as const), fc.nat(0xffffffff), fc.uint8Array({ minLength: 1, maxLength: 300 }))
    .map(([type, timestamp, payload]) => makePacket(type, timestamp, Buffer.from(payload)));
  fc.assert(
    fc.property(fc.array(anyPacket, { minLength: 1, maxLength: 10 }), (list) => {
      const expected = list.map(({ type, timestamp, payload }) => [type, timestamp, payload]);
      assert.deepEqual(tags(unchunked(flvContainer(list))), expected);
      assert.deepEqual(
        read(rtmpContainer(128)(list)).map(({ type, timestamp, payload }) => [type, timestamp, payload]),
        expected,
      );
    }),
  );
});

test("container: metadata has no time in either, wherever in a stream it stands", () => {
  const packet = makePacket(18, 0x1234567, encodeAmf("onMetaData", {}));
  assert.deepEqual(
    read(setChunkSize(4096), rtmpContainer(4096)([packet])).map(({ timestamp }) => timestamp),
    [0],
  );
  assert.deepEqual(tags(withoutFraming(flvContainer([packet]))), [[18, 0, packet.payload]]);
});
