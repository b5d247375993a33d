import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { haveRested, loadQuiet } from "../../../src/conf/load-quiet.js";
import { loadConfig, type Loaded } from "../../../src/conf/load.js";
import { formatProblem } from "../../../src/conf/grammar/problem.js";

const whole = "listen 1935; vhost a { } vhost b { play { gop_cache off; } }";

/** What is loaded while the file says one text after the other, a step at each pause, and then the last one. */
async function loadWhile(texts: readonly string[], isAtRest = false): Promise<Loaded> {
  let at = 0;
  const text = (): string => texts[Math.min(at, texts.length - 1)] ?? "";
  const pause = (): Promise<void> => {
    at += 1;
    return Promise.resolve();
  };
  return loadQuiet(
    () => loadConfig({ file: "f", read: text }),
    "f",
    pause,
    () => isAtRest,
  );
}

test("a file that is written in place is read when it is whole, wherever it was cut off", async () => {
  for (let cut = 0; cut < whole.length; cut++) {
    const { config, problems } = await loadWhile([whole.slice(0, cut), whole]);
    assert.deepEqual(problems, [], whole.slice(0, cut));
    assert.equal(config?.vhosts.length, 2);
  }
});

test("a file that rests is read as it is, be it wrong", async () => {
  const { config, problems } = await loadWhile(["listen 1935; vhost a {"]);
  assert.equal(config, null);
  assert.deepEqual(
    problems.map(({ code }) => code),
    ["CONF_SYNTAX"],
  );
});

test("a file that nobody has touched for a while is read once", async () => {
  const { config } = await loadWhile([whole, "listen 1935;"], true);
  assert.equal(config?.vhosts.length, 2);
});

test("files have rested when none of them was touched in the last seconds", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-rest-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.conf");
  writeFileSync(file, whole);
  utimesSync(file, 1, 1); // as `cp -p` and rsync leave what they have only now written
  assert.equal(haveRested([file]), false);
  assert.equal(haveRested([file], Date.now() + 60_000), true);
  assert.equal(haveRested([file, join(folder, "gone.conf")], Date.now() + 60_000), false);
  assert.equal(haveRested([]), true);
});

test("a file that never rests is refused with a sentence", async () => {
  const { config, problems } = await loadWhile(Array.from({ length: 100 }, (_, at) => `listen ${at + 1}; vhost a { }`));
  assert.equal(config, null);
  assert.match(problems.map(formatProblem).join(), /^f:1:1: CONF_FILE: it changes all the time: read 20 times/);
});
