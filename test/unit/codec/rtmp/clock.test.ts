import assert from "node:assert/strict";
import { test } from "node:test";
import { asObject, decodeAmf, encodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { askedClock, askForClock, tellClock, tellSeen, toldClock, toldSeen } from "../../../../src/codec/rtmp/clock.js";

const overTheWire = (members: AmfObject): AmfObject | null => asObject(decodeAmf(encodeAmf(members))[0]);

for (const id of [0, 1, 0xffffffff]) {
  test(`clock: an edge asks for clock ${id}`, () => assert.equal(askedClock(overTheWire(askForClock(id))), id));
}

for (const clock of [
  { id: 7, timeMs: null },
  { id: 0xffffffff, timeMs: 0 },
  { id: 7, timeMs: 2 ** 33 },
]) {
  test(`clock: an edge is told clock ${clock.id} at ${clock.timeMs}`, () =>
    assert.deepEqual(toldClock(overTheWire(tellClock(clock))), clock));
}

for (const timeMs of [null, 0, 7314, 2 ** 33]) {
  test(`clock: an edge tells that its viewers have seen ${timeMs}`, () => assert.equal(toldSeen(overTheWire(tellSeen(timeMs))), timeMs));
}

test("clock: who tells nonsense of what was seen has told nothing", () => {
  for (const dolphin_time of ["7", -1, 0.5, Number.NaN, Infinity, 1e300]) assert.equal(toldSeen({ dolphin_time }), null);
});

test("clock: who says nothing of one, or nonsense, keeps none", () => {
  for (const members of [null, {}, { dolphin_clock: "7" }, { dolphin_clock: -1 }, { dolphin_clock: 2 ** 32 }, { dolphin_clock: 0.5 }]) {
    assert.equal(askedClock(members), null);
    assert.equal(toldClock(members), null);
  }
});
