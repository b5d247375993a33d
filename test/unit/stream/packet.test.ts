import assert from "node:assert/strict";
import { test } from "node:test";
import { at, isFrame, makePacket, sentTime } from "../../../src/stream/packet.js";
import { packetOf, payloadOf, type Kind } from "./fakes.js";

const rows: [kind: Kind, type: number, is: string][] = [
  ["meta", 18, "a header"],
  ["text", 18, "neither"],
  ["aac", 8, "a header"],
  ["audio", 8, "a frame"],
  ["avc", 9, "a header"],
  ["key", 9, "a key frame"],
  ["inter", 9, "a frame"],
];

for (const [kind, type, is] of rows) {
  test(`packet: ${kind} is ${is}`, () => {
    const isKeyFrame = is === "a key frame";
    const packet = packetOf(kind, 40, "x");
    assert.deepEqual(packet, { type, timestamp: 40, payload: payloadOf(kind, "x"), isKeyFrame, isHeader: is === "a header" });
    assert.equal(isFrame(packet), isKeyFrame || is === "a frame");
  });
}

test("packet: metadata is sent without a time, and everything else with its own", () => {
  const kinds: Kind[] = ["meta", "text", "aac", "audio", "avc", "key"];
  assert.deepEqual(
    kinds.map((kind) => sentTime(packetOf(kind, 40))),
    [0, 40, 40, 40, 40, 40],
  );
});

test("packet: the first bytes of audio do not make a video key frame of it", () => {
  assert.equal(makePacket(8, 0, Buffer.of(0x17, 1)).isKeyFrame, false);
});

test("packet: the same packet at another time shares its payload", () => {
  const packet = packetOf("key", 40);
  const later = at(packet, 50);
  assert.deepEqual(later, { ...packet, timestamp: 50 });
  assert.equal(later.payload, packet.payload);
  assert.equal(at(packet, 40), packet);
});
