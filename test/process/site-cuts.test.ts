// A site whose network is cut: a box that another one cannot reach keeps its streams, and where both parts of the site have a publisher of
// one name, the higher fence stays when they meet. Viewers elsewhere find who has its streams now.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertInOrder } from "../helpers/audience.js";
import { encoderAt, viewerAt } from "../helpers/boxes.js";
import { cableTo } from "../helpers/cable.js";
import { Dolphin } from "../helpers/dolphin.js";
import { pictures } from "../helpers/media.js";
import { findRedis, startRedis } from "../helpers/redis.js";
import type { RtmpPlayer } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const program = await findRedis();
const skip = typeof program === "string" ? program : false;

/** Waits for a picture of this encoder, which numbers them from here on. */
async function untilFrom(viewer: RtmpPlayer, first: number): Promise<void> {
  const isIts = (number: number): boolean => number >= first && number < first + 10_000;
  await viewer.waitUntil(`pictures from ${first} on`, (messages) => pictures(messages).filter(isIts).length > 10, 20_000);
}

void test(
  "a box that cannot be reached keeps its streams; one that is cut off gives them up when it meets who has them",
  { skip },
  async (t) => {
    if (typeof program === "string") return;
    const redis = await startRedis(program);
    t.after(() => redis.stop());
    const [toRedis, toA] = [await cableTo(t, redis.port), await cableTo(t)];
    const confOf = (port: number, more = ""): string =>
      `listen 127.0.0.1:1; max_connections 100; vhost __defaultVhost__ { min_latency on; }
dolphin { registry redis://127.0.0.1:${port}; registry_prefix cut:; registry_lease 2; ${more} }`;
    const options = { cores: 1, args: ["--plan", "single"] };
    const [a, b, c] = await Promise.all([
      Dolphin.start(t, { ...options, conf: confOf(toRedis.port, `registry_advertise 127.0.0.1:${toA.port};`) }),
      Dolphin.start(t, { ...options, conf: confOf(redis.port) }),
      Dolphin.start(t, { ...options, conf: confOf(redis.port, "registry_publisher backup;") }),
    ]);
    toA.to = a.rtmpPort;
    await Promise.all([a, b, c].map((box) => box.waitFor("registry.found")));
    const old = await encoderAt(t, a.rtmpUrl("old"), 10_000);
    const here = await viewerAt(t, a, "old");
    await untilFrom(here, 10_000);

    // Redis sees both, and b cannot reach a: it steals nothing, and finds the stream when it can.
    toA.cut();
    const there = await viewerAt(t, b, "old");
    await assert.rejects(encoderAt(t, b.rtmpUrl("old"), 20_000), /BadName/);
    toA.mend();
    await untilFrom(there, 10_000);
    const elsewhere = await viewerAt(t, c, "old");
    await untilFrom(elsewhere, 10_000);
    const main = await encoderAt(t, a.rtmpUrl("kept"), 50_000);
    const atB = await viewerAt(t, b, "kept");
    await untilFrom(atB, 50_000);
    const spare = await encoderAt(t, c.rtmpUrl("kept"), 60_000);
    await c.waitFor("claim.standby");

    // A is cut off from everybody, without a word: as if its power were gone. Viewers of the other boxes find who has its streams now.
    toA.cut();
    toRedis.cut();
    const [young, sameHere, seen] = [
      await encoderAt(t, a.rtmpUrl("young"), 30_000),
      await encoderAt(t, b.rtmpUrl("young"), 40_000),
      here.media.length,
    ];
    const youngSeen = await viewerAt(t, a, "young");
    await untilFrom(youngSeen, 30_000);
    const next = await eventually(() => encoderAt(t, b.rtmpUrl("old"), 20_000), { timeoutMs: 20_000, what: "the lease of a to end" });
    await Promise.all([untilFrom(there, 20_000), untilFrom(elsewhere, 20_000), untilFrom(atB, 60_000)]);
    await here.waitForMedia(seen + 40);
    assert.deepEqual(
      [old, young, main].map(({ connection }) => connection.endedBy),
      [null, null, null],
      "each part goes on",
    );
    toA.mend();
    toRedis.mend();
    await Promise.all([old, young, main].map(({ connection }) => connection.ended));
    await Promise.all([untilFrom(here, 20_000), untilFrom(youngSeen, 40_000)]);
    for (const viewer of [here, there, elsewhere, atB, youngSeen]) assertInOrder(viewer); // nothing of the old ones once the new ones were seen
    assert.deepEqual(
      [next, sameHere, spare, here, there, elsewhere, atB, youngSeen].map(({ connection }) => connection.endedBy),
      Array.from({ length: 8 }, () => null),
    );
    assert.equal(a.logLines(({ event }) => event === "claim.lost").length, 3);
  },
);
