import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { maxReportStreams, readReceipt, readReport, readRoll } from "../../../src/backup/report.js";
import { maxListedSegments } from "../../../src/backup/roll.js";

const sha256 = "3fa9c2d41b7e0011".padEnd(64, "0");
const entry = {
  id: `a_1_17_${sha256.slice(0, 16)}`,
  sha256,
  sizeBytes: 188,
  durationMs: 2000,
  isDiscontinuous: false,
  programTimeMs: 1.7e12,
};
const roll = { term: 4, lead: "a", termStart: 100, first: 100, targetSeconds: 2, discontinuitySequence: 0, entries: [entry] };
const stream = { path: "live/livestream.m3u8", roll, told: 101, isLive: true, ageMs: 12.5 };
const report = { node: "a", boot: "0f", count: 1, session: "", streams: [stream], isWhole: true };

test("report: what a node tells is read as it was meant", () => {
  assert.deepEqual(readReport(JSON.stringify(report)), report);
  assert.deepEqual(readReceipt('{"node":"b","session":"1f"}'), { node: "b", session: "1f" });
});

for (const [what, change] of [
  ["a path that leads out of the folder", { path: "../s.m3u8" }],
  ["a path that is no list", { path: "live/s.ts" }],
  ["a number beyond what players hold", { told: 2 ** 31 }],
  ["a number below nothing", { told: -1 }],
  ["an age that is none", { ageMs: null }],
  ["a roll that is none", { roll: null }],
  ["a term that is no number", { roll: { ...roll, term: "4" } }],
  ["a term without a bound", { roll: { ...roll, term: 1e300 } }],
  ["a lead with a slash", { roll: { ...roll, lead: "a/b" } }],
  ["more entries than a list has", { roll: { ...roll, entries: Array.from({ length: maxListedSegments + 1 }, () => entry) } }],
  ["an id that is a path", { roll: { ...roll, entries: [{ ...entry, id: "../../etc/passwd" }] } }],
  ["an id of other bytes", { roll: { ...roll, entries: [{ ...entry, sha256: "0".repeat(64) }] } }],
  ["a segment that is too large", { roll: { ...roll, entries: [{ ...entry, sizeBytes: 2 ** 40 }] } }],
  ["a time that no date has", { roll: { ...roll, entries: [{ ...entry, programTimeMs: 1e300 }] } }],
] as const) {
  test(`report: ${what} is no report`, () => {
    assert.equal(readReport(JSON.stringify({ ...report, streams: [{ ...stream, ...change }] })), null);
  });
}

test("report: too many streams, another form and any JSON at all are no report", () => {
  assert.equal(readReport(JSON.stringify({ ...report, streams: Array.from({ length: maxReportStreams + 1 }, () => stream) })), null);
  assert.equal(readReport(JSON.stringify({ ...report, node: "A" })), null);
  assert.equal(readReport("{"), null);
  fc.assert(
    fc.property(fc.json(), (text) => {
      assert.equal(readReport(text), null);
      assert.equal(readReceipt(text), null);
      assert.equal(readRoll(JSON.parse(text)), null);
    }),
  );
});
