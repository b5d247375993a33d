// Nobody who has served a stream is left: the origin dies, then every edge, one after the other. Its viewers have been carried through,
// and know how far they were; the stream that is published next goes on behind that, at the same time for all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertForward, flvAt, inLull, type Viewer } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { pidOf, untilKept } from "../helpers/carried.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";

const provoked = new Set(["child.exited", "pull.lost", "push.lost"]);
const allow = ({ event }: LogLine): boolean => provoked.has(event ?? "");
/** The edges die so long after another: the viewers of the first are at the second by then. */
const betweenMs = 1500;

void test("time goes on for viewers when the origin and all edges have died and the stream is published again", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args: ["--origin-process", "child"] });
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  const viewers: Viewer[] = [];
  for (const edge of ["edge-1", "edge-2"]) {
    viewers.push(await playerAt(t, dolphin, "show", dolphin.pidOf(edge)), await flvAt(t, dolphin, edge));
  }
  // So far that a clock which begins anew cannot be taken for one that is a little behind.
  for (const viewer of viewers) await viewer.waitUntil("five seconds", (media) => (media.at(-1)?.timestamp ?? 0) > 5000);
  await untilKept(dolphin, viewers.length);

  const victims: { name: string; pid: number }[] = [];
  for (const name of ["origin", "edge-1", "edge-2"]) victims.push({ name, pid: await pidOf(dolphin, name) });
  const from = dolphin.logLength;
  await inLull(dolphin, source, viewers, async () => {
    for (const [at, { pid }] of victims.entries()) {
      if (at === 2) await pause(betweenMs);
      process.kill(pid, "SIGKILL");
    }
  });
  for (const { name } of victims) await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
  await source.connection.ended;
  await untilKept(dolphin, viewers.length);
  const reached = Math.max(...viewers.map(({ media }) => media.at(-1)?.timestamp ?? 0));
  const seen = viewers.map(({ media }) => media.length);

  const pids = { ...dolphin.pids, "edge-1": await pidOf(dolphin, "edge-1"), "edge-2": await pidOf(dolphin, "edge-2") };
  Object.assign(dolphin, { pids });
  const again = await steadyPublisherAt(t, dolphin, "edge-2", "show");
  for (const [at, viewer] of viewers.entries()) await viewer.waitForMedia((seen[at] ?? 0) + 100, 15_000);
  viewers.forEach(assertForward);
  for (const [at, viewer] of viewers.entries()) {
    const next = viewer.media[seen[at] ?? 0]?.timestamp ?? 0;
    assert.ok(next > reached && next < reached + 5000, `${next} ms after ${reached} ms`);
  }
  // The same picture has the same time at both edges.
  const late = [await playerAt(t, dolphin, "show", pids["edge-1"]), await playerAt(t, dolphin, "show", pids["edge-2"])];
  for (const viewer of late) await viewer.waitForMedia(60);
  const [one, other] = late.map(
    ({ media }) => new Map(media.map(({ timestamp, payload }) => [payload.toString("latin1", 0, 20), timestamp])),
  );
  const both = [...(one ?? [])].filter(([payload]) => other?.has(payload) === true);
  assert.ok(both.length > 20, "both have seen the same pictures");
  for (const [payload, timestamp] of both) assert.equal(other?.get(payload), timestamp);

  for (const viewer of [...viewers, ...late]) viewer.close();
  again.close();
  await dolphin.waitFor("rtmp.closed", { where: ({ doing }) => doing === "publishing" });
  await dolphin.stop({ allow });
});
