// No line is lost or doubled while the file that all processes of a box share is moved away, by us or by somebody else.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync, renameSync, statSync } from "node:fs";
import { test } from "node:test";
import { LoggingBox } from "../helpers/logging-box.js";
import { freeze } from "../helpers/processes.js";
import { eventually, within } from "../helpers/wait.js";

/** Visits one after the other and some at a time, each of a stream of its own, until `done`. Returns the names of the streams. */
async function visitUntil(box: LoggingBox, done: () => boolean, timeoutMs: number): Promise<string[]> {
  const streams: string[] = [];
  const visitor = async (): Promise<void> => {
    while (!done()) {
      const stream = `visit-${streams.length}-${"x".repeat(200)}`;
      streams.push(stream);
      await box.visit(stream);
    }
  };
  await within(Promise.all(Array.from({ length: 6 }, visitor)), timeoutMs, "visits to end");
  return streams;
}

/** What the processes of each plan tell of a visit, once each. */
const told = { a: ["play.started", "rtmp.closed"], b: ["play.started", "rtmp.closed", "proxy.closed"] } as const;

/** Fails unless every visit has exactly one line of each of these events. */
function assertOnceEach(streams: readonly string[], lines: readonly Readonly<Record<string, unknown>>[], events: readonly string[]): void {
  for (const event of events) {
    const counts = new Map(streams.map((stream) => [stream, 0]));
    for (const line of lines) {
      const { stream } = line;
      // An edge's own connection that ends before it has asked for a stream has none.
      if (line["event"] === event && typeof stream === "string") counts.set(stream, (counts.get(stream) ?? 0) + 1);
    }
    assert.deepEqual(
      [...counts].filter(([, count]) => count !== 1),
      [],
      `${event}, of ${streams.length}`,
    );
  }
}

function isOpen(link: string, file: string): boolean {
  try {
    return readlinkSync(link) === file;
  } catch {
    return false; // closed while we looked
  }
}

const parse = (line: string): Record<string, unknown> => JSON.parse(line) as Record<string, unknown>;

for (const plan of ["a", "b"] as const) {
  void test(`SIGUSR1 under load reopens the log of every process of plan ${plan} without losing a line, whether or not the file was moved`, async (t) => {
    const box = await LoggingBox.start(t, `srs_log_file LOG; dolphin { plan ${plan}; play_wait 0; }`);
    let isOver = false;
    t.after(() => void (isOver = true));
    const visits = visitUntil(box, () => isOver, 60_000);
    for (const name of ["1", null, "2"]) {
      const before = box.lines().length;
      await eventually(() => box.lines().length > before + 100, { what: "visits" });
      const reopenings = box.lines().filter((line) => line.includes('"log.reopened"')).length;
      if (name !== null) renameSync(box.file, `${box.file}.${name}`);
      box.signal("SIGUSR1");
      await eventually(() => box.lines().filter((line) => line.includes('"log.reopened"')).length > reopenings, {
        what: "the log to be reopened",
      });
      if (name === null) continue;
      const { size } = statSync(`${box.file}.${name}`);
      const lines = readFileSync(box.file, "utf8").split("\n").length;
      await eventually(() => readFileSync(box.file, "utf8").split("\n").length > lines + 100, { what: "visits" });
      assert.equal(statSync(`${box.file}.${name}`).size, size, "nobody writes to the moved file any more");
    }
    isOver = true;
    const streams = await visits;
    await box.stop();
    assert.deepEqual(box.files().sort(), ["srs.log", "srs.log.1", "srs.log.2"]);
    assertOnceEach(streams, box.lines().map(parse), told[plan]);
  });
}

void test("an edge that is stopped keeps nobody from reopening, is told of, and reopens when it goes on", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_file LOG;");
  const edge = box.pids["edge-1"]!;
  await freeze(edge);
  renameSync(box.file, `${box.file}.1`);
  box.signal("SIGUSR1");
  const failure = await eventually(() => box.lines().find((line) => line.includes('"log.failed"')), { what: "the failure to be told" });
  assert.deepEqual([parse(failure)["code"], parse(failure)["doing"]], ["LOG_ROTATE", "reopening"]);
  assert.match(failure, /edge-1/);
  assert.ok(readFileSync(box.file, "utf8").includes(failure), "the master writes to the new file");
  process.kill(edge, "SIGCONT");
  const holds = (file: string): boolean => readdirSync(`/proc/${edge}/fd`).some((fd) => isOpen(`/proc/${edge}/fd/${fd}`, file));
  await eventually(() => holds(box.file) && !holds(`${box.file}.1`), { what: "edge-1 to reopen and to let go of the old file" });
  await box.stop();
});

void test("a log that grows is rotated under load by its size, and every line is in one of the files once", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_file LOG; dolphin { log_max_size 1; }");
  const rotated = (): string[] => box.files().filter((name) => name.endsWith(".gz"));
  const streams = await visitUntil(box, () => rotated().length > 0, 50_000);
  await box.stop();
  for (const name of rotated()) assert.match(name, /^srs\.log\.\d{8}-\d{6}\.gz$/);
  assert.deepEqual(
    box.files().filter((name) => !rotated().includes(name)),
    ["srs.log"],
  );
  const lines = box.lines().map(parse);
  assertOnceEach(streams, lines, told.a);
  const edges = new Set(lines.filter(({ event }) => event === "play.started").map(({ child }) => child));
  assert.equal(edges.size, 2, "both edges write to it");
  assert.deepEqual(
    lines.filter(({ level }) => level !== "info"),
    [],
  );
});
