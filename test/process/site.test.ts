// Three boxes and a Redis are one site: publish anywhere, play anywhere, and nothing that dies takes a viewer along.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertForward } from "../helpers/audience.js";
import { Cleanups } from "../helpers/cleanups.js";
import { Dolphin, type Cleanup } from "../helpers/dolphin.js";
import { packetsOf, publish } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { findRedis, startRedis, type Redis } from "../helpers/redis.js";
import { player, publisher, type RtmpPlayer, type RtmpPublisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const program = await findRedis();
const skip = typeof program === "string" ? program : false;
const cleanups = new Cleanups();
after(() => cleanups.stopAll());
let redis: Redis;
if (typeof program !== "string") {
  redis = await startRedis(program);
  cleanups.after(() => redis.stop());
}
let sites = 0;

/** Boxes of one site that nobody else of this file has. */
async function site(t: Cleanup, plans: readonly string[], more = ""): Promise<Dolphin[]> {
  const prefix = `site${++sites}:`;
  const registry = `registry ${redis.url}; registry_prefix ${prefix}; ${more.includes("registry_lease") ? "" : "registry_lease 2;"} ${more}`;
  const conf = `listen 127.0.0.1:1; max_connections 100; dolphin { ${registry} } vhost __defaultVhost__ { min_latency on; }`;
  const boxes = await Promise.all(plans.map((plan) => Dolphin.start(t, { cores: 1, args: ["--plan", plan], conf })));
  await Promise.all(boxes.map((box) => box.waitFor("registry.found")));
  return boxes;
}

async function encoder(t: Cleanup, box: Dolphin, stream = "show", from = 0): Promise<RtmpPublisher> {
  const source = await publisher(box.rtmpUrl(stream));
  t.after(() => source.close());
  t.after(source.sendEvery((index) => [...(index === 0 ? headers("avc", "aac") : []), ...step("avc", "aac", from + index)], 40));
  return source;
}

async function viewer(t: Cleanup, box: Dolphin, stream = "show"): Promise<RtmpPlayer> {
  const one = await player(box.rtmpUrl(stream));
  t.after(() => one.close());
  return one;
}

const pullsOf = async (box: Dolphin): Promise<string[]> => (await box.status()).streams.map(({ state }) => state);

void test("a stream that is published at one box is played at every other, and reaches each once", { skip }, async (t) => {
  const boxes = (await site(t, ["a", "single", "a"])) as [Dolphin, Dolphin, Dolphin];
  const [a, b, c] = boxes;
  const early = await viewer(t, c); // before anybody publishes
  const source = await encoder(t, a);
  const viewers = [early, ...(await Promise.all([b, b, c, c, a].map((box) => viewer(t, box))))];
  await Promise.all(viewers.map((one) => one.waitForMedia(40, 15_000)));
  assert.deepEqual(await pullsOf(b), ["pull"]);
  assert.deepEqual(await pullsOf(c), ["pull"]);
  await assert.rejects(publisher(b.rtmpUrl("show")), /BadName.*127\.0\.0\.1/);
  assert.match(await b.ask("explain", "live/show"), new RegExp(`on the site it is published at 127.0.0.1:${a.rtmpPort}`));
  assert.match(await a.ask("status"), /registry redis:.*3 boxes.*1 published here/);
  source.close();
  await a.waitFor("publish.ended");
  // The encoder goes on at another box, and everybody stays.
  await encoder(t, b);
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 15_000)));
  for (const one of viewers) assertForward(one);
  for (const one of viewers) one.close();
  const allow = {
    allow: ({ event, code }: { event?: string; code?: string }) => event?.startsWith("pull.") === true || code === "RTMP_BUSY",
  };
  await Promise.all(boxes.map((box) => box.stop(allow)));
});

void test("viewers of other boxes stay when a whole box is killed, and see its encoder again wherever it goes", { skip }, async (t) => {
  const [a, b, c] = (await site(t, ["a", "single", "single"], "registry_lease 60;")) as [Dolphin, Dolphin, Dolphin];
  await encoder(t, a);
  const viewers = await Promise.all([b, c].map((box) => viewer(t, box)));
  await Promise.all(viewers.map((one) => one.waitForMedia(20)));
  for (const pid of Object.values(a.pids)) process.kill(pid, "SIGKILL");
  await eventually(() => encoder(t, b), { everyMs: 20, what: "the encoder to be taken" });
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 20_000)));
  for (const one of viewers) assertForward(one);
});

void test("a box that was frozen puts nothing stale on the air when it wakes up", { skip }, async (t) => {
  const [a, b] = (await site(t, ["single", "single"])) as [Dolphin, Dolphin];
  const first = await encoder(t, a);
  const seen = await viewer(t, a);
  await seen.waitForMedia(20);
  const pids = Object.values(a.pids);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  const atB = await eventually(() => encoder(t, b, "show", 10_000), { timeoutMs: 15_000, what: "the lease to end" });
  const viewerB = await viewer(t, b);
  await viewerB.waitForMedia(20);
  const before = seen.media.length;
  for (const pid of pids) process.kill(pid, "SIGCONT");
  await first.connection.ended;
  await seen.waitForMedia(before + 20, 20_000);
  const fresh = new Set(viewerB.media.map(({ payload }) => payload.toString("base64")));
  await viewerB.waitForMedia(viewerB.media.length + 20);
  const stale = seen.media
    .slice(before)
    .filter(({ type, payload }) => type === 9 && payload.length > 20 && !fresh.has(payload.toString("base64")));
  const known = new Set(viewerB.media.map(({ payload }) => payload.toString("base64")));
  assert.deepEqual(
    stale.filter(({ payload }) => !known.has(payload.toString("base64"))).map(({ timestamp }) => timestamp),
    [],
    "all that came after the awakening is the other box's",
  );
  assert.equal(atB.connection.endedBy, null);
});

void test("Redis is killed, and comes back empty: nobody notices, and who publishes meanwhile is told of later", { skip }, async (t) => {
  if (typeof program === "string") return;
  const own = await startRedis(program);
  let now = own;
  t.after(() => now.stop());
  const conf = `listen 127.0.0.1:1; max_connections 100; dolphin { registry ${own.url}; registry_lease 2; } vhost __defaultVhost__ { min_latency on; }`;
  const [a, b] = (await Promise.all([1, 2].map(() => Dolphin.start(t, { cores: 1, args: ["--plan", "single"], conf })))) as [
    Dolphin,
    Dolphin,
  ];
  await Promise.all([a, b].map((box) => box.waitFor("registry.found")));
  const source = await encoder(t, a);
  const one = await viewer(t, b);
  await one.waitForMedia(20);
  one.resetGap();
  await own.stop();
  const late = await viewer(t, b);
  await encoder(t, b, "meanwhile");
  await late.waitForMedia(40);
  const from = b.logLength;
  now = await own.again();
  await b.waitFor("claim.confirmed", { from });
  await eventually(async () => /published at 127/.test(await b.ask("explain", "live/show")), { timeoutMs: 15_000 });
  const across = await viewer(t, a, "meanwhile");
  await across.waitForMedia(20);
  assert.ok(one.longestGapMs < 3_000, `nobody noticed: ${one.longestGapMs} ms`);
  assert.equal(source.connection.endedBy, null);
  assertForward(one);
});

void test("with backup the second encoder stands by, and its pictures follow the first one's while viewers stay", { skip }, async (t) => {
  const [a, b, c] = (await site(t, ["single", "a", "single"], "registry_publisher backup;")) as [Dolphin, Dolphin, Dolphin];
  const main = await encoder(t, a);
  await encoder(t, b, "show", 10_000);
  await b.waitFor("claim.standby");
  const viewers = await Promise.all([a, b, c].map((box) => viewer(t, box)));
  await Promise.all(viewers.map((one) => one.waitForMedia(20)));
  main.close();
  await b.waitFor("claim.on-air");
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 20_000)));
  for (const one of viewers) assertForward(one);
});

void test(
  "a real encoder and a real player meet over two boxes, and the encoder's busy name is said in its own words",
  { skip },
  async (t) => {
    const [a, b] = (await site(t, ["a", "a"])) as [Dolphin, Dolphin];
    await encoder(t, a, "taken");
    const refused = publish(b.rtmpUrl("taken"), { seconds: 5 });
    t.after(() => refused.stop());
    const ending = await refused.ended;
    assert.notEqual(ending.code, 0);
    assert.match(refused.output(), /published already, at 127/);
    const real = publish(b.rtmpUrl("free"), { seconds: 20 });
    t.after(() => real.stop());
    await real.started;
    const packets = await packetsOf(a.rtmpUrl("free"), 2);
    assert.ok(packets.length > 20);
  },
);
