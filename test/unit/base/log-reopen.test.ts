// Apart from the other tests of the log, because every log file of a process is reopened.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createLog, reopenLog } from "../../../src/base/log.js";

const folder = mkdtempSync(join(tmpdir(), "dolphin-log-"));
after(() => rmSync(folder, { recursive: true }));

/** The sentences of the lines of a log file. */
function sentencesOf(file: string): string[] {
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  return lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
}

test("log: a file that is moved away loses no line, before it is reopened and after", () => {
  const [file, moved] = [join(folder, "a.log"), join(folder, "a.log.1")];
  const log = createLog({ role: "master", child: null, level: "info", file });
  const child = log.child({ conn: "a" });
  log.info("before");
  renameSync(file, moved);
  child.info("moved");
  reopenLog();
  log.info("after");
  child.info("after that");
  assert.deepEqual(
    [sentencesOf(moved), sentencesOf(file)],
    [
      ["before", "moved"],
      ["after", "after that"],
    ],
  );
});

test("log: when a file cannot be reopened that is said, and lines go where they went", () => {
  const [file, moved] = [join(folder, "b.log"), join(folder, "b.log.1")];
  const log = createLog({ role: "master", child: null, level: "info", file });
  renameSync(file, moved);
  mkdirSync(file);
  assert.throws(() => reopenLog(), { code: "EISDIR" });
  log.info("after all");
  assert.deepEqual(sentencesOf(moved), ["after all"]);
});
