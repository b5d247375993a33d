import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, unlinkSync, readdirSync, mkdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LogFile } from "../../../src/base/log-file.js";

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "dolphin-log-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const never = (): void => assert.fail("nothing was lost");

/** How many descriptors of this process are open. */
const openFiles = (): number => readdirSync("/proc/self/fd").length;

test("log file: it is made with its folders, appended to, and every line is there at once", (t) => {
  const path = join(folder(t), "new", "folders", "a.log");
  const file = new LogFile(path, never);
  file.write("one\n");
  assert.equal(readFileSync(path, "utf8"), "one\n");
  new LogFile(path, never).write("two\n");
  file.write("three\n");
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\nthree\n");
});

test("log file: after a rename, lines go to the old file until it is reopened, and then to a new one", (t) => {
  const path = join(folder(t), "a.log");
  const file = new LogFile(path, never);
  file.write("one\n");
  renameSync(path, `${path}.1`);
  file.write("two\n");
  const before = openFiles();
  file.reopen();
  file.write("three\n");
  assert.equal(openFiles(), before);
  assert.deepEqual([readFileSync(`${path}.1`, "utf8"), readFileSync(path, "utf8")], ["one\ntwo\n", "three\n"]);
});

test("log file: reopened without having been renamed, it loses nothing", (t) => {
  const path = join(folder(t), "a.log");
  const file = new LogFile(path, never);
  file.write("one\n");
  file.reopen();
  file.write("two\n");
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\n");
});

test("log file: when it cannot be reopened it says so and goes on where it was, as often as it is tried", (t) => {
  const path = join(folder(t), "a.log");
  const file = new LogFile(path, never);
  renameSync(path, `${path}.1`);
  mkdirSync(path);
  const before = openFiles();
  for (const line of ["one\n", "two\n"]) {
    assert.throws(() => file.reopen(), { code: "EISDIR" });
    file.write(line);
  }
  assert.equal(readFileSync(`${path}.1`, "utf8"), "one\ntwo\n");
  rmSync(path, { recursive: true });
  file.reopen();
  file.write("three\n");
  assert.equal(openFiles(), before);
  assert.equal(readFileSync(path, "utf8"), "three\n");
});

test("log file: what a full disk does not take waits, and is written when it can be", (t) => {
  const path = join(folder(t), "a.log");
  symlinkSync("/dev/full", path);
  const told: unknown[] = [];
  const file = new LogFile(path, (...how) => told.push(how));
  file.write("one\n");
  file.write("two\n");
  assert.deepEqual(told, []);
  unlinkSync(path);
  file.reopen();
  file.write("three\n");
  assert.equal(readFileSync(path, "utf8"), "one\ntwo\nthree\n");
  assert.deepEqual(told, [[0, "ENOSPC"]]);
});

test("log file: a disk that stays full costs lines, which are counted, and no more memory", (t) => {
  const path = join(folder(t), "a.log");
  symlinkSync("/dev/full", path);
  const told: unknown[] = [];
  const file = new LogFile(path, (...how) => told.push(how));
  const line = `${"x".repeat(1023)}\n`;
  for (let i = 0; i < 300; i++) file.write(line);
  unlinkSync(path);
  file.reopen();
  assert.equal(readFileSync(path).length, 256 * 1024);
  assert.deepEqual(told, [[44, "ENOSPC"]]);
});
