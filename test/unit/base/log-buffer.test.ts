import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";
import { LogBuffer } from "../../../src/base/log-buffer.js";

let written: string[];
let buffer: LogBuffer;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  written = [];
  buffer = new LogBuffer({ write: (text) => written.push(text) });
});
afterEach(() => mock.timers.reset());

test("log buffer: a line that comes alone is written at once", () => {
  buffer.write("a\n");
  assert.deepEqual(written, ["a\n"]);
  mock.timers.tick(20);
  buffer.write("b\n");
  assert.deepEqual(written, ["a\n", "b\n"]);
});

test("log buffer: those that follow within a moment are written together, in their order", () => {
  for (const line of ["a\n", "b\n", "c\n"]) buffer.write(line);
  assert.deepEqual(written, ["a\n"]);
  mock.timers.tick(20);
  assert.deepEqual(written, ["a\n", "b\nc\n"]);
  buffer.write("d\n");
  assert.equal(written.length, 2, "the burst goes on");
  mock.timers.tick(20);
  assert.equal(written.at(-1), "d\n");
});

test("log buffer: what waits is bounded", () => {
  const line = `${"x".repeat(999)}\n`;
  for (let count = 0; count < 100; count++) buffer.write(line);
  assert.deepEqual(
    written.map(({ length }) => length),
    [1000, 66_000],
  );
});

test("log buffer: what cannot wait is written with all that stands before it, once", () => {
  buffer.write("a\n");
  buffer.write("b\n");
  buffer.flush();
  buffer.flush();
  assert.deepEqual(written, ["a\n", "b\n"]);
});
