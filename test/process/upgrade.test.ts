// dolphin upgrade: a new master, perhaps of another version, takes the place of the running one, and nobody is disconnected. One
// that may not or cannot is in upgrade-refused.test.ts.
import assert from "node:assert/strict";
import { cpSync, existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { assertGoOn, audience, closeAll } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { projectRoot } from "../helpers/child.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { probe, publish, record } from "../helpers/ffmpeg.js";
import { temporaryFolder } from "../helpers/launch.js";
import { waitUntilGone } from "../helpers/processes.js";
import { eventually } from "../helpers/wait.js";

/** A copy of this build that says to be of another version. */
function previousBuild(t: Cleanup): string {
  const folder = temporaryFolder(t);
  for (const part of ["bin", "dist/src"]) cpSync(join(projectRoot, part), join(folder, part), { recursive: true });
  symlinkSync(join(projectRoot, "node_modules"), join(folder, "node_modules"));
  const manifest = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as object;
  writeFileSync(join(folder, "package.json"), JSON.stringify({ ...manifest, version: "0.0.1" }));
  return join(folder, "bin/dolphin.js");
}

void test("everybody goes on in the new process, without a picture missing, again and again", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, program: previousBuild(t) });
  assert.match(await dolphin.ask("status"), /^dolphin 0\.0\.1, /);
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  for (let round = 0; round < 2; round++) {
    const before = dolphin.pid;
    const answer = await dolphin.ask("upgrade");
    assert.match(answer, /^done\ndolphin \S+ serves, pid \d+$/);
    assert.doesNotMatch(answer, /0\.0\.1/);
    assert.ok(answer.endsWith(`pid ${dolphin.pid}`) && dolphin.pid !== before);
    await assertGoOn(viewers, 50);
    await waitUntilGone([before], 10_000);
  }
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  closeAll(viewers);
  await dolphin.stop();
});

void test("ffmpeg publishes and records across an upgrade as if nothing was", async (t) => {
  const folder = temporaryFolder(t);
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const source = publish(dolphin.rtmpUrl("real"), { seconds: 60, gop: 50 });
  t.after(() => void source.stop());
  await source.started;
  const urls = [dolphin.rtmpUrl("real"), dolphin.flvUrl("real")];
  const files = urls.map((_, at) => join(folder, `${at}.flv`));
  const recorded = Promise.all(urls.map((url, at) => record(url, files[at] ?? "", 8)));
  await eventually(async () => (await dolphin.status()).streams[0]?.players === 2, { what: "both to watch" });
  await dolphin.ask("upgrade");
  await recorded;
  for (const file of files) {
    const times = (await probe(file)).packets.filter(({ codecType }) => codecType === "video").map(({ dtsMs }) => dtsMs);
    assert.ok(times.length > 150);
    assert.deepEqual(
      times.slice(1).filter((time, at) => time - (times[at] ?? 0) > 45),
      [],
      "no picture is missing at 25 a second",
    );
  }
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  await source.stop();
  await dolphin.stop();
});

void test("the pid file, the control socket and the server's id are the new process's", async (t) => {
  const folder = temporaryFolder(t);
  const pidFile = join(folder, "d.pid");
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} pid ${pidFile};` });
  const pid = (): number => Number(readFileSync(pidFile, "utf8"));
  const [before, { serverId }] = [pid(), await dolphin.status()];
  await dolphin.ask("upgrade");
  assert.equal(pid(), dolphin.pid);
  assert.equal((await dolphin.status()).serverId, serverId);
  await waitUntilGone([before], 10_000);
  assert.ok(existsSync(dolphin.controlSocket), "its end takes nothing along");
  assert.equal(pid(), dolphin.pid);
  await dolphin.stop();
  assert.equal(readFileSync(pidFile, "utf8"), "");
});
