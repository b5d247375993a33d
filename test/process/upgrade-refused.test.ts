// An upgrade to something that does not serve, or where there can be none, changes nothing and is told why.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { upgrade } from "../../src/master/control/client.js";
import { assertGoOn, audience, closeAll } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { isRunning } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { temporaryFolder } from "../helpers/launch.js";

function assertOnlyError(dolphin: Dolphin, event: string): void {
  const errors = dolphin.logLines(({ level }) => level === "error").map((line) => line.event);
  assert.deepEqual(new Set(errors), new Set([event]));
}

void test("a new process that does not serve changes nothing", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  const folder = temporaryFolder(t);
  const pids = dolphin.pids;
  const upgradeTo = async (text: string): Promise<string> => {
    const script = join(folder, "other.js");
    writeFileSync(script, text);
    const { outcome, problems } = await upgrade(dolphin.controlSocket, { execPath: process.execPath, script });
    assert.equal(outcome, "refused");
    return problems.join();
  };
  assert.match(await upgradeTo("process.exit(3)"), /it ended with exit code 3/);
  assert.match(await upgradeTo("process.kill(process.pid, 'SIGSEGV')"), /it was ended by SIGSEGV/);
  assert.match(await upgradeTo("setInterval(() => {}, 1000)"), /it was not ready within \d+ s/);
  const { execPath } = process;
  assert.match((await upgrade(dolphin.controlSocket, { execPath, script: "/nowhere/dolphin.js" })).problems.join(), /exit code 1/);
  await assertGoOn(viewers, 30);
  assert.deepEqual(dolphin.pids, pids);
  const alive = (await dolphin.status()).processes.map(({ name, pid }) => [name, pid]);
  assert.deepEqual(Object.fromEntries(alive), pids, "the same processes");
  closeAll(viewers);
  assertOnlyError(dolphin, "upgrade.failed");
});

void test("a file with an error is told, and the old process goes on with the one before", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  dolphin.writeConf("listen 1935; no_such_directive on;");
  await assert.rejects(dolphin.ask("upgrade"), /no_such_directive/);
  assert.ok(isRunning(dolphin.pid));
  assertOnlyError(dolphin, "upgrade.failed");
});

void test("a file that was cut off to nothing keeps an upgrade from emptying the box", async (t) => {
  const vhosts = join(temporaryFolder(t), "vhosts.conf");
  writeFileSync(vhosts, "vhost __defaultVhost__ { min_latency on; }");
  const dolphin = await Dolphin.start(t, { conf: `listen 1935; include ${vhosts};` });
  const before = dolphin.pid;
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  writeFileSync(vhosts, "");
  await assert.rejects(dolphin.ask("upgrade"), /is empty, and what it said is in force/);
  await assertGoOn(viewers, 20);
  assert.equal((await dolphin.status()).processes[0]?.pid, before);
  closeAll(viewers);
  await dolphin.stop();
});

for (const [what, args, why] of [
  ["plan b", ["--plan", "b"], /plan b/],
  ["carry_sessions off", [], /carry_sessions/],
] as const) {
  void test(`${what}: an upgrade is refused with the reason`, async (t) => {
    const conf = what === "plan b" ? promptConf : `${promptConf} dolphin { carry_sessions off; }`;
    const dolphin = await Dolphin.start(t, { cores: 1, conf, args });
    await assert.rejects(dolphin.ask("upgrade"), why);
    await dolphin.stop();
  });
}
