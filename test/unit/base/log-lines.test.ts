import assert from "node:assert/strict";
import { test } from "node:test";
import { forPeople, forSrs, restyle } from "../../../src/base/log-lines.js";

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

/** What SRS's own lines look like, and what reads them expects. */
const srsLine =
  /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\](?:\[(?:TRACE|DEBUG|INFO)\]\[\d+\]\[[\w-]{8}\]|\[(?:WARN|ERROR)\]\[\d+\]\[[\w-]{8}\]\[\d+\]) \S.*$/;

test("log lines: people read time, level, process, event, sentence, and the other fields", () => {
  assert.equal(forPeople(entry), '03:04:05 info  edge-1   rtmp.closed bye app=live at={"port":1}');
});

test("log lines: people read the role where there is no child, and no gaps where there is no event", () => {
  const plain = { level: "error", time: "2026-01-02T03:04:05.678Z", role: "master", pid: 7, msg: "bye" };
  assert.equal(forPeople(plain), "03:04:05 error master   bye");
});

test("log lines: SRS's line has local time, level, pid and connection in brackets, then the sentence and the facts", () => {
  const time = new Date(2026, 10, 21, 8, 52, 0, 975).toISOString();
  const line = forSrs({ ...entry, time, conn: "Ab3_-9xz", peer: null }, "12345678");
  assert.equal(line, '[2026-11-21 08:52:00.975][INFO][7][Ab3_-9xz] bye child=edge-1 event=rtmp.closed app=live at={"port":1}');
});

test("log lines: SRS's line is about the process where it is about no connection, and begins with a fact where it has no sentence", () => {
  const line = forSrs({ level: "info", time: entry.time, role: "master", pid: 7, event: "x.y" }, "12345678");
  assert.match(line, /\]\[INFO\]\[7\]\[12345678\] role=master event=x\.y$/);
});

for (const [level, printed] of [
  ["trace", "TRACE"],
  ["debug", "DEBUG"],
  ["info", "INFO"],
] as const) {
  test(`log lines: SRS's line of level ${level} is ${printed} and has no errno`, () =>
    assert.match(forSrs({ ...entry, level }, "12345678"), new RegExp(`\\]\\[${printed}\\]\\[7\\]\\[12345678\\] bye `)));
}

for (const [level, printed] of [
  ["warn", "WARN"],
  ["error", "ERROR"],
  ["fatal", "ERROR"],
] as const) {
  test(`log lines: SRS's line of level ${level} is ${printed} and has the errno of its error, or 0`, () => {
    const err = { type: "Error", message: "reset", stack: "Error: reset\n    at x", errno: -104 };
    assert.match(forSrs({ ...entry, level, err }, "12345678"), new RegExp(`\\]\\[${printed}\\]\\[7\\]\\[12345678\\]\\[104\\] bye `));
    assert.match(forSrs({ ...entry, level, err: "reset" }, "12345678"), new RegExp(`\\]\\[${printed}\\]\\[7\\]\\[12345678\\]\\[0\\] bye `));
  });
}

test("log lines: names from outside make no line, no field and no command of a terminal, in either style", () => {
  const stream = 'a\n[x] b="c\u001b[2J\u202e';
  const err = { message: "m", stack: "Error: m\n    at x" };
  for (const line of [forPeople({ ...entry, stream, err, msg: stream }), forSrs({ ...entry, stream, err, msg: stream }, "12345678")]) {
    assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
    assert.ok(line.includes(String.raw`stream="a\n[x] b=\"c\u001b[2J\u{202e}"`), line);
    assert.ok(line.includes(String.raw`err="Error: m\n    at x"`), line);
  }
});

test("log lines: every style of line is recognised as SRS's", () => {
  for (const level of ["trace", "debug", "info", "warn", "error", "fatal"]) assert.match(forSrs({ ...entry, level }, "12345678"), srsLine);
});

test("log lines: on a terminal warnings are yellow and errors red, the whole line as SRS does", () => {
  const styled = (level: string, hasColours: boolean): string => restyle(JSON.stringify({ level }), () => "text", hasColours);
  assert.equal(styled("info", true), "text\n");
  assert.equal(styled("warn", true), "\u001b[33mtext\u001b[0m\n");
  for (const level of ["error", "fatal"]) assert.equal(styled(level, true), "\u001b[31mtext\u001b[0m\n");
  for (const level of ["info", "warn", "error"]) assert.equal(styled(level, false), "text\n");
});

test("log lines: what is no JSON is printed as it is", () =>
  assert.equal(restyle("Segmentation fault\n", forPeople, true), "Segmentation fault\n"));
