import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { DolphinError } from "../../../src/base/errors.js";
import { acceptFor, ClientFrames, closeFrame, frame, frameOf, isKey } from "../../../src/codec/websocket.js";
import { hex } from "./hex.js";

/** What a client's bytes make of it, cut into pieces of this size. */
function heard(bytes: Buffer, pieceBytes = bytes.length): string[] {
  const said: string[] = [];
  const frames = new ClientFrames({ onPing: (payload) => said.push(`ping ${payload.toString()}`), onClose: () => said.push("close") });
  for (let at = 0; at < bytes.length; at += pieceBytes) frames.push(bytes.subarray(at, at + pieceBytes));
  return said;
}

/** A masked frame of a client's. */
function masked(first: number, payload: Buffer, mask = Buffer.of(1, 2, 3, 4)): Buffer {
  const server = frameOf(first, payload);
  const head = Buffer.from(server.subarray(0, server.length - payload.length));
  head.writeUInt8(head.readUInt8(1) | 0x80, 1);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]);
}

test("websocket: the handshake's answer is the example's of RFC 6455 section 1.3", () => {
  assert.equal(acceptFor("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  assert.deepEqual(["dGhlIHNhbXBsZSBub25jZQ==", "", "dGhlIHNhbXBsZQ==", "dGhlIHNhbXBsZSBub25jZQ==\r\n"].map(isKey), [
    true,
    false,
    false,
    false,
  ]);
});

test("websocket: a server's frames are the examples of RFC 6455 section 5.7", () => {
  assert.deepEqual(frameOf(frame.pong, Buffer.from("Hello")), hex('8a 05 "Hello"'));
  assert.deepEqual(frameOf(frame.binary, Buffer.alloc(256)).subarray(0, 4), hex("82 7e 01 00"));
  assert.deepEqual(frameOf(frame.binary, Buffer.alloc(65_536)).subarray(0, 10), hex("82 7f 00 00 00 00 00 01 00 00"));
  assert.deepEqual(closeFrame(1001), hex("88 02 03 e9"));
});

test("websocket: pings and the close are heard, whatever stands between and wherever the bytes are cut", () => {
  const bytes = Buffer.concat([
    masked(0x89, Buffer.from("one")),
    masked(0x81, Buffer.from("text")),
    masked(0x02, Buffer.alloc(300)), // in two pieces, with a ping between
    masked(0x89, Buffer.alloc(125, 0x61)),
    masked(0x80, Buffer.alloc(70_000)),
    masked(0x8a, Buffer.from("a pong that nobody asked for")),
    masked(0x89, Buffer.alloc(0)),
    masked(0x88, Buffer.of(3, 232)),
  ]);
  const all = ["ping one", `ping ${"a".repeat(125)}`, "ping ", "close"];
  for (const pieceBytes of [1, 2, 3, 7, 130, 1000, bytes.length]) assert.deepEqual(heard(bytes, pieceBytes), all);
});

for (const [what, bytes] of [
  ["without a mask", hex("89 00")],
  ["with a reserved bit", hex("c9 80 00 00 00 00")],
  ["of an unknown kind", hex("83 80 00 00 00 00")],
  ["that is a ping in pieces", hex("09 80 00 00 00 00")],
  ["that is a ping of 126 bytes", hex("89 fe 00 7e 00 00 00 00")],
  ["longer than any can be", hex("82 ff ff ff ff ff ff ff ff ff 00 00 00 00")],
] as const) {
  test(`websocket: a frame ${what} is refused`, () => {
    assert.throws(
      () => heard(bytes),
      (thrown) => thrown instanceof DolphinError && thrown.code === "FLV_REQUEST",
    );
  });
}

test("websocket: any bytes end in calls or in a refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 1, max: 20 }), (bytes, pieceBytes) => {
      try {
        heard(Buffer.from(bytes), pieceBytes);
      } catch (thrown) {
        assert.ok(thrown instanceof DolphinError);
      }
    }),
  );
});
