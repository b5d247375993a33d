import assert from "node:assert/strict";
import { test } from "node:test";
import { at, makePacket, sentTime } from "../../../src/stream/packet.js";
import { packetOf, payloadOf, type Kind } from "./fakes.js";

const rows: [kind: Kind, type: number, isKeyFrame: boolean, isHeader: boolean][] = [
  ["meta", 18, false, true],
  ["text", 18, false, false],
  ["aac", 8, false, true],
  ["audio", 8, false, false],
  ["avc", 9, false, true],
  ["key", 9, true, false],
  ["inter", 9, false, false],
];

for (const [kind, type, isKeyFrame, isHeader] of rows) {
  test(`packet: ${kind} is ${isHeader ? "a header" : isKeyFrame ? "a key frame" : "neither header nor key frame"}`, () => {
    assert.deepEqual(packetOf(kind, 40, "x"), { type, timestamp: 40, payload: payloadOf(kind, "x"), isKeyFrame, isHeader });
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
