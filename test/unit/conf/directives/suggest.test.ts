import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { editDistance, nearest } from "../../../../src/conf/directives/suggest.js";

const distances: [from: string, to: string, distance: number][] = [
  ["", "", 0],
  ["", "abc", 3],
  ["listen", "listen", 0],
  ["lisen", "listen", 1],
  ["listten", "listen", 1],
  ["liSten", "listen", 1],
  ["vhsot", "vhost", 1],
  ["kitten", "sitting", 3],
];

for (const [from, to, distance] of distances) {
  test(`suggest: ${JSON.stringify(from)} is ${distance} away from ${JSON.stringify(to)}`, () =>
    assert.equal(editDistance(from, to), distance));
}

test("suggest: the nearest name is meant, the first among equals", () => {
  assert.equal(nearest("modee", ["mount", "mode", "modem"]), "mode");
});

test("suggest: a short word must be nearly right, and a strange one is nobody's", () => {
  assert.equal(nearest("foo", ["mode"]), null);
  assert.equal(nearest("bananas", ["enabled", "destination"]), null);
  assert.equal(nearest("x".repeat(100_000), ["listen"]), null);
});

test("suggest: the distance is the same in both directions", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (from, to) => assert.equal(editDistance(from, to), editDistance(to, from))));
});
