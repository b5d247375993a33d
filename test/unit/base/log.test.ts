import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLog, forPeople, type LogOptions } from "../../../src/base/log.js";

/** The lines of a log file that `write` was given a log of. */
function written(options: Omit<LogOptions, "file">, write: (log: ReturnType<typeof createLog>) => void): Record<string, unknown>[] {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-log-"));
  try {
    const file = join(folder, "new", "folders", "dolphin.log");
    write(createLog({ ...options, file }));
    return readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test("log: a line is JSON with its process, its level as a word and an ISO time", () => {
  const [line] = written({ role: "server", child: "edge-1", level: "info" }, (log) =>
    log.info({ event: "play.started", app: "live" }, "hello"),
  );
  assert.match(String(line?.["time"]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(
    { ...line, time: "" },
    { level: "info", time: "", role: "server", child: "edge-1", pid: process.pid, event: "play.started", app: "live", msg: "hello" },
  );
});

test("log: the master is no child", () => {
  const [line] = written({ role: "master", child: null, level: "info" }, (log) => log.warn({ event: "x" }));
  assert.deepEqual([line?.["role"], line !== undefined && "child" in line], ["master", false]);
});

test("log: lines below the level are not written, and the others are there at once", () => {
  const lines = written({ role: "master", child: null, level: "warn" }, (log) => {
    log.info("no");
    log.warn("yes");
    log.error("yes");
  });
  assert.deepEqual(
    lines.map(({ level }) => level),
    ["warn", "error"],
  );
});

test("log: names from outside cannot make lines of their own", () => {
  const lines = written({ role: "master", child: null, level: "info" }, (log) => log.info({ stream: 'a\n{"level":"error"}' }, "b\nc"));
  assert.equal(lines.length, 1);
});

test("log: people read time, level, process, event, sentence, and the other fields", () => {
  const entry = {
    level: "info",
    time: "2026-01-02T03:04:05.678Z",
    role: "server",
    child: "edge-1",
    pid: 7,
    event: "rtmp.closed",
    msg: "bye",
    app: "live",
    at: { port: 1 },
  };
  assert.equal(forPeople(`${JSON.stringify(entry)}\n`), '03:04:05 info  edge-1   rtmp.closed bye app=live at={"port":1}\n');
});

test("log: people read the role where there is no child, and no gaps where there is no event", () => {
  const entry = { level: "error", time: "2026-01-02T03:04:05.678Z", role: "master", pid: 7, msg: "bye" };
  assert.equal(forPeople(JSON.stringify(entry)), "03:04:05 error master   bye\n");
});

test("log: what is no JSON is printed as it is", () => assert.equal(forPeople("Segmentation fault\n"), "Segmentation fault\n"));
