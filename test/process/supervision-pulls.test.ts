// What crosses the lines between edges and origins: one pull per edge and stream, none for what nobody watches, and one for
// a whole box whose origin is far away.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin, type Status } from "../helpers/dolphin.js";
import { playerAtEachEdge, steadyPublisherAt } from "../helpers/edges.js";
import { watchFlv, type FlvPlayer } from "../helpers/flv-reader.js";
import type { RtmpPlayer } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const quickLinger = "dolphin { pull_linger 0.5; }";

void test("an edge pulls a stream once for all of its viewers, for as long as there are any, and none that nobody watches", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} ${quickLinger}` });
  for (const stream of ["watched", "ignored"]) await steadyPublisherAt(t, dolphin, "edge-1", stream);
  const viewers: (RtmpPlayer | FlvPlayer)[] = [];
  for (let round = 0; round < 3; round++) viewers.push(...(await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("watched"))));
  viewers.push(await openFlv(t, dolphin.flvUrl("watched")));
  for (const one of viewers) await one.waitForMedia(10);
  await untilWatchedBy(dolphin, "watched", viewers.length);

  const { streams, processes } = await dolphin.status();
  const told = streams.map(({ stream, state, edges, players }) => ({ stream, state, edges, players }));
  assert.deepEqual(told, [
    { stream: "ignored", state: "publish", edges: 0, players: 0 },
    { stream: "watched", state: "publish", edges: 2, players: 7 },
  ]);
  const { playersOf } = streams.find(({ stream }) => stream === "watched") ?? {};
  assert.ok(
    Object.values(playersOf ?? {}).every((count) => count >= 3),
    JSON.stringify(playersOf),
  );
  assert.deepEqual(pulls(dolphin), ["edge-1 watched", "edge-2 watched"]);
  assert.equal(processes.length, 3);

  for (const one of viewers) one.close();
  await eventually(async () => (await streamOf(dolphin, "watched"))?.edges === 0, { what: "the edges to leave the stream" });
  assert.equal((await streamOf(dolphin, "watched"))?.state, "publish");
  const [again] = await playerAtEachEdge(t, dolphin, dolphin.rtmpUrl("watched"));
  await again?.waitForMedia(10);
  await dolphin.stop();
});

void test("a box that is an edge pulls a stream once from its far origin, however many of its edges serve it", async (t) => {
  const far = await Dolphin.start(t, { conf: promptConf, args: ["--plan", "single"] });
  await steadyPublisherAt(t, far, "server", "afar");
  await steadyPublisherAt(t, far, "server", "ignored");
  const remote = `vhost __defaultVhost__ { cluster { mode remote; origin 127.0.0.1:${far.rtmpPort}; } play { mw_latency 100; } }`;
  const near = await Dolphin.start(t, { cores: 3, conf: `listen 1935; ${quickLinger} ${remote}` });
  const viewers = [...(await playerAtEachEdge(t, near, near.rtmpUrl("afar"))), await openFlv(t, near.flvUrl("afar"))];
  for (const one of viewers) await one.waitForMedia(20);
  await untilWatchedBy(near, "afar", viewers.length);

  const atFar = (await far.status()).streams.map(({ stream, players }) => ({ stream, players }));
  assert.deepEqual(atFar, [
    { stream: "afar", players: 1 },
    { stream: "ignored", players: 0 },
  ]);
  const atNear = (await near.status()).streams.map(({ stream, state, source, edges, players }) => ({
    stream,
    state,
    source,
    edges,
    players,
  }));
  const source = { process: "master", peer: `127.0.0.1:${far.rtmpPort}` };
  assert.deepEqual(atNear, [{ stream: "afar", state: "pull", source, edges: 3, players: 4 }]);

  for (const one of viewers) one.close();
  await eventually(async () => (await streamOf(far, "afar"))?.players === 0, { what: "the box to leave the far origin" });
  assert.deepEqual((await near.status()).streams, [], "the box forgets what nobody watches");
  assert.equal(far.logLines(({ event }) => event === "play.started").length, 1, "one pull was all");
  await near.stop();
  await far.stop();
});

async function openFlv(t: TestContext, url: string): Promise<FlvPlayer> {
  const viewer = await watchFlv(url);
  t.after(() => viewer.close());
  return viewer;
}

async function streamOf(dolphin: Dolphin, name: string): Promise<Status["streams"][number] | undefined> {
  return (await dolphin.status()).streams.find(({ stream }) => stream === name);
}

/** Waits until those who came to the wrong edge are known to have left. */
async function untilWatchedBy(dolphin: Dolphin, name: string, players: number): Promise<void> {
  await eventually(async () => (await streamOf(dolphin, name))?.players === players, { what: `${players} players of ${name}` });
}

function pulls(dolphin: Dolphin): string[] {
  return dolphin
    .logLines(({ event }) => event === "pull.started")
    .map(({ child, stream }) => `${child} ${String(stream)}`)
    .sort();
}
