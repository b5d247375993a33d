import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLog, flushLog, reopenLog, setLogLevel, type LogOptions } from "../../../src/base/log.js";

/** The text of a log file that `write` was given a log of. */
function text(options: Omit<LogOptions, "file">, write: (log: ReturnType<typeof createLog>) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-log-"));
  try {
    const file = join(folder, "new", "folders", "dolphin.log");
    write(createLog({ ...options, file }));
    flushLog();
    return readFileSync(file, "utf8");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function linesOf(content: string): Record<string, unknown>[] {
  return content
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function written(
  options: Omit<LogOptions, "file" | "format">,
  write: (log: ReturnType<typeof createLog>) => void,
): Record<string, unknown>[] {
  return linesOf(text({ ...options, format: "json" }, write));
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

test("log: lines below the level are not written, and warnings are there at once", () => {
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

test("log: a change of the level is for those too who were handed a child of the log before", () => {
  const lines = written({ role: "server", child: null, level: "info" }, (log) => {
    const connection = log.child({ conn: "a" });
    const say = (word: string): void => {
      log.debug(word);
      connection.debug(word);
    };
    say("no");
    setLogLevel("debug");
    say("yes");
    setLogLevel("silent");
    connection.fatal("no");
  });
  assert.deepEqual(
    lines.map(({ msg, conn }) => [msg, conn]),
    [
      ["yes", undefined],
      ["yes", "a"],
    ],
  );
});

test("log: names from outside cannot make lines of their own", () => {
  const lines = written({ role: "master", child: null, level: "info" }, (log) => log.info({ stream: 'a\n{"level":"error"}' }, "b\nc"));
  assert.equal(lines.length, 1);
});

test("log: SRS's line is made of the same fields, and all lines about no connection have one id", () => {
  const [first, second, third] = text({ role: "server", child: "edge-1", level: "debug", format: "srs" }, (log) => {
    log.info({ event: "server.ready" }, "hello");
    log.child({ conn: "Ab3_-9xz" }).debug({ event: "play.started" });
    log.warn({ event: "server.slow", err: Object.assign(new Error("full"), { errno: -28 }) });
  }).split("\n");
  const [, id] = /^\[[\d-]{10} [\d:.]{12}\]\[INFO\]\[\d+\]\[([\w-]{8})\] hello child=edge-1 event=server.ready$/.exec(first ?? "") ?? [];
  assert.ok(id !== undefined, first);
  assert.match(second ?? "", /\]\[DEBUG\]\[\d+\]\[Ab3_-9xz\] child=edge-1 event=play.started$/);
  assert.ok(third?.includes(`][WARN][${process.pid}][${id}][28] full child=edge-1 event=server.slow err="Error: full\\n`), third);
});

test("log: a file gets no colours", () => {
  const line = text({ role: "master", child: null, level: "info", format: "srs" }, (log) => log.error("x"));
  assert.ok(line.startsWith("[") && line.endsWith("x role=master\n"), line);
});

test("log: on request it goes on in a new file", () => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-log-"));
  try {
    const file = join(folder, "a.log");
    const log = createLog({ role: "master", child: null, level: "info", format: "json", file });
    log.info("before");
    renameSync(file, `${file}.1`);
    reopenLog();
    log.child({ conn: "x" }).info("after");
    flushLog();
    assert.match(readFileSync(`${file}.1`, "utf8"), /^\{.*"before"\}\n$/);
    assert.match(readFileSync(file, "utf8"), /^\{.*"after"\}\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("log: a full disk ends nothing, and is told with a code when lines can be written again", () => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-log-"));
  try {
    const file = join(folder, "a.log");
    symlinkSync("/dev/full", file);
    const log = createLog({ role: "master", child: null, level: "info", format: "json", file });
    log.info("before");
    rmSync(file);
    reopenLog();
    const [first, second] = linesOf(readFileSync(file, "utf8"));
    assert.equal(first?.["msg"], "before");
    assert.deepEqual(
      [second?.["level"], second?.["event"], second?.["code"], second?.["reason"], second?.["lines"]],
      ["warn", "log.recovered", "LOG_WRITE", "ENOSPC", 0],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
