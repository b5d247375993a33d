import assert from "node:assert/strict";
import { test } from "node:test";
import { Repeats } from "../../../../src/packager/origin/repeats.js";
import { makePacket, type Packet } from "../../../../src/stream/packet.js";

const sound = (timestamp: number, bytes = 4): Packet => makePacket(8, timestamp >>> 0, Buffer.alloc(bytes, 0xaf).fill(1, 1));
const picture = (timestamp: number, bytes = 9): Packet => makePacket(9, timestamp >>> 0, Buffer.alloc(bytes, 0x27).fill(1, 1));
const header = (timestamp: number): Packet => makePacket(9, timestamp >>> 0, Buffer.of(0x17, 0, 0, 0, 0, 1));
const timesOf = (repeats: Repeats, packets: readonly Packet[]): number[] => packets.flatMap((one) => repeats.take(one)?.timestamp ?? []);

test("repeats: of a stream that comes once everything is new, whatever its times", () => {
  const packets = [header(0), picture(40), sound(30), picture(40), sound(20), picture(0)];
  const repeats = new Repeats();
  repeats.begin([]);
  assert.deepEqual(timesOf(repeats, packets), [0, 40, 30, 40, 20, 0]);
});

test("repeats: what another origin is sent again is left out, of each track up to the last of it that came", () => {
  const repeats = new Repeats();
  for (const start of [1000, 2 ** 32 - 60]) {
    repeats.forget();
    const before = [picture(start), sound(start + 5), picture(start + 40), sound(start + 26), picture(start + 80)];
    assert.equal(timesOf(repeats, before).length, before.length);
    repeats.begin([]);
    const again = [header(start), ...before.slice(1), sound(start + 47), picture(start + 120), sound(start + 68)];
    assert.deepEqual(
      timesOf(repeats, again),
      [80, 47, 120, 68].map((ms) => (start + ms) >>> 0),
      "the header at the time of the last picture, and what is new",
    );
    assert.deepEqual(timesOf(repeats, [picture(start + 100)]), [(start + 100) >>> 0], "a step back of the stream's own");
  }
});

test("repeats: what is kept there counts as having come, and of two pictures of one time the second is new", () => {
  const repeats = new Repeats();
  assert.equal(timesOf(repeats, [picture(0), picture(40), picture(40, 10)]).length, 3);
  repeats.begin([picture(0), picture(40)]);
  assert.deepEqual(timesOf(repeats, [picture(40, 10), picture(40, 11), picture(80)]), [40, 80]);
});

test("repeats: another clock's times are its own", () => {
  const repeats = new Repeats();
  repeats.take(picture(5000));
  repeats.forget();
  repeats.begin([]);
  assert.deepEqual(timesOf(repeats, [picture(0), picture(40)]), [0, 40]);
});
