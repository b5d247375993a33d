import assert from "node:assert/strict";
import { test } from "node:test";
import { asObject, decodeAmf, encodeAmf, type AmfObject } from "../../../../src/codec/rtmp/amf0.js";
import { askedClock, askForClock, tellClock, toldClock } from "../../../../src/codec/rtmp/clock.js";

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

test("clock: who says nothing of one, or nonsense, keeps none", () => {
  for (const members of [null, {}, { dolphin_clock: "7" }, { dolphin_clock: -1 }, { dolphin_clock: 2 ** 32 }, { dolphin_clock: 0.5 }]) {
    assert.equal(askedClock(members), null);
    assert.equal(toldClock(members), null);
  }
});
