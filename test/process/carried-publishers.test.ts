// The origin runs in a child of its own and dies, while encoders publish through the edges: nobody is disconnected. The next origin
// goes on with the same clock, and viewers get what the dead one had not passed on.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { audioRole, role, videoRole } from "../../src/codec/av.js";
import { assertInOrder, assertUnbroken, flvAt, inLull, type Viewer, waitForMore } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { countsOf } from "../helpers/carried.js";
import { isRunning } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { publish } from "../helpers/ffmpeg.js";
import type { Media, RtmpPublisher } from "../helpers/rtmp-client.js";
import { within } from "../helpers/wait.js";

const args = ["--origin-process", "child"];
const provoked = new Set(["child.exited", "child.hung", "pull.lost", "push.lost"]);
const allow = ({ event }: LogLine): boolean => provoked.has(event ?? "");

interface Show {
  readonly source: RtmpPublisher;
  readonly viewers: readonly Viewer[];
}

/** An encoder at edge-1, and viewers over RTMP and HTTP-FLV at both edges. */
async function begin(t: TestContext, dolphin: Dolphin): Promise<Show> {
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  const viewers: Viewer[] = [];
  for (const edge of ["edge-1", "edge-2"]) {
    viewers.push(await playerAt(t, dolphin, "show", dolphin.pidOf(edge)), await flvAt(t, dolphin, edge));
  }
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(40)));
  return { source, viewers };
}

/** Ends the present process of this name, when everybody has everything where a show is told, and waits for the next one. */
async function replace(dolphin: Dolphin, name: string, signal: NodeJS.Signals, show?: Show): Promise<void> {
  const pid = (await dolphin.status()).processes.find((one) => one.name === name)?.pid;
  assert.ok(pid, `${name} runs`);
  const from = dolphin.logLength;
  if (show === undefined) process.kill(pid, signal);
  else await inLull(dolphin, show.source, show.viewers, () => process.kill(pid, signal));
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === name, timeoutMs: 20_000 });
}

async function end(dolphin: Dolphin, { source, viewers }: Show): Promise<void> {
  assert.equal(source.connection.endedBy, null, "the publisher was closed");
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  for (const viewer of viewers) viewer.close();
  source.close();
  await dolphin.waitFor("rtmp.closed", { where: ({ doing }) => doing === "publishing" });
  await dolphin.stop({ allow });
}

void test("the origin is killed again and again: no publisher and no viewer is disconnected, no picture is missing or comes twice", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const show = await begin(t, dolphin);
  for (let turn = 1; turn <= 3; turn++) {
    const from = dolphin.logLength;
    await replace(dolphin, "origin", "SIGKILL");
    await dolphin.waitFor("push.resumed", { from, timeoutMs: 20_000 });
    await waitForMore(show.viewers, 100);
    show.viewers.forEach(assertUnbroken);
  }
  await end(dolphin, show);
});

void test("an edge is killed as soon as a new origin serves: its viewers go on at the other, which counts the same time", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const show = await begin(t, dolphin);
  for (let turn = 1; turn <= 2; turn++) {
    const from = dolphin.logLength;
    await replace(dolphin, "origin", "SIGKILL");
    await dolphin.waitFor("push.resumed", { from, timeoutMs: 20_000 });
    await waitForMore(show.viewers, 5);
    await replace(dolphin, "edge-2", "SIGKILL", show); // the publisher is at edge-1
    await waitForMore(show.viewers, 100);
    show.viewers.forEach(assertUnbroken);
  }
  assert.ok(((await countsOf(dolphin))?.carried ?? 0) >= 2, "the viewers of edge-2 went on elsewhere");
  await end(dolphin, show);
});

void test("an origin that leaves by itself is as one that is killed: its streams have not ended", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const show = await begin(t, dolphin);
  await replace(dolphin, "origin", "SIGTERM");
  await dolphin.waitFor("push.resumed");
  await waitForMore(show.viewers, 100);
  show.viewers.forEach(assertUnbroken);
  await end(dolphin, show);
});

void test("an origin that hangs is replaced: its publishers and viewers stay, and nothing comes twice", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { heartbeat_timeout 2; }`, args });
  const show = await begin(t, dolphin);
  await replace(dolphin, "origin", "SIGSTOP");
  await dolphin.waitFor("push.resumed");
  await waitForMore(show.viewers, 100);
  // What it was sent while nobody knew is lost, but for the last second.
  show.viewers.forEach(assertInOrder);
  await end(dolphin, show);
});

/** A process that is killed with something unread resets its connections instead of closing them. */
const isGone = ({ code }: LogLine): boolean => code === "RELAY_CLOSED" || code === "RELAY_CONNECT";

void test("with carry_sessions off a publisher is told that its origin is gone", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: `${promptConf} dolphin { carry_sessions off; }`, args });
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "show");
  await replace(dolphin, "origin", "SIGKILL");
  await within(source.connection.ended, 5000, "the publisher to be told");
  await dolphin.stop({ allow: (line) => allow(line) || isGone(line) });
});

void test("ffmpeg publishes across the death of the origin", async (t) => {
  const dolphin = await Dolphin.start(t, { conf: promptConf, args });
  const encoder = publish(dolphin.rtmpUrl("show"), { seconds: 60 });
  t.after(() => encoder.stop());
  await encoder.started;
  const viewers = [];
  for (const edge of ["edge-1", "edge-2"]) viewers.push(await playerAt(t, dolphin, "show", dolphin.pidOf(edge)));
  await Promise.all(viewers.map((viewer) => viewer.waitForMedia(40)));
  await replace(dolphin, "origin", "SIGKILL");
  await dolphin.waitFor("push.resumed");
  await waitForMore(viewers, 100);
  // An edge that was back before the publisher hears the headers again, and one that came after has had them.
  const isFrame = ({ type, payload }: Media): boolean => (type === 9 ? videoRole(payload) : audioRole(payload)) !== role.header;
  const [one, other] = viewers.map(({ media }) =>
    media.filter(isFrame).map(({ type, timestamp, payload }) => `${type} ${timestamp} ${payload.length}`),
  );
  const from = one?.indexOf(other?.[0] ?? "") ?? -1;
  assert.ok(from >= 0, "both have seen the later one's first message");
  const both = Math.min((one?.length ?? 0) - from, other?.length ?? 0);
  assert.deepEqual(one?.slice(from, from + both), other?.slice(0, both), "both edges sent the same at the same time");
  assert.ok(isRunning(encoder.pid));
  assert.equal(dolphin.logLines(({ event }) => event === "publish.ended").length, 0);
  for (const viewer of viewers) viewer.close();
  await encoder.stop();
  await dolphin.stop({ allow });
});
