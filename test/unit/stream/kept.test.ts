import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { Kept, maxKeptBytes } from "../../../src/stream/kept.js";
import { makePacket, type Packet } from "../../../src/stream/packet.js";

beforeEach(() => mock.timers.enable({ apis: ["Date"] }));
afterEach(() => mock.timers.reset());

const frame = (timestamp: number, bytes = 10): Packet =>
  makePacket(9, timestamp, Buffer.concat([Buffer.of(0x27, 1, 0, 0, 0), Buffer.alloc(bytes)]));
const header = (timestamp: number): Packet =>
  makePacket(9, timestamp, Buffer.from("17000000000142c00dffe1000467420000010002684200", "hex"));
const times = (kept: Kept): number[] => kept.list().map(({ timestamp }) => timestamp);

test("kept: packets stay for their time, behind what was in force when the first of them came", () => {
  const kept = new Kept();
  kept.keepFor(1000);
  kept.push(header(0));
  for (const at of [0, 500, 1000, 1500]) {
    mock.timers.setTime(at);
    kept.push(frame(at));
  }
  const list = kept.list();
  assert.deepEqual(times(kept), [500, 500, 1000, 1500]);
  assert.equal(list[0]?.isHeader, true);
});

test("kept: it is bounded in bytes, and the newest stays whatever it is", () => {
  const kept = new Kept();
  kept.keepFor(60_000);
  for (let at = 0; at < 40; at++) kept.push(frame(at, 1 << 20));
  const bytes = kept.list().reduce((sum, { payload }) => sum + payload.length, 0);
  assert.ok(bytes <= maxKeptBytes && bytes > maxKeptBytes - (2 << 20));
  kept.push(frame(99, maxKeptBytes + 1));
  assert.deepEqual(times(kept), [99]);
});

test("kept: where it begins in the middle of a stream it begins with what the stream has to start with", () => {
  const kept = new Kept();
  kept.push(frame(1));
  assert.equal(kept.isEmpty, true, "off, it keeps nothing");
  kept.keepFor(1000, [header(5), frame(5)]);
  kept.push(frame(45));
  assert.deepEqual(times(kept), [5, 5, 45]);
  kept.keepFor(0);
  assert.equal(kept.isEmpty, true);
});
