import assert from "node:assert/strict";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import pino from "pino";
import { LogRotation, type LogRotationOptions } from "../../../../src/master/logs/rotation.js";
import { FakeTimers } from "../../fake-timers.js";

const startMs = new Date(2026, 10, 21, 8, 52, 0, 975).getTime();
const hourMs = 3_600_000;
const lookMs = 2000;

type Line = Readonly<Record<string, unknown>>;

/** A log file in a folder of its own, with a fake clock; the one process of the box is the test. */
class Rig {
  readonly timers = new FakeTimers();
  readonly folder = mkdtempSync(join(tmpdir(), "dolphin-rotation-"));
  readonly file: string;
  readonly lines: Line[] = [];
  reopened = 0;
  reopenAll = (): Promise<void> => Promise.resolve();
  settings: LogRotationOptions["settings"];
  private waiters: (() => void)[] = [];
  private readonly t: TestContext;
  private readonly startMs: number;

  constructor(t: TestContext, settings: Partial<LogRotationOptions["settings"]> = {}, name = "srs.log", start = startMs) {
    this.t = t;
    this.startMs = start;
    this.file = join(this.folder, name);
    this.settings = { file: this.file, maxSizeBytes: 1024, givesWay: false, maxAgeMs: null, maxFiles: 10, isCompressed: true, ...settings };
    t.after(() => rmSync(this.folder, { recursive: true }));
  }

  start(): LogRotation {
    const log = pino({ level: "debug", base: {} }, { write: (line) => this.told(JSON.parse(line) as Line) });
    const reopenAll = async (): Promise<void> => {
      this.reopened += 1;
      await this.reopenAll();
    };
    const { timers, settings } = this;
    const rotation = new LogRotation({ settings, timers, wallMs: () => this.startMs + timers.nowMs(), log, reopenAll });
    this.t.after(() => rotation.close());
    return rotation;
  }

  write(text: string): void {
    appendFileSync(this.file, text);
  }

  /** The files beside each other, by what follows the log's name. */
  files(): string[] {
    return readdirSync(this.folder)
      .map((name) => name.slice("srs.log".length))
      .sort();
  }

  content(rest: string): string {
    const bytes = readFileSync(`${this.file}${rest}`);
    return (rest.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
  }

  events(): unknown[] {
    return this.lines.map(({ event, doing }) => (doing === undefined ? event : `${String(event)} ${String(doing)}`));
  }

  /** Waits until so many lines have been logged. */
  async logged(count: number): Promise<void> {
    while (this.lines.length < count) await new Promise<void>((resolve) => this.waiters.push(resolve));
  }

  private told(line: Line): void {
    this.lines.push(line);
    for (const wake of this.waiters.splice(0)) wake();
  }
}

const large = "x".repeat(1025);
const stamp = ".20261121-085200";

test("log rotation: a file is moved away, reopened by all, and compressed under the time of its end", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.write("one\n");
  rig.reopenAll = () => {
    assert.deepEqual(rig.files(), ["", stamp], "the plain file stays until all have reopened");
    appendFileSync(rig.file + stamp, "two\n"); // a process that has not reopened yet
    rig.write("three\n"); // one that has
    return Promise.resolve();
  };
  await rotation.rotate("asked");
  assert.deepEqual(rig.files(), ["", `${stamp}.gz`]);
  assert.equal(rig.content(`${stamp}.gz`), "one\ntwo\n");
  assert.equal(rig.content(""), "three\n");
  assert.equal(rig.reopened, 1);
  const [line] = rig.lines;
  assert.deepEqual([line?.["event"], line?.["file"], line?.["reason"]], ["log.rotated", rig.file + stamp, "asked"]);
});

test("log rotation: the file, its successor and its compressed form are as secret as it was", async (t) => {
  const rig = new Rig(t);
  rig.write("one\n");
  chmodSync(rig.file, 0o600);
  await rig.start().rotate("asked");
  for (const rest of rig.files()) assert.equal(statSync(rig.file + rest).mode & 0o777, 0o600, rest);
});

test("log rotation: the size is looked at every 2 s, and a file is rotated when it is larger than that", (t) => {
  const rig = new Rig(t);
  rig.start();
  rig.write(large.slice(1));
  rig.timers.pass(lookMs);
  assert.equal(rig.reopened, 0);
  rig.write("x");
  rig.timers.pass(lookMs - 1);
  assert.equal(rig.reopened, 0);
  rig.timers.pass(1);
  assert.deepEqual([rig.reopened, rig.files()], [1, ["", ".20261121-085204"]]);
});

test("log rotation: a file that came meanwhile is looked at too, and its absence is nobody's fault", async (t) => {
  const rig = new Rig(t);
  rig.start();
  rig.timers.pass(lookMs);
  rig.write(large);
  rig.timers.pass(lookMs);
  await rig.logged(1);
  rig.timers.pass(lookMs);
  assert.deepEqual(rig.events(), ["log.rotated"]);
});

for (const [format, line] of [
  ["JSON", `{"level":"info","time":"${new Date(startMs - hourMs).toISOString()}","msg":"x"}\n`],
  ["SRS's", "[2026-11-21 07:52:00.975][INFO][7][12345678] x\n"],
] as const) {
  test(`log rotation: the age of a log in ${format} format is that of its first line, across restarts`, (t) => {
    const rig = new Rig(t, { maxSizeBytes: null, maxAgeMs: hourMs + lookMs });
    rig.write(line);
    rig.write(line.replace("07:52", "08:52"));
    rig.start().close();
    rig.start();
    rig.timers.pass(lookMs);
    assert.equal(rig.reopened, 0);
    rig.timers.pass(lookMs);
    assert.deepEqual([rig.reopened, rig.files()], [1, ["", ".20261121-085204"]]);
  });
}

test("log rotation: a file whose first line has no time is as old as the file, and an empty one has no age", (t) => {
  // The file is born now, so the fake clock begins now.
  const rig = new Rig(t, { maxSizeBytes: null, maxAgeMs: 1000 }, "srs.log", Date.now());
  rig.write("");
  rig.start();
  rig.timers.pass(lookMs);
  assert.equal(rig.reopened, 0);
  rig.write("Segmentation fault\n");
  rig.timers.pass(lookMs);
  assert.equal(rig.reopened, 1);
});

test("log rotation: neither size nor age given, nothing is moved, compressed or deleted", (t) => {
  const rig = new Rig(t, { maxSizeBytes: null, maxAgeMs: null, maxFiles: 1 });
  writeFileSync(`${rig.file}.20200101-000000`, "a");
  writeFileSync(`${rig.file}.20200102-000000.gz.tmp`, "b");
  rig.write(large);
  rig.start();
  rig.timers.pass(hourMs);
  assert.deepEqual(rig.files(), ["", ".20200101-000000", ".20200102-000000.gz.tmp"]);
});

test("log rotation: a limit that nobody asked for is told once, at the start, with what changes it", (t) => {
  const rig = new Rig(t, { givesWay: true, maxSizeBytes: 100 << 20 });
  rig.write("");
  rig.start();
  rig.timers.pass(5 * lookMs);
  const [line, ...others] = rig.lines;
  assert.deepEqual([line?.["event"], line?.["file"], line?.["maxSizeMiB"], line?.["maxFiles"]], ["log.limited", rig.file, 100, 10]);
  assert.match(
    String(line?.["msg"]),
    /rotated at 100 MiB, 10 rotated files are kept: dolphin \{ log_max_size; log_max_files; \} change that/,
  );
  assert.deepEqual(others, []);
});

test("log rotation: a limit that nobody asked for leaves alone what lay there before, until it has rotated itself", async (t) => {
  const rig = new Rig(t, { givesWay: true, maxFiles: 1 });
  const older = [".20251121-085200", ".20251121-085201"];
  for (const rest of older) writeFileSync(rig.file + rest, "somebody else's");
  rig.write(large);
  const rotation = rig.start();
  await new Promise(setImmediate);
  assert.deepEqual(rig.files(), ["", ...older]);
  rig.timers.pass(lookMs);
  await rotation.rotate("waits for the compression");
  assert.equal(rig.files().length, 2, rig.files().join());
});

test("log rotation: a limit that nobody asked for gives way to whoever moves the file away, for as long as he does", async (t) => {
  const rig = new Rig(t, { givesWay: true });
  rig.write("one");
  const rotation = rig.start();
  const isRotatedByUs = (): boolean => rig.files().some((rest) => rest.startsWith(".2"));
  const month = 31 * 24 * hourMs;
  for (const name of [".1", ".2-of-logrotate"]) {
    renameSync(rig.file, rig.file + name);
    rig.reopenAll = () => Promise.resolve(rig.write(large));
    await rotation.reopen();
    assert.match(String(rig.lines.at(-1)?.["msg"]), /every process has reopened its log, and leaves its size to whoever moved it away$/);
    rig.timers.pass(month);
    assert.equal(isRotatedByUs() && name === ".1", false);
  }
  rig.reopenAll = () => Promise.resolve();
  assert.deepEqual(rig.files(), ["", ".1", ".2-of-logrotate"]);
  rig.timers.pass(month);
  await rotation.rotate("waits for the compression");
  assert.ok(
    rig.files().some((rest) => rest.endsWith(".gz")),
    rig.files().join(),
  );
});

test("log rotation: USR1 without a file that was moved, and a limit that was asked for, give no way", async (t) => {
  for (const [givesWay, isMoved] of [
    [true, false],
    [false, true],
  ] as const) {
    const rig = new Rig(t, { givesWay });
    rig.write("one");
    const rotation = rig.start();
    if (isMoved) renameSync(rig.file, `${rig.file}.1`);
    rig.reopenAll = () => Promise.resolve(rig.write(large));
    await rotation.reopen();
    rig.reopenAll = () => Promise.resolve();
    assert.equal(rig.lines.at(-1)?.["msg"], "every process has reopened its log");
    rig.timers.pass(lookMs);
    await rotation.rotate("waits for the compression");
    assert.ok(
      rig.files().some((rest) => rest.endsWith(".gz")),
      rig.files().join(),
    );
  }
});

test("log rotation: a limit that nobody asked for says nothing of a link or a device, which it leaves alone", (t) => {
  const rig = new Rig(t, { givesWay: true });
  writeFileSync(`${rig.file}.target`, large);
  symlinkSync(`${rig.file}.target`, rig.file);
  rig.start();
  rig.timers.pass(lookMs);
  assert.deepEqual([rig.events(), rig.files()], [[], ["", ".target"]]);
});

test("log rotation: a log on the console is not looked at, and can be asked to reopen", async (t) => {
  const rig = new Rig(t, { file: null });
  const rotation = rig.start();
  rig.timers.pass(hourMs);
  await rotation.rotate("asked");
  await rotation.reopen();
  assert.deepEqual([rig.reopened, rig.events()], [1, ["log.reopened"]]);
});

test("log rotation: no file is overwritten, a name that is taken gets a number", async (t) => {
  const rig = new Rig(t);
  writeFileSync(`${rig.file}${stamp}.gz`, gzipSync("older"));
  const rotation = rig.start();
  for (const text of ["one", "two"]) {
    rig.write(text);
    await rotation.rotate("asked");
  }
  assert.deepEqual(rig.files(), ["", `${stamp}.1.gz`, `${stamp}.2.gz`, `${stamp}.gz`]);
  assert.deepEqual(
    [".gz", ".1.gz", ".2.gz"].map((rest) => rig.content(stamp + rest)),
    ["older", "one", "two"],
  );
});

test("log rotation: the oldest files go, and only those whose names are exactly ours", async (t) => {
  const rig = new Rig(t, { maxFiles: 3 });
  const foreign = [".1", ".20200101", ".20200101-000000.bz2", ".20200101-000000x", ".bak", "-20200101.gz"];
  const ours = [".20200101-000000.gz", ".20200102-000000.2.gz", ".20200102-000000.10.gz", ".20200102-000000.gz"];
  for (const rest of [...foreign, ...ours]) writeFileSync(rig.file + rest, gzipSync(rest));
  mkdirSync(`${rig.file}.20190101-000000`);
  rig.write("one");
  await rig.start().rotate("asked");
  const kept = [".20200102-000000.2.gz", ".20200102-000000.10.gz", `${stamp}.gz`];
  assert.deepEqual(rig.files(), ["", ".20190101-000000", ...foreign, ...kept].sort());
});

test("log rotation: without compression files stay plain, and are counted alike", async (t) => {
  const rig = new Rig(t, { maxFiles: 1, isCompressed: false });
  writeFileSync(`${rig.file}.20200101-000000.gz`, gzipSync("old"));
  rig.write("one\n");
  await rig.start().rotate("asked");
  assert.deepEqual(rig.files(), ["", stamp]);
  assert.equal(rig.content(stamp), "one\n");
});

test("log rotation: a start finishes what a crash left half done", async (t) => {
  const rig = new Rig(t);
  writeFileSync(`${rig.file}.20200101-000000`, "renamed only");
  writeFileSync(`${rig.file}.20200102-000000`, "half compressed");
  writeFileSync(`${rig.file}.20200102-000000.gz.tmp`, gzipSync("half compressed").subarray(0, 20));
  writeFileSync(`${rig.file}.20200103-000000`, "compressed and not removed");
  writeFileSync(`${rig.file}.20200103-000000.gz`, gzipSync("compressed and not removed"));
  writeFileSync(`${rig.file}.20200104-000000.2.gz.tmp`, "of a file that is gone");
  writeFileSync(`${rig.file}.notes.gz.tmp`, "somebody's");
  rig.write("one");
  await rig.start().rotate("waits for what the start does");
  const older = [".20200101-000000.gz", ".20200102-000000.gz", ".20200103-000000.gz"];
  assert.deepEqual(rig.files(), ["", ...older, `${stamp}.gz`, ".notes.gz.tmp"]);
  assert.equal(rig.content(".20200102-000000.gz"), "half compressed");
  assert.equal(rig.content(".20200103-000000.gz"), "compressed and not removed");
  assert.equal(rig.content(`${stamp}.gz`), "one");
});

test("log rotation: while a renamed file may still be written to, nothing is compressed", async (t) => {
  const rig = new Rig(t);
  writeFileSync(`${rig.file}.20200101-000000`, "old");
  rig.write("one\n");
  let answer = (): void => undefined;
  rig.reopenAll = () => new Promise((resolve) => (answer = resolve));
  const rotated = rig.start().rotate("asked"); // before the start's own work
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
  assert.deepEqual(rig.files(), ["", ".20200101-000000", stamp]);
  appendFileSync(rig.file + stamp, "two\n");
  answer();
  await rotated;
  assert.deepEqual(rig.files(), ["", ".20200101-000000.gz", `${stamp}.gz`]);
  assert.equal(rig.content(`${stamp}.gz`), "one\ntwo\n");
});

test("log rotation: one rotation at a time", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.write("one");
  let answer = (): void => undefined;
  rig.reopenAll = () => new Promise((resolve) => (answer = resolve));
  const first = rotation.rotate("first");
  rig.write(large);
  const second = rotation.rotate("second");
  rig.timers.pass(10 * lookMs);
  assert.equal(rig.reopened, 1);
  answer();
  await Promise.all([first, second]);
  assert.deepEqual([rig.content(`${stamp}.gz`), rig.content("")], ["one", large]);
  assert.deepEqual(rig.events(), ["log.rotated"]);
});

test("log rotation: reopening on request moves nothing, and does not wait for a rotation", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.write(large);
  rig.reopenAll = () => new Promise(() => undefined);
  void rotation.rotate("never ends");
  const files = rig.files();
  rig.reopenAll = () => Promise.resolve();
  await rotation.reopen();
  assert.deepEqual([rig.files(), rig.events()], [files, ["log.reopened"]]);
});

test("log rotation: a process that does not reopen keeps its file, is told once, and is asked again at every look", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.reopenAll = () => Promise.reject(new Error("edge-1 did not reopen its log within 5 s"));
  rig.write("one");
  rig.timers.pass(1000);
  await rotation.rotate("asked");
  for (let look = 0; look < 3; look++) {
    rig.timers.pass(lookMs);
    await new Promise(setImmediate);
  }
  assert.equal(rig.reopened, 4);
  const [line] = rig.lines;
  assert.deepEqual(rig.events(), ["log.failed reopening"]);
  assert.deepEqual([line?.["code"], line?.["msg"]], ["LOG_ROTATE", "edge-1 did not reopen its log within 5 s"]);
  assert.ok(rig.files().includes(".20261121-085201"), "it may still be written to");
  rig.reopenAll = () => Promise.resolve();
  rig.timers.pass(lookMs);
  rig.write("two");
  await rotation.rotate("waits for the compression");
  assert.equal(rig.content(".20261121-085201.gz"), "one");
});

test("log rotation: a request to reopen that fails is told each time", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.reopenAll = () => Promise.reject(new Error("edge-1 did not answer"));
  await rotation.reopen();
  await rotation.reopen();
  assert.deepEqual(rig.events(), ["log.failed reopening", "log.failed reopening"]);
});

test("log rotation: a file that cannot be renamed is told once, and the log goes on in it", (t) => {
  const rig = new Rig(t, {}, `srs.log${"x".repeat(240)}`); // no room for a longer name
  rig.start();
  rig.write(large);
  rig.timers.pass(5 * lookMs);
  assert.deepEqual(rig.events(), ["log.failed renaming"]);
  assert.equal(rig.content(""), large);
});

test("log rotation: a disk without room to compress is told once with its errno, and the file stays as it is", async (t) => {
  const rig = new Rig(t);
  rig.write("one\n");
  symlinkSync("/dev/full", `${rig.file}${stamp}.gz.tmp`);
  const rotation = rig.start();
  await rotation.rotate("asked");
  assert.deepEqual(rig.events(), ["log.rotated", "log.failed compressing"]);
  assert.equal(Object(rig.lines[1]?.["err"])["errno"], -28);
  assert.deepEqual([rig.files(), rig.content(stamp)], [["", stamp], "one\n"]);
  rig.timers.pass(1000);
  await rotation.rotate("with room");
  assert.deepEqual(rig.files(), ["", `${stamp}.gz`, ".20261121-085201.gz"]);
});

test("log rotation: a link or a device is not rotated, and that is told once", (t) => {
  const rig = new Rig(t);
  symlinkSync("/dev/null", rig.file);
  rig.start();
  rig.timers.pass(5 * lookMs);
  assert.deepEqual([rig.reopened, rig.events()], [0, ["log.failed looking"]]);
});

test("log rotation: other settings count from the next look on", (t) => {
  const rig = new Rig(t, { maxSizeBytes: null });
  const rotation = rig.start();
  rig.write(large);
  rig.timers.pass(lookMs);
  rotation.reconfigure({ ...rig.settings, maxSizeBytes: 1024 });
  assert.equal(rig.reopened, 0);
  rig.timers.pass(lookMs);
  assert.equal(rig.reopened, 1);
});

test("log rotation: once closed it looks at nothing and leaves nothing half done", async (t) => {
  const rig = new Rig(t);
  const rotation = rig.start();
  rig.write(large);
  const rotated = rotation.rotate("asked");
  rotation.close();
  rotation.close();
  await rotated;
  rig.write(large);
  rig.timers.pass(hourMs);
  assert.ok(rig.reopened <= 1);
  assert.ok(rig.files().every((rest) => !rest.endsWith(".tmp")));
  assert.ok(rig.events().every((event) => event === "log.rotated"));
});
