import assert from "node:assert/strict";
import { test } from "node:test";
import { freeStreamId, maxMessageStreams } from "../../../../src/codec/rtmp/stream-ids.js";

const all = Array.from({ length: maxMessageStreams }, (_, at) => at + 1);

const rows: readonly (readonly [what: string, given: readonly number[], inUse: readonly number[], id: number | null])[] = [
  ["the first", [], [], 1],
  ["the lowest that was not given", [1, 3], [1], 2],
  ["one that was never given and is in use is not free", [], [1], 2],
  ["when all were given, the lowest that is not in use", all, [1, 2], 3],
  ["none when all are in use", all, all, null],
];

for (const [what, given, inUse, id] of rows) {
  test(`stream ids: ${what}`, () => assert.equal(freeStreamId(given, inUse), id));
}
