import assert from "node:assert/strict";
import { test } from "node:test";
import { Crowd } from "../../../src/base/crowd.js";

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
