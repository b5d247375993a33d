import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { OutputLines } from "../../../../src/base/programs/output-lines.js";

let nowMs = 0;
let lines: string[] = [];
let dropped: number[] = [];
let output: OutputLines;

beforeEach(() => {
  nowMs = 0;
  lines = [];
  dropped = [];
  output = new OutputLines({ nowMs: () => nowMs, line: (text) => lines.push(text), dropped: (count) => dropped.push(count) });
});

test("output: lines are the same however they come, and empty ones are left out", () => {
  for (const byte of Buffer.from("one\r\n\n  \nzwei é\nthree")) output.push(Buffer.of(byte));
  assert.deepEqual(lines, ["one", "zwei é"]);
  output.end();
  assert.deepEqual(lines, ["one", "zwei é", "three"]);
});

test("output: colours are for terminals and go, however they come", () => {
  for (const byte of Buffer.from("\u001b[33m[WARN] one\u001b[0m\r\n\u001b[1;31mtwo\u001b[0m three\n\u001b[0m\n"))
    output.push(Buffer.of(byte));
  assert.deepEqual(lines, ["[WARN] one", "two three"]);
});

test("output: a line that never ends is cut, and takes no memory", () => {
  for (let i = 0; i < 100; i++) output.push(Buffer.alloc(1000, "x"));
  output.push(Buffer.from("\nnext\n"));
  assert.equal(lines[0]?.length, 2001);
  assert.ok(lines[0].endsWith("…"));
  assert.deepEqual(lines.slice(1), ["next"]);
});

test("output: no more than 100 lines a second are kept, and the rest is counted", () => {
  output.push(Buffer.from("a\n".repeat(250)));
  assert.equal(lines.length, 100);
  assert.deepEqual(dropped, []);
  nowMs = 1000;
  output.push(Buffer.from("b\n"));
  assert.deepEqual(dropped, [150]);
  assert.equal(lines.at(-1), "b");
});

test("output: what was left out is told at the end too", () => {
  output.push(Buffer.from("a\n".repeat(101)));
  output.end();
  output.end();
  assert.deepEqual(dropped, [1]);
});
