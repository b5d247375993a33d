import assert from "node:assert/strict";
import type { IncomingHttpHeaders } from "node:http";
import { test } from "node:test";
import { lastModified, partOf, type FileState } from "../../../src/codec/http-range.js";

const file: FileState = { etag: '"a-1"', modifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678), sizeBytes: 1000 };
const date = lastModified(file);
const earlier = "Fri, 02 Jan 2026 03:04:04 GMT";

const rows: readonly [what: string, headers: IncomingHttpHeaders, status: number, start?: number, end?: number][] = [
  ["no condition", {}, 200, 0, 1000],
  ["the first bytes", { range: "bytes=0-9" }, 206, 0, 10],
  ["one byte", { range: "bytes=5-5" }, 206, 5, 6],
  ["all from a place on", { range: "bytes=990-" }, 206, 990, 1000],
  ["more than there is", { range: "bytes=990-99999999999999999999" }, 206, 990, 1000],
  ["the last bytes", { range: "bytes=-10" }, 206, 990, 1000],
  ["more last bytes than there are", { range: "bytes=-5000" }, 206, 0, 1000],
  ["behind the end", { range: "bytes=1000-" }, 416],
  ["the last 0 bytes", { range: "bytes=-0" }, 416],
  ["several ranges, of which none is served", { range: "bytes=0-1,5-6" }, 200, 0, 1000],
  ["a range that runs backwards, which is none", { range: "bytes=9-5" }, 200, 0, 1000],
  ["another unit", { range: "lines=0-1" }, 200, 0, 1000],
  ["nothing", { range: "bytes=-" }, 200, 0, 1000],
  ["what it has", { "if-none-match": '"a-1"' }, 304],
  ["what it has, by a list", { "if-none-match": '"x", W/"a-1"' }, 304],
  ["anything at all", { "if-none-match": "*" }, 304],
  ["something else, though the date is the same", { "if-none-match": '"x"', "if-modified-since": date }, 200, 0, 1000],
  ["what it has, by the date", { "if-modified-since": date }, 304],
  ["an older one", { "if-modified-since": earlier }, 200, 0, 1000],
  ["a date that is none", { "if-modified-since": "yesterday" }, 200, 0, 1000],
  ["the rest of this one", { range: "bytes=500-", "if-range": '"a-1"' }, 206, 500, 1000],
  ["the rest of this one, by the date", { range: "bytes=500-", "if-range": date }, 206, 500, 1000],
  ["the rest of another", { range: "bytes=500-", "if-range": '"x"' }, 200, 0, 1000],
  ["the rest of another, by the date", { range: "bytes=500-", "if-range": earlier }, 200, 0, 1000],
  ["this one and no other", { "if-match": '"a-1"' }, 200, 0, 1000],
  ["another and not this one", { "if-match": '"x"' }, 412],
  ["one that has not changed since", { "if-unmodified-since": date }, 200, 0, 1000],
  ["one that has", { "if-unmodified-since": earlier }, 412],
];

for (const [what, headers, status, start = 0, end = 0] of rows) {
  test(`http range: who asks for ${what} gets ${status}`, () => {
    assert.deepEqual(partOf(headers, file), { status, start, end });
  });
}

test("http range: an empty file has no part", () => {
  const empty = { ...file, sizeBytes: 0 };
  assert.equal(partOf({ range: "bytes=0-" }, empty).status, 416);
  assert.deepEqual(partOf({}, empty), { status: 200, start: 0, end: 0 });
});
