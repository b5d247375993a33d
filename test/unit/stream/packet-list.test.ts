import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import type { Packet } from "../../../src/stream/packet.js";
import { PacketList } from "../../../src/stream/packet-list.js";

const slab = (at: number): Buffer => Buffer.alloc(1000, at);

test("packet list: whatever is pushed and dropped, it holds what a plain list would", () => {
  const packet = fc.record({
    type: fc.constantFrom(8 as const, 9 as const),
    timestamp: fc.oneof(fc.nat(5000), fc.integer({ min: 2 ** 32 - 50, max: 2 ** 32 + 50 })),
    slab: fc.nat(5),
    at: fc.nat(900),
    bytes: fc.integer({ min: 1, max: 100 }),
    isKeyFrame: fc.boolean(),
    isHeader: fc.boolean(),
  });
  const step = fc.oneof({ weight: 20, arbitrary: packet }, { weight: 2, arbitrary: fc.nat(60) }, fc.constant("clear" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400, size: "max" }), (steps) => {
      const slabs = Array.from({ length: 6 }, (_, at) => slab(at));
      const list = new PacketList();
      let plain: Packet[] = [];
      for (const one of steps) {
        if (one === "clear") {
          list.clear();
          plain = [];
        } else if (typeof one === "number") {
          let left = one;
          list.dropWhile(() => left-- > 0);
          plain = plain.slice(one);
        } else {
          const { slab: from, at, bytes, ...rest } = one;
          const made = { ...rest, payload: slabs[from]!.subarray(at, at + bytes) };
          list.push(made);
          plain.push(made);
        }
        assert.equal(list.length, plain.length);
        assert.equal(
          list.bytes,
          plain.reduce((sum, { payload }) => sum + payload.length, 0),
        );
      }
      assert.deepEqual(list.list(), plain);
      const held = new Set<ArrayBufferLike>();
      list.hold({ add: ({ buffer }) => void held.add(buffer) as unknown as boolean });
      for (const { payload } of plain) assert.ok(held.has(payload.buffer), "its memory is named");
    }),
    { numRuns: 300 },
  );
});

test("packet list: a list that was asked for stays as it was, and is the same until the next change", () => {
  const list = new PacketList();
  const made: Packet = { type: 9, timestamp: 1, payload: Buffer.of(1), isKeyFrame: true, isHeader: false };
  list.push(made);
  const before = list.list();
  assert.equal(list.list(), before);
  list.push(made);
  assert.deepEqual([before.length, list.list().length], [1, 2]);
});

test("packet list: memory that is known by its oldest payload is named no further", () => {
  const list = new PacketList();
  for (const at of [0, 1, 2]) list.push({ type: 8, timestamp: at, payload: slab(at), isKeyFrame: false, isHeader: false });
  const named: number[] = [];
  list.hold({ add: (payload) => named.push(payload[0]!) > 1 });
  assert.deepEqual(named, [0, 1]);
  list.dropWhile((_, timestamp) => timestamp < 2);
  named.length = 0;
  list.hold({ add: (payload) => named.push(payload[0]!) > 0 });
  assert.deepEqual(named, [2]);
});
