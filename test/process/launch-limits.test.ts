// What a box asks of its surroundings: a parent that lives (asprocess), and open files for its connections.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { projectRoot, start, type Child } from "../helpers/child.js";
import type { LogLine } from "../helpers/dolphin.js";
import { temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { eventually, within } from "../helpers/wait.js";

const vhost = "vhost __defaultVhost__ { }";

interface Started {
  readonly shell: Child;
  lines(event: string): LogLine[];
}

/** Starts a box by a line of shell in which `$DOLPHIN` is the command. */
async function startBy(t: TestContext, line: string, conf: string): Promise<Started> {
  const folder = temporaryFolder(t);
  const file = join(folder, "x.conf");
  writeFileSync(file, `listen 127.0.0.1:${await freePort()}; daemon off; pid off; srs_log_tank console; ${conf} ${vhost}`);
  const command = `${process.execPath} ${join(projectRoot, "bin/dolphin.js")} -c ${file}`;
  const shell = start("/bin/sh", ["-c", line.replace("$DOLPHIN", command)], { cwd: folder, env: { XDG_RUNTIME_DIR: folder } });
  const lines = (event: string): LogLine[] =>
    shell
      .output()
      .split("\n")
      .filter((text) => text.startsWith("{"))
      .map((text) => JSON.parse(text) as LogLine)
      .filter((entry) => entry.event === event);
  t.after(async () => {
    const pid = lines("dolphin.started")[0]?.["pid"];
    await shell.stop("SIGKILL");
    if (typeof pid === "number" && lines("dolphin.stopped").length === 0) process.kill(pid, "SIGKILL");
  });
  return { shell, lines };
}

for (const plan of ["a", "b"]) {
  void test(`plan ${plan}: asprocess on ends the box when the program that started it is killed`, async (t) => {
    const box = await startBy(t, "$DOLPHIN & wait", `asprocess on; dolphin { cores 1; plan ${plan}; }`);
    await eventually(() => box.lines("dolphin.ready").length === 1, { what: "the box to be ready", everyMs: 20 });
    process.kill(box.shell.pid, "SIGKILL");
    // The output ends when the last process of the box has ended.
    await within(box.shell.ended, 10_000, () => `the box to end:\n${box.shell.output()}`);
    assert.equal(box.lines("parent.gone")[0]?.["parent"], box.shell.pid);
    assert.equal(box.lines("dolphin.stopped")[0]?.msg, "stopped");
  });
}

void test("connections that do not fit into the open files refuse the start, with the numbers and what to do", async (t) => {
  const box = await startBy(t, "ulimit -n 300; exec $DOLPHIN", "max_connections 1000; dolphin { cores 2; }");
  const { code } = await within(box.shell.ended, 10_000, "dolphin to end");
  assert.equal(code, 78, box.shell.output());
  const [refused] = box.lines("dolphin.refused");
  assert.equal(refused?.code, "CONF_VALUE");
  assert.match(
    refused.msg ?? "",
    /max_connections 1000 needs 628 open files in each of 2 processes, and one may have 300: .*ulimit -n 628/,
  );
});

void test("a box with few open files and no word of its connections starts with a warning", async (t) => {
  const box = await startBy(t, "ulimit -n 300; exec $DOLPHIN", "dolphin { cores 1; }");
  await eventually(() => box.lines("dolphin.ready").length === 1, { what: "the box to be ready", everyMs: 20 });
  assert.match(box.lines("limit.low")[0]?.msg ?? "", /only 300 open files/);
  assert.deepEqual(await box.shell.stop("SIGTERM", 8000), { code: 0, signal: null });
});
