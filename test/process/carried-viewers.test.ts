// Viewers outlive the process that serves them: an edge is killed, hangs, or is replaced, and those who watch there go on in
// another process without a picture missing or coming twice, over RTMP and over HTTP-FLV.
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { assertGoOn, assertInOrder, audience, closeAll, flvAt, inLull, waitForMore } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { killChild, untilKept } from "../helpers/carried.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { freeze } from "../helpers/processes.js";
import { within } from "../helpers/wait.js";

const provoked = new Set(["child.exited", "child.hung"]);

void test("viewers of an edge that is killed go on at another, without a picture missing", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  await inLull(dolphin, viewers.source, viewers, () => process.kill(dolphin.pidOf("edge-1"), "SIGKILL"));
  await assertGoOn(viewers);
  const resumed = dolphin.logLines(({ event }) => event === "connections.resumed").map(({ count }) => Number(count));
  assert.equal(
    resumed.reduce((sum, count) => sum + count, 0),
    viewers.length,
  );
  closeAll(viewers);
  await dolphin.stop({ allow: ({ event }) => provoked.has(event ?? "") });
});

void test("edges are killed in turn: no publisher and no viewer is disconnected, no picture is missing", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  // The publisher came in at edge-2; whoever is moved has been moved before.
  for (const victim of ["edge-2", "edge-1", "edge-2"]) {
    await killChild(dolphin, victim, (kill) => inLull(dolphin, viewers.source, viewers, kill));
    await assertGoOn(viewers, 30);
  }
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  closeAll(viewers);
  await dolphin.stop({ allow: ({ event }) => provoked.has(event ?? "") || event === "pull.lost" });
});

void test("viewers of an edge that hangs go on at another once it is taken for dead", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { heartbeat_timeout 2; }` });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  await inLull(dolphin, viewers.source, viewers, () => freeze(dolphin.pidOf("edge-1")));
  // What was sent while nobody knew may be lost, but nothing comes twice and no time runs backwards.
  await waitForMore(viewers, 100);
  viewers.forEach(assertInOrder);
  closeAll(viewers);
  await dolphin.stop({ allow: ({ event }) => provoked.has(event ?? "") });
});

void test("a rolling restart moves every viewer, and the old edges leave at once", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  for (let round = 0; round < 3; round++) {
    const from = dolphin.logLength;
    dolphin.signal("SIGUSR2");
    await dolphin.waitFor("dolphin.restarted", { from });
    await assertGoOn(viewers, 30);
  }
  await dolphin.waitFor("child.exited", { where: ({ child }) => child === "edge-1.3" });
  closeAll(viewers);
  await dolphin.stop();
});

void test("a worker that is over its age is replaced, and its viewers do not notice", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  await dolphin.reload(`${promptConf} dolphin { worker_max_age 1; }`);
  await dolphin.waitFor("worker.over", { where: ({ child }) => child === "edge-1", timeoutMs: 20_000 });
  await dolphin.reload(promptConf);
  await assertGoOn(viewers);
  closeAll(viewers);
  await dolphin.stop();
});

void test("a viewer of HTTP-FLV who resets after it was moved costs nobody else anything", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  const viewers = await audience(t, dolphin, "edge-1", "edge-2");
  const raw = connect(dolphin.httpPort, "127.0.0.1").on("error", () => undefined);
  t.after(() => raw.destroy());
  raw.write("GET /live/show.flv HTTP/1.1\r\nHost: localhost\r\n\r\n");
  await within(once(raw, "data"), 5000, "its stream");
  const moved = dolphin.logLength;
  dolphin.signal("SIGUSR2");
  await dolphin.waitFor("dolphin.restarted", { from: moved });
  await assertGoOn(viewers, 30);
  const from = dolphin.logLength;
  raw.resetAndDestroy();
  await dolphin.waitFor("flv.closed", { from });
  await assertGoOn(viewers, 30);
  closeAll(viewers);
  await dolphin.stop();
});

void test("a connection that ends is closed in the master too, and whoever closes first", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  await steadyPublisherAt(t, dolphin, "edge-2", "show");
  await (await playerAt(t, dolphin, "show", dolphin.pidOf("edge-1"))).waitForMedia(10); // the edge pulls from here on
  await untilKept(dolphin, 1);
  const viewers = [await playerAt(t, dolphin, "show", dolphin.pidOf("edge-1")), await flvAt(t, dolphin, "edge-1")];
  for (const viewer of viewers) await viewer.waitForMedia(10);
  await untilKept(dolphin, 3);
  for (const viewer of viewers) viewer.close();
  await untilKept(dolphin, 1);
  // A vhost that goes takes its viewers with it: they must hear of it though the master has a copy.
  const [rtmp, flv] = [await playerAt(t, dolphin, "show", dolphin.pidOf("edge-1")), await flvAt(t, dolphin, "edge-1")];
  await Promise.all([rtmp, flv].map((one) => one.waitForMedia(10)));
  await dolphin.stop();
  await within(Promise.all([rtmp.ended, flv.ended]), 3000, "the viewers to hear that it is over");
});
