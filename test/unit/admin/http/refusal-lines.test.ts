import assert from "node:assert/strict";
import { test } from "node:test";
import { maxRefusalLinesPerMinute, RefusalLines } from "../../../../src/admin/http/refusal-lines.js";

test("refusals are told up to so many a minute, and then how many were not", () => {
  const lines = new RefusalLines();
  const told = Array.from({ length: 100 }, () => lines.next(1000));
  assert.equal(told.filter((one) => one === 0).length, maxRefusalLinesPerMinute);
  assert.equal(lines.next(62_000), 100 - maxRefusalLinesPerMinute);
  assert.equal(lines.next(62_000), 0);
});
