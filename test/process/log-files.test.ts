// What the log's lines look like where they go: in SRS's format, of a level, on the console and on a terminal.
import assert from "node:assert/strict";
import { existsSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot, start } from "../helpers/child.js";
import { LoggingBox } from "../helpers/logging-box.js";
import { eventually, within } from "../helpers/wait.js";

const srsLine =
  /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\](?:\[(?:TRACE|DEBUG|INFO)\]\[\d+\]\[[\w-]{8}\]|\[(?:WARN|ERROR)\]\[\d+\]\[[\w-]{8}\]\[\d+\]) \S.*$/;
const logModule = join(projectRoot, "dist/src/base/log.js");

void test("with srs_log_format srs every line of every process is SRS's", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_file LOG; srs_log_format srs;");
  await box.visit("stream");
  await box.stop();
  const lines = box.lines();
  for (const line of lines) assert.match(line, srsLine);
  const started = lines.find((line) => line.includes("event=play.started"));
  const closed = lines.find((line) => line.includes("event=rtmp.closed"));
  const connection = /^\[[^\]]+\]\[INFO\]\[\d+\]\[([\w-]{8})\]/;
  assert.ok(started !== undefined && closed !== undefined, lines.join("\n"));
  assert.equal(connection.exec(started)?.[1], connection.exec(closed)?.[1], "the cid joins the lines of a connection");
});

void test("a log whose size nobody limits is rotated at 100 MiB all the same, and the start says so in one line", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_file LOG;");
  const told = box.lines().filter((line) => line.includes('"log.limited"'));
  assert.equal(told.length, 1);
  assert.match(told[0] ?? "", /"maxSizeMiB":100,"maxFiles":10,.*log_max_size/);
  truncateSync(box.file, (100 << 20) + 1); // as if much had been written; lines go on behind it
  await eventually(() => box.files().some((name) => /^srs\.log\.\d{8}-\d{6}\.gz$/.test(name)), {
    timeoutMs: 20_000,
    what: "a rotated file",
  });
  await box.stop();
});

void test("the console tank prints the lines and makes no file, and a level leaves out what is quieter", async (t) => {
  const box = await LoggingBox.start(t, "srs_log_tank console; srs_log_file LOG; srs_log_format srs; srs_log_level warn;");
  await box.visit("stream");
  await box.bother();
  await eventually(() => box.printed.length > 0, { what: "the warning" });
  await box.stop();
  for (const line of box.printed) assert.match(line, /\]\[(?:WARN|ERROR)\]\[/);
  for (const line of box.printed) assert.match(line, srsLine);
  assert.equal(existsSync(box.file), false);
});

for (const { env, what, colour } of [
  { env: {}, what: "a warning on a terminal is yellow in both formats", colour: ["\u001b[33m", "\u001b[0m"] },
  { env: { NO_COLOR: "1" }, what: "NO_COLOR keeps a terminal's lines plain in both formats", colour: [] },
] as const) {
  void test(what, async () => {
    for (const format of ["json", "srs"]) {
      const options = JSON.stringify({ role: "master", child: null, level: "info", format, file: null });
      const code = `import(${JSON.stringify(logModule)}).then(({ createLog }) => createLog(${options}).warn("careful"))`;
      // script(1) runs a command on a terminal of its own.
      const lines: string[] = [];
      const command = `${process.execPath} -e '${code}'`;
      const child = start("script", ["--quiet", "--return", "--command", command, "/dev/null"], {
        env: { NO_COLOR: "", ...env },
        onLine: (line) => lines.push(line.trimEnd()),
      });
      assert.deepEqual(await within(child.ended, 10_000, "script"), { code: 0, signal: null }, child.output());
      const line = lines.find((one) => one.includes("careful")) ?? "";
      assert.match(line, /master.*careful|careful role=master/);
      const [first = "", last = ""] = colour;
      assert.ok(line.startsWith(first) && line.endsWith(last), line);
      assert.equal(line.includes("\u001b"), colour.length > 0);
      assert.ok(!line.includes("{"), "it is a line for people");
    }
  });
}
