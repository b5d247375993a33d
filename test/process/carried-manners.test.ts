// Viewers who want a stream otherwise than all others (paused, without pictures, for a time, on a second message stream) go on in
// the same manner where they are carried to when their edge is killed.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inLull } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { Dolphin } from "../helpers/dolphin.js";
import { playerAt, steadyPublisherAt } from "../helpers/edges.js";
import { pictures } from "../helpers/media.js";
import type { Media, RtmpPlayer, RtmpPublisher } from "../helpers/rtmp-client.js";
import type { Amf } from "../helpers/amf0.js";
import { parseRtmpUrl, RtmpConnection } from "../helpers/rtmp-connection.js";
import { eventually, within } from "../helpers/wait.js";

const provoked = new Set(["child.exited"]);

/** A stream whose publisher came in at edge-2. */
async function boxWithStream(t: TestContext): Promise<{ readonly dolphin: Dolphin; readonly source: RtmpPublisher }> {
  const dolphin = await Dolphin.start(t, { conf: promptConf });
  return { dolphin, source: await steadyPublisherAt(t, dolphin, "edge-2", "show") };
}

async function viewerAtFirst(t: TestContext, dolphin: Dolphin): Promise<RtmpPlayer> {
  const viewer = await playerAt(t, dolphin, "show", dolphin.pidOf("edge-1"));
  await viewer.waitForMedia(20);
  return viewer;
}

/** Says something, and waits until the edge has taken it to heart; what it tells the master of it is there before an answer to the status. */
async function tell({ connection, streamId }: RtmpPlayer, name: string, ...values: readonly Amf[]): Promise<void> {
  connection.command(name, values, { streamId });
  await settled(connection);
}

async function settled(connection: RtmpConnection): Promise<void> {
  await connection.call("anything", []);
}

/** Kills edge-1 when these of its viewers have everything and the master has heard all of it, and waits until they go on. */
async function killFirst(dolphin: Dolphin, source: RtmpPublisher, viewers: readonly RtmpPlayer[]): Promise<void> {
  await inLull(dolphin, source, viewers, () => process.kill(dolphin.pidOf("edge-1"), "SIGKILL"));
  await dolphin.waitFor("connections.resumed");
}

async function stop(dolphin: Dolphin): Promise<void> {
  await dolphin.stop({ allow: ({ event }) => provoked.has(event ?? "") });
}

void test("a paused player is paused where it is carried to, and goes on with a key frame when it asks", async (t) => {
  const { dolphin, source } = await boxWithStream(t);
  const viewer = await viewerAtFirst(t, dolphin);
  await tell(viewer, "pause", true, 0);
  const before = viewer.media.length;
  await killFirst(dolphin, source, []); // a paused player has nothing to wait for
  const other = await playerAt(t, dolphin, "show", dolphin.pidOf("edge-2"));
  await other.waitForMedia(60);
  await tell(viewer, "anything");
  assert.equal(viewer.media.length, before);
  await tell(viewer, "pause", false, 0);
  await viewer.waitForMedia(before + 30);
  const first = viewer.media.slice(before).find(({ type, payload }) => type === 9 && payload[1] === 1);
  assert.equal(first?.payload[0], 0x17);
  viewer.close();
  await stop(dolphin);
});

void test("a player that was paused and goes on again is carried as one that goes on", async (t) => {
  const { dolphin, source } = await boxWithStream(t);
  const viewer = await viewerAtFirst(t, dolphin);
  await tell(viewer, "pause", true, 0);
  await tell(viewer, "pause", false, 0);
  await viewer.waitForMedia(viewer.media.length + 60);
  await killFirst(dolphin, source, [viewer]);
  await viewer.waitForMedia(viewer.media.length + 60);
  viewer.close();
  await stop(dolphin);
});

void test("a player that wants no pictures gets none where it is carried to", async (t) => {
  const { dolphin, source } = await boxWithStream(t);
  const viewer = await viewerAtFirst(t, dolphin);
  await tell(viewer, "receiveVideo", false);
  const before = viewer.messages.length;
  await killFirst(dolphin, source, [viewer]);
  const isSound = ({ type }: Media): boolean => type === 8;
  await viewer.waitUntil("more sound", (messages) => messages.slice(before).filter(isSound).length > 60);
  assert.deepEqual(pictures(viewer.messages.slice(before)), []);
  viewer.close();
  await stop(dolphin);
});

void test("a play for a time ends when that is over, wherever it is by then", async (t) => {
  const { dolphin, source } = await boxWithStream(t);
  const viewer = await playerAt(t, dolphin, "show", dolphin.pidOf("edge-1"));
  await tell(viewer, "play", "show", -2000, 4000);
  const before = viewer.media.length;
  await viewer.waitForMedia(before + 20);
  await killFirst(dolphin, source, [viewer]);
  await viewer.connection.waitForStatus("NetStream.Play.Stop", 8000);
  await tell(viewer, "anything");
  const media = viewer.media.slice(before);
  const times = media.map(({ timestamp }) => timestamp);
  const lengthMs = Math.max(...times) - Math.min(...times);
  assert.ok(lengthMs < 4100 && lengthMs > 3800, `${lengthMs} ms`);
  const numbers = pictures(media);
  assert.ok(numbers.length >= 95, `${numbers.length} pictures`);
  assert.equal(viewer.connection.endedBy, null);
  viewer.close();
  await stop(dolphin);
});

/** A connection at edge-1 that plays on these message streams. */
async function playOn(t: TestContext, dolphin: Dolphin, ids: readonly number[]): Promise<{ connection: RtmpConnection; got: number[] }> {
  for (let tries = 0; tries < 100; tries++) {
    const connection = await RtmpConnection.open(parseRtmpUrl(dolphin.rtmpUrl("show")));
    t.after(() => connection.close());
    if (connection.serverPid !== dolphin.pids["edge-1"]) {
      connection.close();
      continue;
    }
    const got: number[] = [];
    connection.onMessage = ({ type, streamId }) => void (type === 9 && got.push(streamId));
    while ((await connection.call("createStream", [])).values[1] !== Math.max(...ids));
    for (const streamId of ids) connection.command("play", ["show"], { streamId });
    await eventually(() => ids.every((id) => got.filter((one) => one === id).length > 10), { what: "pictures on every stream" });
    return { connection, got };
  }
  throw new Error("100 connections did not reach edge-1");
}

void test("a play on a second message stream goes on there, and a connection with two plays ends with its process", async (t) => {
  const { dolphin, source } = await boxWithStream(t);
  const second = await playOn(t, dolphin, [2]);
  const both = await playOn(t, dolphin, [1, 2]);
  const left = await playOn(t, dolphin, [1, 2]);
  left.connection.command("closeStream", [], { streamId: 1 });
  await settled(left.connection);
  await killFirst(dolphin, source, [await viewerAtFirst(t, dolphin)]); // whom the edge gives the same batches
  await within(both.connection.ended, 5000, "the end of the connection with two plays");
  for (const { connection, got } of [second, left]) {
    const before = got.length;
    await eventually(() => got.length > before + 30, { what: "pictures where it was carried to" });
    assert.deepEqual(new Set(got.slice(before)), new Set([2]));
    assert.equal(connection.endedBy, null);
    connection.close();
  }
  await stop(dolphin);
});
