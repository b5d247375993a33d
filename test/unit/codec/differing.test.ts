import assert from "node:assert/strict";
import { test } from "node:test";
import { differing } from "../../../src/codec/differing.js";

interface Value {
  readonly text: string;
  readonly number: number | null;
  readonly list: readonly number[];
}

const usual: Value = { text: "", number: 0, list: [] };

test("differing: what is as usual is left out, and the rest makes the value again, by JSON too", () => {
  const values: readonly (readonly [value: Value, rest: Partial<Value>])[] = [
    [{ text: "", number: 0, list: [] }, {}],
    [{ text: "a", number: 0, list: [] }, { text: "a" }],
    [
      { text: "", number: null, list: [0] },
      { number: null, list: [0] },
    ],
  ];
  for (const [value, rest] of values) {
    assert.deepEqual(differing(value, usual), rest);
    assert.deepEqual({ ...usual, ...(JSON.parse(JSON.stringify(rest)) as Partial<Value>) }, value);
  }
  assert.deepEqual(differing({ ...usual, list: [] }, { ...usual, list: [1] }), { list: [] });
});
