import assert from "node:assert/strict";
import { test } from "node:test";
import { preferredWaitMs, preferWait } from "../../../src/codec/prefer.js";

for (const [header, ms] of [
  [undefined, null],
  ["", null],
  ["respond-async", null],
  ["wait=0", 0],
  ["wait=10", 10_000],
  ["respond-async, wait = 3", 3000],
  ['return=minimal; foo, WAIT="7"', 7000],
  ["wait=5, wait=2", 2000],
  ["await=5", null],
  ["wait=soon", null],
  ["wait=99999999999", null],
] as const) {
  test(`prefer: ${JSON.stringify(header)} is ${ms === null ? "no wait" : `${ms} ms`}`, () => assert.equal(preferredWaitMs(header), ms));
}

test("prefer: what is left is rounded up to seconds, and nothing is nothing", () => {
  assert.deepEqual([0, 1, 1000, 1001].map(preferWait), ["wait=0", "wait=1", "wait=1", "wait=2"]);
});
