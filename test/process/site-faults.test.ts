// What a site goes through: boxes that are killed or frozen, a Redis that dies, encoders that come to another box each time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertForward } from "../helpers/audience.js";
import { boxesOf, boxOf, changeBoxes, encoderAt, viewerAt } from "../helpers/boxes.js";
import type { Dolphin } from "../helpers/dolphin.js";
import { HookBackend } from "../helpers/hook-backend.js";
import { redisOfFile } from "../helpers/redis.js";
import { eventually } from "../helpers/wait.js";

const { skip, redis, another } = await redisOfFile();

void test("viewers of other boxes stay when a whole box is killed, and see its encoder again wherever it goes", { skip }, async (t) => {
  const [a, b, c] = (await boxesOf(t, redis, ["a", "single", "single"], "registry_lease 60;")) as [Dolphin, Dolphin, Dolphin];
  await encoderAt(t, a.rtmpUrl("show"));
  const viewers = await Promise.all([b, c].map((box) => viewerAt(t, box)));
  await Promise.all(viewers.map((one) => one.waitForMedia(20)));
  for (const pid of Object.values(a.pids)) process.kill(pid, "SIGKILL");
  await eventually(() => encoderAt(t, b.rtmpUrl("show")), { everyMs: 20, what: "the encoder to be taken" });
  const counts = viewers.map(({ media }) => media.length);
  await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 40, 20_000)));
  for (const one of viewers) assertForward(one);
});

void test("a box that was frozen puts nothing stale on the air when it wakes up", { skip }, async (t) => {
  const backend = await HookBackend.start(t);
  const hooks = backend.block("on_publish", "on_unpublish");
  const [a, b] = (await boxesOf(t, redis, ["single", "single"], "", hooks)) as [Dolphin, Dolphin];
  const first = await encoderAt(t, a.rtmpUrl("show"));
  const seen = await viewerAt(t, a);
  await seen.waitForMedia(20);
  const pids = Object.values(a.pids);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  const atB = await eventually(() => encoderAt(t, b.rtmpUrl("show"), 10_000), { timeoutMs: 15_000, what: "the lease to end" });
  const viewerB = await viewerAt(t, b);
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
  // The backend can tell whose end it is told of, though it comes last; of who was refused in between it has heard nothing.
  const ended = await eventually(
    () => backend.of("on_unpublish").find(({ body }) => body["client_id"] === backend.of("on_publish")[0]?.body["client_id"]),
    { what: "on_unpublish of the first" },
  );
  const [one = 0, ...others] = backend.of("on_publish").map(({ body }) => Number(body["fence"]));
  assert.ok(one > 0 && others.length === 1 && others[0]! > one, `${one} ${others.join(" ")}`);
  assert.equal(ended.body["fence"], one);
});

void test("Redis is killed, and comes back empty: nobody notices, and who publishes meanwhile is told of later", { skip }, async (t) => {
  const own = await another();
  let now = own;
  t.after(() => now.stop());
  const [a, b] = (await Promise.all([1, 2].map(() => boxOf(t, `registry ${own.url}; registry_lease 2;`)))) as [Dolphin, Dolphin];
  const source = await encoderAt(t, a.rtmpUrl("show"));
  const one = await viewerAt(t, b);
  await one.waitForMedia(20);
  one.resetGap();
  source.longestPauseMs = 0;
  await own.stop();
  const late = await viewerAt(t, b);
  await encoderAt(t, b.rtmpUrl("meanwhile"));
  await late.waitForMedia(40);
  const from = b.logLength;
  now = await own.again();
  await b.waitFor("claim.confirmed", { from });
  await eventually(async () => /published at 127/.test(await b.ask("explain", "live/show")), { timeoutMs: 15_000 });
  const across = await viewerAt(t, a, "meanwhile");
  await across.waitForMedia(20);
  // Nobody can have what was not sent.
  const mostMs = 3000 + source.longestPauseMs;
  assert.ok(one.longestGapMs < mostMs, `nobody noticed: ${one.longestGapMs} ms, of ${mostMs} at most`);
  assert.equal(source.connection.endedBy, null);
  assertForward(one);
});

void test(
  "an encoder that comes through a balancer to another box each time is taken each time, and the last one has the stream",
  { skip },
  async (t) => {
    const [a, b] = (await boxesOf(t, redis, ["single", "single"])) as [Dolphin, Dolphin];
    const seen = await viewerAt(t, a);
    await changeBoxes(t, [a, b], 20);
    await encoderAt(t, b.rtmpUrl("show"), 20_000);
    await seen.waitForMedia(seen.media.length + 20, 20_000);
    assertForward(seen);
  },
);

void test("an upgrade of a box is no end of its streams on the site, and nobody can take their names meanwhile", { skip }, async (t) => {
  const [a, b] = (await boxesOf(t, redis, ["a", "single"])) as [Dolphin, Dolphin];
  const source = await encoderAt(t, a.rtmpUrl("show"));
  const seen = await viewerAt(t, b);
  await seen.waitForMedia(20);
  const from = a.logLength;
  const upgrading = a.ask("upgrade");
  const tries = new AbortController();
  t.after(() => tries.abort());
  const thief = (async () => {
    while (!tries.signal.aborted) await assert.rejects(encoderAt(t, b.rtmpUrl("show"), 50_000), /BadName/);
  })();
  await upgrading;
  await a.waitFor("dolphin.ready", { from });
  tries.abort();
  await thief;
  await seen.waitForMedia(seen.media.length + 40);
  assertForward(seen);
  assert.equal(source.connection.endedBy, null);
  await eventually(async () => /1 published here/.test(await a.ask("status")), {
    timeoutMs: 5000,
    what: "the stream to be held by the new process",
  });
});
