// The same encoder comes through a balancer to another box each time, a thousand times, as fast as it can.
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, changeBoxes, encoderAt, viewerAt } from "../helpers/boxes.js";
import type { Dolphin } from "../helpers/dolphin.js";
import { findRedis, startRedis } from "../helpers/redis.js";

const program = await findRedis();

void test(
  "after a thousand changes of box the stream has one owner",
  { skip: typeof program === "string" ? program : false },
  async (t) => {
    if (typeof program === "string") return;
    const redis = await startRedis(program);
    t.after(() => redis.stop());
    const [a, b] = (await boxesOf(t, redis, ["single", "single"])) as [Dolphin, Dolphin];
    await changeBoxes(t, [a, b], 1000);
    await encoderAt(t, b.rtmpUrl("show"));
    const seen = await viewerAt(t, a);
    await seen.waitForMedia(20, 20_000);
    assert.match(await a.ask("explain", "live/show"), new RegExp(`published at 127.0.0.1:${b.rtmpPort}`));
  },
);
