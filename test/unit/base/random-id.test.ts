import assert from "node:assert/strict";
import { test } from "node:test";
import { randomId } from "../../../src/base/random-id.js";

test("random ids: thousands in a row are eight characters each, and no two are the same", () => {
  const ids = Array.from({ length: 5000 }, randomId);
  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.match(id, /^[\w-]{8}$/);
});
