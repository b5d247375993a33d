import assert from "node:assert/strict";
import { test } from "node:test";
import { Crowd, Dispersal, spreadOf } from "../../../src/base/crowd.js";
import { FakeTimers } from "../fake-timers.js";

test("crowd: who waits for everybody to be gone is told when the last one leaves, and not before", async () => {
  const crowd = new Crowd<string>();
  crowd.add("a");
  crowd.add("b");
  let isGone = false;
  const gone = Promise.all([crowd.gone(), crowd.gone()]).then(() => (isGone = true));
  crowd.delete("a");
  crowd.delete("a");
  await Promise.resolve();
  assert.deepEqual([crowd.size, [...crowd], isGone], [1, ["b"], false]);
  crowd.delete("b");
  assert.ok(await gone);
});

test("crowd: nobody is waited for where nobody is", async () => {
  await new Crowd().gone();
});

/** So many who are left, and how many of them were there at each second. */
function leavers(count: number, spread: Parameters<typeof spreadOf>): { readonly seconds: () => number[]; readonly dispersal: Dispersal } {
  const timers = new FakeTimers();
  let left = count;
  const dispersal = new Dispersal(spreadOf(...spread)!, timers, { left: () => left, sendAway: (some) => void (left -= some) });
  const seconds = (): number[] =>
    Array.from({ length: 10 }, () => {
      timers.pass(1000);
      return left;
    });
  return { seconds, dispersal };
}

for (const [what, spread, expected] of [
  ["in the last part of the time", [10_000, 4_000], [1000, 1000, 1000, 1000, 1000, 1000, 750, 500, 250, 0]],
  ["over all of a time that is shorter", [5_000, 60_000], [800, 600, 400, 200, 0, 0, 0, 0, 0, 0]],
  ["at once where that is wanted", [3_000, 0], [1000, 1000, 0, 0, 0, 0, 0, 0, 0, 0]],
] as const) {
  test(`dispersal: those who are left go evenly, ${what}`, () => {
    const seen = leavers(1000, [...spread]).seconds();
    for (const [at, left] of seen.entries()) assert.ok(Math.abs(left - expected[at]!) <= 20, seen.join(" "));
    assert.equal(seen.at(-1), 0);
  });
}

test("dispersal: few go one by one as well, and nobody once it is closed", () => {
  const { seconds } = leavers(3, [9_000, 9_000]);
  assert.deepEqual([...new Set(seconds())], [3, 2, 1, 0]);
  const { seconds: later, dispersal } = leavers(3, [9_000, 9_000]);
  dispersal.close();
  assert.deepEqual(new Set(later()), new Set([3]));
});

test("dispersal: a drain without an end sends nobody away", () => assert.equal(spreadOf(null, 10_000), null));
