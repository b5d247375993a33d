// Origins of one site: who plays at one of them what is published at another gets it from there, over one pull, wherever it goes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../src/base/errors.js";
import { parseServer } from "../../../src/conf/meaning/endpoint.js";
import { maxHops, type Located, type Locator } from "../../../src/ipc/locating.js";
import { watchFlv } from "../../helpers/flv-reader.js";
import { pictures } from "../../helpers/media.js";
import { player } from "../../helpers/rtmp-client.js";
import { eventually } from "../../helpers/wait.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const vhost = `vhost __defaultVhost__ { min_latency on; cluster { origin_cluster on; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }`;

/** Knows what a test tells it. */
class SiteMap implements Locator {
  asked = 0;
  where: readonly string[] | "unknown" = [];

  locate(): Promise<Located> {
    this.asked += 1;
    if (this.where === "unknown") return Promise.reject(new DolphinError("RELAY_CONNECT", "nobody could be asked"));
    return Promise.resolve({ isHere: false, servers: this.where.map(parseServer) });
  }
}

async function pair(t: Parameters<typeof startServer>[0]): Promise<{ a: Rig; b: Rig; map: SiteMap }> {
  const map = new SiteMap();
  const a = await startServer(t, vhost);
  const b = await startServer(t, vhost, { locator: map, edgeKey: "b" });
  return { a, b, map };
}

test("locating: what is published at another origin is pulled from there once, and its edges and players over RTMP and HTTP have it", async (t) => {
  const { a, b, map } = await pair(t);
  const encoder = await Encoder.open(t, a.rtmpUrl("s"));
  encoder.sendSteadily(t);
  map.where = [a.address];
  const viewers = [await watch(t, b.rtmpUrl("s")), await watch(t, b.rtmpUrl("s")), await watchFlv(b.flvUrl("s"))];
  t.after(() => viewers.at(-1)?.close());
  for (const viewer of viewers) await viewer.waitForMedia(5);
  assert.equal(a.stream("s")?.players, 1);
  assert.equal(b.stream("s")?.from, a.address);
  assert.equal(map.asked, 1);
});

test("locating: who waits for a stream that nobody has gets it when it is published elsewhere, and when it is published here", async (t) => {
  const { a, b, map } = await pair(t);
  const [far, near] = [await watch(t, b.rtmpUrl("far")), await watch(t, b.rtmpUrl("near"))];
  await eventually(() => map.asked >= 2, { what: "both to be looked for" });
  (await Encoder.open(t, b.rtmpUrl("near"))).send(5);
  await near.waitForMedia(5);
  (await Encoder.open(t, a.rtmpUrl("far"))).sendSteadily(t);
  map.where = [a.address];
  await far.waitForMedia(5);
  assert.equal(b.stream("near")?.state, "publish");
});

test("locating: the publisher goes to another origin, then here, then nowhere, and the viewer's pictures go on each time", async (t) => {
  const { a, b, map } = await pair(t);
  const c = await startServer(t, vhost);
  const [first, second] = [await Encoder.open(t, a.rtmpUrl("s")), await Encoder.open(t, c.rtmpUrl("s"))];
  map.where = [a.address];
  const viewer = await watch(t, b.rtmpUrl("s"));
  const seen = (): number => pictures(viewer.messages).length;
  const flows = async (what: string): Promise<void> => {
    const before = seen();
    await eventually(() => seen() > before + 5, { what, timeoutMs: 8000 });
  };
  first.sendSteadily(t);
  await flows("pictures of the first");
  map.where = [c.address];
  second.sendSteadily(t);
  first.source.close();
  await flows("pictures of the second");
  assert.equal(b.stream("s")?.from, c.address);
  const third = await Encoder.open(t, b.rtmpUrl("s"));
  third.sendSteadily(t);
  await flows("pictures of the one here");
  assert.equal(b.stream("s")?.state, "publish");
  await eventually(() => c.stream("s")?.players === 0, { what: "the pull to end" });
  third.source.close();
  await flows("pictures of the second again");
});

test("locating: while nobody can be asked a stream that comes goes on, and one that has ended is waited for", async (t) => {
  const { a, b, map } = await pair(t);
  const encoder = await Encoder.open(t, a.rtmpUrl("s"));
  map.where = [a.address];
  const viewer = await watch(t, b.rtmpUrl("s"));
  encoder.send(5);
  await viewer.waitForMedia(5);
  map.where = "unknown";
  encoder.source.close();
  const asked = map.asked;
  await eventually(() => map.asked > asked + 1, { what: "it to be looked for in vain" });
  (await Encoder.open(t, a.rtmpUrl("s"))).send(10);
  await viewer.waitUntil("the next pictures", (messages) => pictures(messages).length >= 15);
});

test("locating: nobody asks any more when the last viewer has left", async (t) => {
  const { b, map } = await pair(t);
  const viewer = await watch(t, b.rtmpUrl("s"));
  await eventually(() => map.asked > 0, { what: "the question" });
  viewer.close();
  await eventually(() => b.stream("s") === null, { what: "the stream to be forgotten" });
});

test(`locating: a stream that ${maxHops} boxes have passed on is not looked for at another, but had where it is published`, async (t) => {
  const { b, map } = await pair(t);
  const far = { connectObject: { dolphin_hops: maxHops } };
  await assert.rejects(player(b.rtmpUrl("s"), far), /was passed on 3 times already/);
  assert.ok(b.lines.some(({ code }) => code === "RELAY_HOPS"));
  assert.equal(map.asked, 0);
  assert.equal(b.stream("s"), null);
  (await Encoder.open(t, b.rtmpUrl("s"))).send(5);
  const found = await player(b.rtmpUrl("s"), far);
  t.after(() => found.close());
  await found.waitForMedia(5);
});

test("locating: two origins that hold each other for the owner find out, and a publisher at one of them ends it", async (t) => {
  const [toB, toA] = [new SiteMap(), new SiteMap()];
  const a = await startServer(t, vhost, { locator: toB, edgeKey: "a" });
  const b = await startServer(t, vhost, { locator: toA, edgeKey: "b" });
  toB.where = [b.address];
  toA.where = [a.address];
  const viewer = await watch(t, a.rtmpUrl("s"));
  await eventually(() => [...a.lines, ...b.lines].some(({ code }) => code === "RELAY_LOOP"), { what: "the loop to be named" });
  (await Encoder.open(t, a.rtmpUrl("s"))).sendSteadily(t);
  await viewer.waitForMedia(5);
});
