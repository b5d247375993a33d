// Three boxes and a Redis are one site: publish anywhere, play anywhere, each stream once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertForward, assertInOrder } from "../helpers/audience.js";
import { boxesOf, boxOf, encoderAt, viewerAt } from "../helpers/boxes.js";
import type { Dolphin } from "../helpers/dolphin.js";
import { packetsOf, publish } from "../helpers/ffmpeg.js";
import { pictures } from "../helpers/media.js";
import { redisOfFile } from "../helpers/redis.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const { skip, redis } = await redisOfFile();

const pullsOf = async (box: Dolphin): Promise<string[]> => (await box.status()).streams.map(({ state }) => state);

void test("a stream that is published at one box is played at every other, and reaches each once", { skip }, async (t) => {
  const boxes = (await boxesOf(t, redis, ["a", "single", "a"])) as [Dolphin, Dolphin, Dolphin];
  const [a, b, c] = boxes;
  const early = await viewerAt(t, c); // before anybody publishes
  const source = await encoderAt(t, a.rtmpUrl("show"));
  const viewers = [early, ...(await Promise.all([b, b, c, c, a].map((box) => viewerAt(t, box))))];
  await Promise.all(viewers.map((one) => one.waitForMedia(40, 15_000)));
  assert.deepEqual(await pullsOf(b), ["pull"]);
  assert.deepEqual(await pullsOf(c), ["pull"]);
  await assert.rejects(publisher(b.rtmpUrl("show")), /BadName.*127\.0\.0\.1/);
  assert.match(await b.ask("explain", "live/show"), new RegExp(`on the site it is published at 127.0.0.1:${a.rtmpPort}`));
  assert.match(await a.ask("status"), /registry redis:.*3 boxes.*1 published here/);
  source.close();
  await a.waitFor("publish.ended");
  // The encoder goes on at another box, and everybody stays.
  await encoderAt(t, b.rtmpUrl("show"));
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 15_000)));
  for (const one of viewers) assertForward(one);
  for (const one of viewers) one.close();
  const allow = {
    allow: ({ event, code }: { event?: string; code?: string }) => event?.startsWith("pull.") === true || code === "RTMP_BUSY",
  };
  await Promise.all(boxes.map((box) => box.stop(allow)));
});

void test(
  "an edge that asks the registry pulls from a box of its zone, from afar when that is killed, and passes its publishers on",
  { skip },
  async (t) => {
    const common = `registry ${redis.url}; registry_prefix zones:; registry_lease 2; registry_zone`;
    const [a, b, c] = await Promise.all([
      boxOf(t, `${common} north;`),
      boxOf(t, `${common} south;`, { plan: "a" }),
      boxOf(t, `${common} south;`, { vhost: "cluster { mode remote; origin registry; }" }),
    ]);
    await encoderAt(t, a.rtmpUrl("show"));
    const first = await viewerAt(t, b);
    await first.waitForMedia(20);
    const one = await viewerAt(t, c);
    await one.waitForMedia(20);
    const fromOf = async (box: Dolphin): Promise<string | undefined> => (await box.status()).streams[0]?.source?.peer;
    assert.equal(await fromOf(c), `127.0.0.1:${b.rtmpPort}`);
    for (const pid of Object.values(b.pids)) process.kill(pid, "SIGKILL");
    await eventually(async () => (await fromOf(c)) === `127.0.0.1:${a.rtmpPort}`);
    await one.waitForMedia(one.media.length + 40, 15_000);
    assertForward(one);
    await encoderAt(t, c.rtmpUrl("passed-on"));
    const passed = await viewerAt(t, a, "passed-on");
    await passed.waitForMedia(20);
    assert.deepEqual((await a.status()).streams.find(({ stream }) => stream === "passed-on")?.state, "publish");
  },
);

void test("with backup the second encoder stands by, and its pictures follow the first one's while viewers stay", { skip }, async (t) => {
  const [a, b, c] = (await boxesOf(t, redis, ["single", "a", "single"], "registry_publisher backup;")) as [Dolphin, Dolphin, Dolphin];
  const main = await encoderAt(t, a.rtmpUrl("show"));
  await encoderAt(t, b.rtmpUrl("show"), 10_000);
  await b.waitFor("claim.standby");
  const viewers = await Promise.all([a, b, c].map((box) => viewerAt(t, box)));
  await Promise.all(viewers.map((one) => one.waitForMedia(20)));
  main.close();
  await b.waitFor("claim.on-air");
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 20_000)));
  for (const one of viewers) {
    assertInOrder(one); // nothing of the first comes behind something of the second
    const next = one.media.find((media) => (pictures([media])[0] ?? 0) >= 10_000);
    assert.equal(next === undefined ? null : next.payload[0]! >> 4, 1, "it begins with a key frame");
    assert.equal(one.connection.endedBy, null);
  }
});

void test(
  "a real encoder and a real player meet over two boxes, and the encoder's busy name is said in its own words",
  { skip },
  async (t) => {
    const [a, b] = (await boxesOf(t, redis, ["a", "a"])) as [Dolphin, Dolphin];
    await encoderAt(t, a.rtmpUrl("taken"));
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

void test("where origins are children a stream of one box is played at the other, over a kill of either origin", { skip }, async (t) => {
  const [a, b] = (await boxesOf(t, redis, ["a", "a"], "origin_process child;")) as [Dolphin, Dolphin];
  await encoderAt(t, a.rtmpUrl("show"));
  const viewers = await Promise.all([a, b].map((box) => viewerAt(t, box)));
  await Promise.all(viewers.map((one) => one.waitForMedia(40, 15_000)));
  for (const box of [a, b]) {
    const counts = viewers.map(({ media }) => media.length);
    process.kill(box.pidOf("origin"), "SIGKILL");
    await box.waitFor("child.exited");
    await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 60, 15_000)));
  }
  for (const one of viewers) assertForward(one);
});

void test("of plan b a stream goes to and comes from another box, whose viewers outlive the server that had it", { skip }, async (t) => {
  // Whoever plays at b would wait for so long if only b were looked at.
  const [a, b] = (await boxesOf(t, redis, ["a", "b"], "play_wait 600; servers 2; balance fill;")) as [Dolphin, Dolphin];
  const areUp = async (): Promise<boolean> => (await b.status()).balance?.servers.every(({ isUp }) => isUp) === true;
  await eventually(areUp, { what: "both servers of b" });
  await encoderAt(t, a.rtmpUrl("there"));
  await encoderAt(t, b.rtmpUrl("show"));
  const viewer = await viewerAt(t, a);
  await viewer.waitForMedia(40, 15_000);
  process.kill(b.pidOf("server-1"), "SIGKILL");
  await b.waitFor("child.exited");
  const count = viewer.media.length;
  await encoderAt(t, a.rtmpUrl("show"), 10_000);
  await viewer.waitForMedia(count + 40, 15_000);
  assertForward(viewer);
  // Of two servers of b one has a stream from a, whose encoder comes to the other one: it is fetched from there.
  await eventually(areUp, { what: "both servers of b" });
  await b.ask("drain", "server-1");
  const served = await viewerAt(t, b, "there");
  await served.waitForMedia(40, 15_000);
  await b.ask("undrain", "server-1");
  await b.ask("drain", "server-2");
  for (const pid of Object.values(a.pids)) process.kill(pid, "SIGKILL");
  await eventually(() => encoderAt(t, b.rtmpUrl("there"), 10_000), { everyMs: 20, what: "the encoder to be taken" });
  await served.waitForMedia(served.media.length + 40, 20_000);
  assertForward(served);
});
