// The one server of plan single: its connections go over to the one that replaces it, streams and all; and when it is killed, those
// who watch wait for their publisher to come back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertForward, assertGoOn, audience, closeAll, inLull } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { steadyPublisherAt } from "../helpers/edges.js";
import { waitUntilGone } from "../helpers/processes.js";

const args = ["--plan", "single"];

void test("a server that is replaced leaves publishers and viewers to its heir, without a picture missing, again and again", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const viewers = await audience(t, dolphin, "server", "server");
  for (let round = 0; round < 2; round++) {
    const from = dolphin.logLength;
    if (round === 1) await dolphin.reload(promptConf.replace("enabled on; listen 8080;", "enabled on; listen 8080; crossdomain off;"));
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted", { from });
    await assertGoOn(viewers, 50);
  }
  await dolphin.waitFor("child.exited", { where: ({ child }) => child === "server.2" });
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  closeAll(viewers);
  await dolphin.stop();
});

void test("a whole box of one server is upgraded, and nobody misses a picture", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const viewers = await audience(t, dolphin, "server", "server");
  for (let round = 0; round < 2; round++) {
    const before = dolphin.pid;
    assert.match(await dolphin.ask("upgrade"), /^done\ndolphin \S+ serves, pid \d+$/);
    await assertGoOn(viewers, 50);
    await waitUntilGone([before], 10_000);
  }
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  closeAll(viewers);
  await dolphin.stop();
});

void test("viewers of a server that is killed stay, and go on when their publisher is back, in the time that they know", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const viewers = await audience(t, dolphin, "server", "server");
  const from = dolphin.logLength;
  await inLull(dolphin, viewers.source, viewers, () => process.kill(dolphin.pidOf("server"), "SIGKILL"));
  const { childPid } = await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server" });
  dolphin.pids = { ...dolphin.pids, server: Number(childPid) };
  const had = viewers.map(({ media }) => media.length);
  await steadyPublisherAt(t, dolphin, "server", "show");
  await Promise.all(viewers.map((viewer, at) => viewer.waitForMedia((had[at] ?? 0) + 50, 15_000)));
  for (const viewer of viewers) assertForward(viewer);
  closeAll(viewers);
  await dolphin.stop({ allow: ({ event }) => event === "child.exited" });
});
