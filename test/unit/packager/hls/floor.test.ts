import assert from "node:assert/strict";
import { test } from "node:test";
import { nextFloor } from "../../../../src/packager/hls/floor.js";

test("floor: the first count is the clock's, and each segment is one more", () => {
  assert.deepEqual(nextFloor(0, 1_000_500, 1000), { count: 1000, moreMs: 0 });
  assert.equal(nextFloor(1000, 1_001_400, 1000).count, 1001);
});

test("floor: a count that is ahead makes a segment longer, one that is behind shorter, and one that is far off begins anew", () => {
  assert.deepEqual(nextFloor(1002, 1_001_000, 1000), { count: 1003, moreMs: 600 });
  assert.deepEqual(nextFloor(998, 1_001_000, 1000), { count: 999, moreMs: -600 });
  assert.deepEqual(nextFloor(900, 1_001_000, 1000), { count: 1001, moreMs: 0 });
});
