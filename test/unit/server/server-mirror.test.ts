import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { parseListen } from "../../../src/conf/meaning/endpoint.js";
import { pictures } from "../../helpers/media.js";
import { eventually } from "../../helpers/wait.js";
import { dup, moverTo } from "./moving-rig.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const edgeKey = "0123456789abcdef0123456789abcdef";
const prompt = "vhost __defaultVhost__ { min_latency on; }";

/** A server whose stream `s` is published, and another that takes its place and mirrors these streams. */
async function oldAndHeir(t: TestContext, ...mirrored: readonly string[]): Promise<{ old: Rig; heir: Rig; encoder: Encoder }> {
  const old = await startServer(t, prompt, { edgeKey });
  const heir = await startServer(t, prompt);
  const encoder = await Encoder.open(t, old.rtmpUrl("s"));
  encoder.send(40);
  await eventually(() => (old.stream("s")?.bytesIn ?? 0) > 0, { what: "the stream" });
  await heir.server.mirror({
    endpoint: parseListen(old.address),
    edgeKey,
    streams: mirrored.map((stream) => ({ vhost: "__defaultVhost__", app: "live", stream })),
  });
  return { old, heir, encoder };
}

function assertEachOnce(found: readonly number[]): void {
  const [first = 0] = found;
  assert.deepEqual(
    found,
    found.map((_, at) => first + at),
  );
}

test("mirror: a stream goes on with its publisher, and who watches the mirror sees every picture once, in its time", async (t) => {
  const { old, heir, encoder } = await oldAndHeir(t, "s");
  assert.equal(heir.stream("s")?.state, "pull");
  const viewer = await watch(t, heir.rtmpUrl("s"));
  encoder.sendSteadily(t);
  await viewer.waitForMedia(30);
  old.server.movePublishers(moverTo(heir));
  await eventually(() => heir.stream("s")?.state === "publish", { what: "the publisher" });
  heir.server.endMirror();
  await viewer.waitForMedia(viewer.media.length + 30);
  assertEachOnce(pictures(viewer.messages));
  const times = viewer.messages.filter(({ type, payload }) => type === 9 && payload[1] === 1).map(({ timestamp }) => timestamp);
  assert.deepEqual(new Set(times.slice(1).map((time, at) => time - (times[at] ?? 0))), new Set([40]), "the clock goes on");
  // Who comes later has the same clock, and starts with the last key frame.
  const late = await watch(t, heir.rtmpUrl("s"));
  await late.waitForMedia(5);
  const at = pictures(late.messages)[0] ?? 0;
  assert.equal(late.media.find(({ payload }) => payload[1] === 1)?.timestamp, at * 40);
});

test("mirror: a stream whose publisher does not come ends when the mirror does", async (t) => {
  const { old, heir, encoder } = await oldAndHeir(t, "s", "gone");
  const viewer = await watch(t, heir.rtmpUrl("s"));
  encoder.send(10);
  await viewer.waitForMedia(10);
  encoder.source.close();
  await eventually(() => old.stream("s") === null || old.stream("s")?.state === "wait", { what: "the end at the old server" });
  assert.equal(heir.stream("s")?.state, "pull", "its publisher may be on his way");
  heir.server.endMirror();
  assert.equal(heir.stream("s")?.state, "wait", "the viewer waits for the next publisher");
  assert.equal(heir.stream("gone"), null);
  const next = await Encoder.open(t, heir.rtmpUrl("s"));
  next.send(5);
  const before = viewer.media.length;
  await viewer.waitForMedia(before + 4);
});

test("mirror: while a stream is mirrored nobody else publishes it", async (t) => {
  const { heir } = await oldAndHeir(t, "s", "gone");
  await assert.rejects(Encoder.open(t, heir.rtmpUrl("s")), /NetStream\.Publish\.BadName/);
  const other = await Encoder.open(t, heir.rtmpUrl("gone"));
  other.send(5);
  await eventually(() => heir.stream("gone")?.state === "publish", { what: "what was mirrored in vain" });
});

test("mirror: a publisher who is sent away before he is read from leaves nothing behind, and a reload costs others nothing", async (t) => {
  const { old, heir } = await oldAndHeir(t, "s");
  // The old server keeps him as well, so the mirror does not hear the end of the stream.
  old.server.movePublishers((saved, fd) => {
    heir.server.adoptPublisher(saved, dup(fd));
    return null;
  });
  await eventually(() => heir.stream("s")?.state === "publish", { what: "the publisher" });
  heir.server.endMirror();
  heir.reconfigure(`${prompt} vhost other { }`);
  assert.equal(heir.stream("s")?.state, "publish", "the vhost is as it was");
  heir.reconfigure("vhost other { }");
  assert.equal(heir.stream("s")?.state, "pull", "he is gone, and the mirror is not over");
  await eventually(() => heir.stream("s") === null, { what: "the end of the stream" });
});
