import assert from "node:assert/strict";
import { test } from "node:test";
import { watchFlv } from "../../helpers/flv-reader.js";
import { pictures } from "../../helpers/media.js";
import { within, eventually } from "../../helpers/wait.js";
import { player, publisher, type RtmpPlayer } from "../../helpers/rtmp-client.js";
import { configOf, Encoder, startServer, watch } from "./rig.js";

const flv = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";

function vhost(name: string, inside = ""): string {
  return `vhost ${name} { min_latency on; ${flv} ${inside} }`;
}

function edgeOf(...origins: readonly string[]): string {
  return vhost("__defaultVhost__", `cluster { mode remote; origin ${origins.join(" ")}; }`);
}

function forwardingTo(...destinations: readonly string[]): string {
  return vhost("__defaultVhost__", `forward { enabled on; destination ${destinations.join(" ")}; }`);
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

async function has(viewer: RtmpPlayer, count: number): Promise<void> {
  await viewer.waitUntil(`${count} pictures`, (messages) => pictures(messages).length >= count);
}

function assertForward(viewer: RtmpPlayer): void {
  const times = viewer.media.map(({ timestamp }) => timestamp);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
}

test("reconfigure: play options change under a viewer, who misses no packet and gets none twice", async (t) => {
  const rig = await startServer(t, `vhost __defaultVhost__ { ${flv} play { mw_latency 300; } }`);
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  encoder.send(10);
  await eventually(() => (rig.stream("s")?.bytesIn ?? 0) > 7000, { everyMs: 5, what: "ten pictures at the server" });
  rig.reconfigure(`vhost __defaultVhost__ { ${flv} play { gop_cache off; mw_latency 100; queue_length 5; } }`);
  encoder.send(10);
  await has(viewer, 20);
  const late = await watch(t, rig.rtmpUrl("s"));
  rig.reconfigure(vhost("__defaultVhost__", "play { gop_cache on; gop_cache_max_frames 100; }"));
  encoder.send(20);
  await has(viewer, 40);
  assert.deepEqual(pictures(viewer.messages), upTo(40));
  await has(late, 20);
  assert.deepEqual(pictures(late.messages), upTo(40).slice(20), "without a GOP cache a viewer begins with what comes next");
  const last = await watch(t, rig.rtmpUrl("s"));
  await has(last, 15);
  assert.deepEqual(pictures(last.messages), upTo(40).slice(25), "with a GOP cache a viewer begins with the last key frame");
});

test("reconfigure: time_jitter holds from the next publisher on, and viewers of both see time go forward", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__", "play { time_jitter off; }"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  const first = await Encoder.open(t, rig.rtmpUrl("s"));
  first.send(30);
  await has(viewer, 30);
  rig.reconfigure(vhost("__defaultVhost__", "play { time_jitter full; }"));
  first.source.close();
  await eventually(() => rig.stream("s")?.state === "wait");
  const second = await Encoder.open(t, rig.rtmpUrl("s"));
  second.send(5);
  await has(viewer, 35);
  assertForward(viewer);
});

test("reconfigure: a chunk size that changes is told to those who find the stream new, and none is served in two sizes", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__", "chunk_size 128;"));
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  rig.reconfigure(vhost("__defaultVhost__", "chunk_size 60000;"));
  const old = await watch(t, rig.rtmpUrl("s"));
  const other = await Encoder.open(t, rig.rtmpUrl("s2"));
  const fresh = await watch(t, rig.rtmpUrl("s2"));
  encoder.send(3);
  other.send(3);
  for (const viewer of [old, fresh]) {
    await has(viewer, 3);
    assert.deepEqual(pictures(viewer.messages), upTo(3));
  }
});

test("reconfigure: a vhost that is removed takes its own clients along and nobody else", async (t) => {
  const rig = await startServer(t, vhost("a") + vhost("b"));
  const [goes, stays] = await Promise.all(["s?vhost=a", "s?vhost=b"].map((stream) => Encoder.open(t, rig.rtmpUrl(stream))));
  const [viewerA, viewerB] = await Promise.all(["s?vhost=a", "s?vhost=b"].map((stream) => watch(t, rig.rtmpUrl(stream))));
  goes!.send(5);
  stays!.send(5);
  const flvA = await watchFlv(rig.flvUrl("s?vhost=a"));
  const flvB = await watchFlv(rig.flvUrl("s?vhost=b"));
  t.after(() => flvB.close());
  rig.reconfigure(vhost("b"));
  const refused = await goes!.source.connection.waitForStatus("NetStream.Publish.Denied");
  assert.match(JSON.stringify(refused.values), /no vhost serves the name a any more/);
  await viewerA!.connection.waitForStatus("NetStream.Play.Failed");
  await within(Promise.all([goes!.source.connection.ended, viewerA!.ended]), 5000, "the end of the clients of a");
  assert.equal(await within(flvA.ended, 5000, "the end of the response"), "complete");
  const lines = rig.lines.filter(({ code }) => code === "RTMP_RELOAD");
  assert.deepEqual(
    lines.map(({ event }) => String(event)).toSorted((a, b) => a.localeCompare(b)),
    ["flv.closed", "rtmp.closed", "rtmp.closed"],
  );
  stays!.send(5);
  await has(viewerB!, 10);
  await flvB.waitUntil("10 pictures", (tags) => pictures(tags).length >= 10);
  assert.deepEqual(pictures(viewerB!.messages), upTo(10));
  await assert.rejects(player(rig.rtmpUrl("s?vhost=a")), /no vhost serves the name a/);
  assert.deepEqual(rig.server.stats().players, 2);
});

test("reconfigure: a vhost that is added serves its name, and its clients leave the default one", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__"));
  const moved = await Encoder.open(t, rig.rtmpUrl("s?vhost=a"));
  const stays = await Encoder.open(t, rig.rtmpUrl("other"));
  rig.reconfigure(vhost("__defaultVhost__") + vhost("a"));
  await within(moved.source.connection.ended, 5000, "the end of the publisher of a");
  const again = await Encoder.open(t, rig.rtmpUrl("s?vhost=a"));
  again.send(3);
  const viewer = await watch(t, rig.rtmpUrl("s?vhost=a"));
  const viewerFlv = await watchFlv(rig.flvUrl("s?vhost=a"));
  t.after(() => viewerFlv.close());
  await has(viewer, 3);
  await viewerFlv.waitUntil("3 pictures", (tags) => pictures(tags).length >= 3);
  assert.equal(rig.stream("s")?.vhost, "a");
  assert.equal(stays.source.connection.endedBy, null);
});

test("reconfigure: without http_remux responses end, and players over RTMP go on", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__"));
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  encoder.send(3);
  const response = await watchFlv(rig.flvUrl("s"));
  rig.reconfigure("vhost __defaultVhost__ { min_latency on; http_remux { enabled off; } }");
  assert.equal(await within(response.ended, 5000, "the end of the response"), "complete");
  assert.equal((await watchFlv(rig.flvUrl("s"))).status, 404);
  encoder.send(3);
  await has(viewer, 6);
});

test("reconfigure: an origin becomes an edge and an origin again, and its players stay", async (t) => {
  const far = await startServer(t, vhost("__defaultVhost__"));
  (await Encoder.open(t, far.rtmpUrl("s"))).sendSteadily(t);
  const rig = await startServer(t, vhost("__defaultVhost__"));
  const first = await Encoder.open(t, rig.rtmpUrl("s"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  first.send(3);
  await has(viewer, 3);

  rig.reconfigure(edgeOf(far.address));
  await first.source.connection.waitForStatus("NetStream.Publish.Denied");
  await within(first.source.connection.ended, 5000, "the end of the publisher");
  await has(viewer, 10);
  assert.deepEqual([rig.stream("s")?.state, rig.stream("s")?.from], ["pull", far.address]);

  rig.reconfigure(vhost("__defaultVhost__"));
  assert.equal(rig.stream("s")?.state, "wait");
  await eventually(() => far.stream("s")?.players === 0, { what: "the end of the pull" });
  const before = pictures(viewer.messages).length;
  const second = await Encoder.open(t, rig.rtmpUrl("s"));
  second.send(5);
  await has(viewer, before + 5);
  assert.deepEqual(pictures(viewer.messages).slice(-5), upTo(5));
  assertForward(viewer);
  assert.equal(viewer.connection.endedBy, null);
});

test("reconfigure: an edge whose mode changes sends its publishers back, who then publish here", async (t) => {
  const far = await startServer(t, vhost("__defaultVhost__"));
  const rig = await startServer(t, edgeOf(far.address));
  const passed = await Encoder.open(t, rig.rtmpUrl("s"));
  assert.equal(rig.stream("s")?.state, "push");
  rig.reconfigure(vhost("__defaultVhost__"));
  await within(passed.source.connection.ended, 5000, "the end of the publisher");
  await Encoder.open(t, rig.rtmpUrl("s"));
  assert.equal(rig.stream("s")?.state, "publish");
  await eventually(() => far.stream("s") === null, { what: "the end of the push" });
});

test("reconfigure: a pull stays with its origin while that is listed, and moves on when it no longer is", async (t) => {
  const [one, two] = [await startServer(t, vhost("__defaultVhost__")), await startServer(t, vhost("__defaultVhost__"))];
  for (const far of [one, two]) (await Encoder.open(t, far.rtmpUrl("s"))).sendSteadily(t);
  const rig = await startServer(t, edgeOf(one.address));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  await has(viewer, 3);
  rig.reconfigure(edgeOf(two.address, one.address));
  assert.equal(rig.stream("s")?.from, one.address);
  const other = await watch(t, rig.rtmpUrl("s2"));
  assert.equal(rig.stream("s2")?.from, two.address, "a new pull takes the list as it is now");
  rig.reconfigure(edgeOf(two.address));
  assert.equal(rig.stream("s")?.from, two.address);
  await eventually(() => one.stream("s")?.players === 0, { what: "the end of the old pull" });
  assert.equal(one.lines.filter(({ event }) => event === "play.started").length, 1, "it had stayed where it was");
  await has(viewer, pictures(viewer.messages).length + 5);
  assertForward(viewer);
  assert.deepEqual([viewer.connection.endedBy, other.connection.endedBy], [null, null]);
});

test("reconfigure: a publisher whose origin is no longer listed is sent back, and another is not", async (t) => {
  const [one, two] = [await startServer(t, vhost("__defaultVhost__")), await startServer(t, vhost("__defaultVhost__"))];
  const rig = await startServer(t, edgeOf(one.address));
  const passed = await publisher(rig.rtmpUrl("s"));
  t.after(() => passed.close());
  rig.reconfigure(edgeOf(two.address, one.address));
  assert.equal(rig.stream("s")?.state, "push");
  rig.reconfigure(edgeOf(two.address));
  const refused = await passed.connection.waitForStatus("NetStream.Publish.Denied");
  assert.match(JSON.stringify(refused.values), /has other origins now/);
  await Encoder.open(t, rig.rtmpUrl("s"));
  assert.equal(two.stream("s")?.state, "publish");
});

test("reconfigure: forwards of a running stream follow the list, and one that was there keeps its connection", async (t) => {
  const targets = await Promise.all([1, 2, 3].map(() => startServer(t, vhost("__defaultVhost__"))));
  const [one, two, three] = [targets[0]!, targets[1]!, targets[2]!];
  const rig = await startServer(t, forwardingTo(one.address, two.address));
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  await eventually(() => [one, two].every((target) => target.stream("s")?.state === "publish"), { what: "two forwards" });
  const kept = two.stream("s")?.from;
  encoder.send(5);
  rig.reconfigure(forwardingTo(two.address, three.address));
  await eventually(() => one.stream("s") === null, { what: "the end of the first forward" });
  await eventually(() => three.stream("s")?.state === "publish", { what: "the new forward" });
  assert.equal(two.stream("s")?.from, kept);
  const viewer = await watch(t, three.rtmpUrl("s"));
  encoder.send(5);
  await has(viewer, 10);
  assert.deepEqual(pictures(viewer.messages), upTo(10), "a forward begins with the last key frame");
  rig.reconfigure(vhost("__defaultVhost__"));
  await eventually(() => two.stream("s") === null, { what: "the end of all forwards" });
  assert.equal(encoder.source.connection.endedBy, null);
});

test("reconfigure: a new limit of connections holds for those that come", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__"));
  const viewers = [await watch(t, rig.rtmpUrl("s")), await watch(t, rig.rtmpUrl("s"))];
  rig.reconfigure(vhost("__defaultVhost__"), 1);
  await assert.rejects(player(rig.rtmpUrl("s")));
  assert.ok(rig.lines.some(({ code }) => code === "RTMP_FULL"));
  assert.deepEqual(
    viewers.map(({ connection }) => connection.endedBy),
    [null, null],
  );
});

test("reconfigure: other addresses to listen on are refused, and everything is as it was", async (t) => {
  const rig = await startServer(t, vhost("__defaultVhost__"));
  const viewer = await watch(t, rig.rtmpUrl("s"));
  const config = configOf(vhost("only"), "1936");
  assert.throws(() => rig.server.reconfigure({ config, maxConnections: null }), { code: "CHILD_LISTEN" });
  const encoder = await Encoder.open(t, rig.rtmpUrl("s"));
  encoder.send(1);
  await has(viewer, 1);
});
