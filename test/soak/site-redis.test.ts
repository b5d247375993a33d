// Redis dies and comes back empty, or stands still, for longer and longer, under a hundred streams of two boxes: nobody who publishes or
// plays misses a picture, who comes meanwhile is served by what was known, and afterwards Redis knows everything again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertUnbroken } from "../helpers/audience.js";
import { boxesOf, encoderAt, viewerAt } from "../helpers/boxes.js";
import type { Dolphin } from "../helpers/dolphin.js";
import { packetsOf, publish } from "../helpers/ffmpeg.js";
import { headers, step } from "../helpers/media.js";
import { findRedis, startRedis } from "../helpers/redis.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const program = await findRedis();
const streams = 100;
/** Of them so many are watched, at the other box than the one that they are published at. */
const watched = 20;
/** Of each outage: how long, and whether Redis only stands still. */
const outages = [
  { seconds: 1, stands: false },
  { seconds: 10, stands: false },
  { seconds: 10, stands: true },
  { seconds: 120, stands: false },
  { seconds: 300, stands: false },
] as const;

void test(
  "a hundred streams do not notice that Redis is away for 1 s, 10 s, 2 minutes or 5",
  { skip: typeof program === "string" ? program : false },
  async (t) => {
    if (typeof program === "string") return;
    let redis = await startRedis(program);
    t.after(() => redis.stop());
    const boxes = (await boxesOf(t, redis, ["a", "single"])) as [Dolphin, Dolphin];
    const sources = await Promise.all(
      Array.from({ length: streams }, async (_, at) => {
        const source = await publisher(boxes[at % 2]!.rtmpUrl(`s${at}`));
        t.after(() => source.close());
        t.after(source.sendEvery((index) => [...(index === 0 ? headers("avc", "aac") : []), ...step("avc", "aac", index)], 200));
        return source;
      }),
    );
    const real = publish(boxes[0].rtmpUrl("real"), { seconds: 900 });
    t.after(() => real.stop());
    await real.started;
    const viewers = await Promise.all(Array.from({ length: watched }, (_, at) => viewerAt(t, boxes[(at + 1) % 2]!, `s${at}`)));
    await Promise.all(viewers.map((one) => one.waitForMedia(20)));
    assert.ok((await packetsOf(boxes[1].rtmpUrl("real"), 1)).length > 10, "the box has found it once");
    const pids = boxes.map(({ pids: all }) => JSON.stringify(all));
    for (const [round, { seconds, stands }] of outages.entries()) {
      const [from, since] = [boxes[1].logLength, performance.now()];
      if (stands) redis.kill("SIGSTOP");
      else await redis.stop();
      const isOver = async (): Promise<boolean> => Promise.resolve(performance.now() - since >= seconds * 1000);
      // Who comes meanwhile: to what was found before, and with a name of his own.
      for (const at of [0, 1]) {
        const late = await viewerAt(t, boxes[(at + 1) % 2]!, `s${at}`);
        await late.waitForMedia(10, 15_000);
        late.close();
      }
      await encoderAt(t, boxes[1].rtmpUrl(`meanwhile${round}`));
      assert.ok((await packetsOf(boxes[1].rtmpUrl("real"), 1)).length > 10, "a real player");
      await eventually(isOver, { timeoutMs: seconds * 1000 + 1000 });
      if (stands) redis.kill("SIGCONT");
      else redis = await redis.again();
      await boxes[1].waitFor("claim.confirmed", {
        from,
        timeoutMs: 20_000,
        where: ({ stream }) => String(stream).endsWith(`meanwhile${round}`),
      });
      const known = async (): Promise<number> => ((await redis.ask("KEYS", "*:1:s:*")).match(/^\$/gm) ?? []).length;
      const expected = streams + 2 + round;
      await eventually(async () => (await known()) === expected, { timeoutMs: 20_000, what: `all ${expected} streams to be told again` });
      const counts = viewers.map(({ media }) => media.length);
      await Promise.all(viewers.map((one, at) => one.waitForMedia(counts[at]! + 20, 20_000)));
      viewers.forEach(assertUnbroken);
      assert.deepEqual([...new Set(sources.map(({ connection }) => connection.endedBy))], [null]);
      const longestGapMs = Math.max(...viewers.map((viewer) => viewer.longestGapMs));
      t.diagnostic(
        `Redis ${stands ? "stood still" : "was away"} for ${seconds} s; the longest gap of a stream of 5 pictures a second: ${longestGapMs} ms`,
      );
    }
    assert.deepEqual(
      boxes.map(({ pids: all }) => JSON.stringify(all)),
      pids,
      "no process was started anew",
    );
    for (const box of boxes)
      assert.deepEqual(
        box.logLines(({ event }) => event === "claim.lost" || event === "child.exited"),
        [],
      );
  },
);
