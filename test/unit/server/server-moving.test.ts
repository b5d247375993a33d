import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test, type TestContext } from "node:test";
import { writePreface } from "../../../src/codec/preface.js";
import { nowhere, type Claim, type Claims } from "../../../src/ipc/locating.js";
import type { SavedPublisher } from "../../../src/server/peers/saved-publisher.js";
import type { LogLine } from "../../helpers/dolphin.js";
import { publish } from "../../helpers/ffmpeg.js";
import { headers, pictures, videoFrame } from "../../helpers/media.js";
import { command, handshake, login, loginAndPublish, message, RawPeer } from "../../helpers/raw-peer.js";
import { publisher, RtmpPublisher, type RtmpPlayer } from "../../helpers/rtmp-client.js";
import { parseRtmpUrl, RtmpConnection } from "../../helpers/rtmp-connection.js";
import { ChunkWriter } from "../../helpers/rtmp-chunks.js";
import { eventually, within } from "../../helpers/wait.js";
import { dup, moverTo } from "./moving-rig.js";
import { Encoder, startServer, watch, type Rig } from "./rig.js";

const prompt = "vhost __defaultVhost__ { min_latency on; }";
/** With the delay of 80 ms in which a publisher's socket is left alone. */
const unhurried = "vhost __defaultVhost__ { play { mw_latency 20; } }";

/** An edge whose publishers go to its origin, and that origin. */
async function edgeAndOrigin(t: TestContext, vhost = prompt): Promise<{ edge: Rig; origin: Rig; saved: SavedPublisher[] }> {
  const origin = await startServer(t, vhost);
  const edge = await startServer(t, `vhost __defaultVhost__ { cluster { mode remote; origin ${origin.address}; } }`);
  const mover = moverTo(origin);
  edge.server.movePublishers(mover);
  return { edge, origin, saved: mover.saved };
}

/** What a log tells of connections and publishing, in its order. */
function events(lines: readonly LogLine[]): unknown[] {
  return lines.flatMap(({ event }) => (/^(?:rtmp|publish)\./.test(event ?? "") ? [event] : []));
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** Waits for so many pictures, which are the first ones in their order, each once. */
async function assertPictures(viewer: RtmpPlayer, count: number): Promise<void> {
  await viewer.waitUntil(`${count} pictures`, (messages) => pictures(messages).length >= count);
  assert.deepEqual(pictures(viewer.messages), numbers(count));
}

// The first one, because connections of earlier tests would still be closing.
test("moving: no descriptor is left behind", { skip: process.platform !== "linux" }, async (t) => {
  const { edge, origin } = await edgeAndOrigin(t);
  const sockets = (): number => readdirSync("/proc/self/fd").length;
  const before = sockets();
  const sources = await Promise.all(numbers(20).map((i) => publisher(edge.rtmpUrl(`s${i}`))));
  await eventually(() => sockets() === before + 40, { what: "two ends of each connection" });
  for (const source of sources) source.close();
  await within(Promise.all(sources.map(({ connection }) => connection.ended)), 5000, "the end of all");
  await eventually(() => origin.server.stats().connections === 0 && sockets() === before, { what: "nothing to be left" });
});

test("moving: a publisher on a second message stream is answered on it by the origin", async (t) => {
  const { edge, origin, saved } = await edgeAndOrigin(t);
  const connection = await RtmpConnection.open(parseRtmpUrl(edge.rtmpUrl("s")));
  t.after(() => connection.close());
  for (const id of [1, 2]) assert.equal((await connection.call("createStream", [])).values[1], id);
  const source = new RtmpPublisher(connection, "s");
  source.streamId = 2;
  connection.command("publish", ["s", "live"], { streamId: 2 });
  await connection.waitForStatus("NetStream.Publish.Start");
  assert.deepEqual(
    saved.map(({ streamId }) => streamId),
    [2],
  );
  const viewer = await watch(t, origin.rtmpUrl("s"));
  for (const media of [...headers("avc", "none"), videoFrame("avc", 0, 0)]) source.send(media);
  await assertPictures(viewer, 1);
  connection.command("play", ["s"], { streamId: 1 });
  await connection.waitForStatus("NetStream.Play.Start");
  assert.equal((await connection.call("createStream", [])).values[1], 3, "what was given is known there");
});

for (const order of ["fmle", "flash", "haivision"] as const) {
  test(`moving: a publisher in the way of ${order} is answered by the origin, and outlives the edge`, async (t) => {
    const { edge, origin, saved } = await edgeAndOrigin(t);
    const viewer = await watch(t, origin.rtmpUrl("s"));
    const source = await publisher(edge.rtmpUrl("s"), { order });
    t.after(() => source.close());
    for (const header of headers("avc", "none")) source.send(header);
    for (const i of numbers(30)) source.send(videoFrame("avc", i, i * 40));
    await assertPictures(viewer, 30);
    assert.equal(saved.length, 1);
    assert.deepEqual(edge.server.streams(), []);
    await eventually(() => edge.server.stats().connections === 0, { what: "the edge to have forgotten it" });
    assert.equal(origin.server.stats().publishers, 1);
    const moved = edge.lines.find(({ event }) => event === "rtmp.moved");
    assert.deepEqual([origin.stream("s")?.state, origin.stream("s")?.from], ["publish", moved?.peer]);

    await edge.server.close("killed");
    for (const i of numbers(60).slice(30)) source.send(videoFrame("avc", i, i * 40));
    await assertPictures(viewer, 60);
    const ids = [...edge.lines, ...origin.lines].filter(({ peer }) => peer === moved?.peer).map(({ conn }) => conn);
    assert.equal(new Set(ids).size, 1, "one connection has one id, wherever it is");
    source.close();
    await eventually(() => origin.stream("s")?.state === "wait", { what: "the end of the stream" });
    assert.deepEqual(events(edge.lines), ["rtmp.moved"]);
    assert.deepEqual(
      events(origin.lines.filter(({ conn }) => conn === ids[0])),
      ["publish.started", "publish.ended", "rtmp.closed"],
      "the stream's life is told once",
    );
  });
}

test("moving: the dialogue goes on where it stood, to the end of the stream and to the next one", async (t) => {
  const { edge, origin } = await edgeAndOrigin(t);
  const viewer = await watch(t, origin.rtmpUrl("s"));
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  encoder.send(3);
  encoder.source.unpublish();
  await encoder.source.connection.waitForStatus("NetStream.Unpublish.Success");
  await encoder.source.publish("fmle");
  encoder.send(3);
  await assertPictures(viewer, 6);
  assert.equal(events(edge.lines).length, 1, "it moved once");
});

test("moving: a busy stream is refused by the origin, for which the publisher is one like all others", async (t) => {
  const { edge, origin } = await edgeAndOrigin(t);
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  await assert.rejects(publisher(edge.rtmpUrl("s")), /NetStream\.Publish\.BadName/);
  assert.equal(origin.lines.find(({ event }) => event === "rtmp.closed")?.code, "RTMP_BUSY");
  encoder.send(1);
  await eventually(() => (origin.stream("s")?.bytesIn ?? 0) > 700, { what: "the first publisher's picture" });
});

test("moving: what cannot be published is refused before anything moves", async (t) => {
  const { edge, saved } = await edgeAndOrigin(t);
  edge.reconfigure("vhost other { }");
  await assert.rejects(publisher(edge.rtmpUrl("s")), /NetStream\.Publish\.Denied/);
  assert.equal(saved.length, 0);
});

test("moving: what one read brought behind publish goes along, whatever it is", async (t) => {
  const { edge, origin, saved } = await edgeAndOrigin(t);
  const viewer = await watch(t, origin.rtmpUrl("s"));
  const peer = await RawPeer.open(Number(edge.address.split(":")[1]));
  t.after(() => peer.close());
  const writer = new ChunkWriter();
  const media = [...headers("avc", "none"), ...numbers(10).map((i) => videoFrame("avc", i, i * 40))];
  const bytes = media.map((one) => writer.write({ ...one, csid: 6, streamId: 1 }));
  peer.send(loginAndPublish("s"), ...bytes, command("closeStream", 0, null));
  await assertPictures(viewer, 10);
  await eventually(() => origin.stream("s")?.state === "wait", { what: "the end of the stream" });
  assert.ok((saved[0]?.early.length ?? 0) > 0, "something went along");
});

test("moving: a server that has nobody to move publishers to takes them itself, and what came behind publish too", async (t) => {
  const rig = await startServer(t, prompt);
  rig.server.movePublishers(() => null);
  const viewer = await watch(t, rig.rtmpUrl("s"));
  const peer = await RawPeer.open(Number(rig.address.split(":")[1]));
  t.after(() => peer.close());
  const writer = new ChunkWriter();
  const bytes = numbers(10).map((i) => writer.write({ ...videoFrame("avc", i, i * 40), csid: 6, streamId: 1 }));
  peer.send(loginAndPublish("s"), ...bytes);
  await peer.waitForText("NetStream.Publish.Start");
  await assertPictures(viewer, 10);
});

test("moving: the client that a trusted peer has named goes along", async (t) => {
  const origin = await startServer(t, prompt);
  const edge = await startServer(t, `dolphin { trusted_proxies 127.0.0.1; } ${prompt}`);
  edge.server.movePublishers(moverTo(origin));
  const peer = await RawPeer.open(Number(edge.address.split(":")[1]));
  t.after(() => peer.close());
  peer.send(writePreface("v2", { host: "192.0.2.7", port: 50_123 }, { host: "127.0.0.1", port: 1935 }), loginAndPublish("s"));
  await peer.waitForText("NetStream.Publish.Start");
  assert.equal(origin.stream("s")?.from, "192.0.2.7:50123");
  assert.equal(origin.lines.find(({ event }) => event === "publish.started")?.peer, "192.0.2.7:50123");
});

test("moving: a publisher with much of a message under way stays, and goes when the message is complete", async (t) => {
  const first = await startServer(t, prompt);
  const second = await startServer(t, prompt);
  const mover = moverTo(second);
  first.server.movePublishers(mover);
  const viewers = [await watch(t, first.rtmpUrl("s")), await watch(t, second.rtmpUrl("s"))] as const;
  const peer = await RawPeer.open(Number(first.address.split(":")[1]));
  t.after(() => peer.close());
  const picture = videoFrame("avc", 0, 0, 99_986);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(40_000);
  const bytes = new ChunkWriter({ chunkSize: 40_000 }).write({ ...picture, csid: 6, streamId: 1 });
  const firstChunk = 12 + 40_000;
  const request = message(20, command("publish", 3, null, "s", "live").subarray(12), { streamId: 1 });
  peer.send(login(), command("createStream", 2, null), message(1, size, { csid: 2 }), bytes.subarray(0, firstChunk), request);
  await peer.waitForText("NetStream.Publish.Start");
  assert.equal(mover.saved.length, 0);
  assert.equal(first.stream("s")?.state, "publish");
  peer.send(bytes.subarray(firstChunk));
  await assertPictures(viewers[0], 1);
  await eventually(() => second.stream("s")?.state === "publish", { what: "the publisher at the second server" });
  peer.send(new ChunkWriter().write({ ...videoFrame("avc", 0, 40), csid: 6, streamId: 1 }));
  await assertPictures(viewers[1], 1);
});

/** Sends numbered pictures of all sizes in pieces that do not end where messages do, until told to stop. */
function sendUnevenly(t: TestContext, source: RtmpPublisher): { stop(): number } {
  const writer = new ChunkWriter({ chunkSize: 4096, format: 3 });
  let next = 0;
  let rest = Buffer.alloc(0);
  const send = (isLast: boolean): void => {
    const sizeBytes = 50 + ((next * 7919) % 9000);
    rest = Buffer.concat([rest, writer.write({ ...videoFrame("avc", next, next * 40, sizeBytes), csid: 6, streamId: 1 })]);
    next += 1;
    const cut = isLast ? rest.length : Math.floor(rest.length * 0.6);
    source.connection.sendRaw(rest.subarray(0, cut));
    rest = rest.subarray(cut);
  };
  const timer = setInterval(() => send(false), 2);
  t.after(() => clearInterval(timer));
  return {
    stop() {
      clearInterval(timer);
      send(true);
      return next;
    },
  };
}

for (const [name, vhost] of [
  ["at once", prompt],
  ["in step", unhurried],
] as const) {
  test(`moving: a publisher whose media flows goes from server to server, read ${name}, and nothing is lost or comes twice`, async (t) => {
    const rigs = [await startServer(t, vhost), await startServer(t, vhost), await startServer(t, vhost)];
    const viewers: RtmpPlayer[] = [];
    for (const rig of rigs) viewers.push(await watch(t, rig.rtmpUrl("s")));
    const source = await publisher(rigs[0]!.rtmpUrl("s"), { chunkSize: 4096 });
    t.after(() => source.close());
    source.metadata({ encoder: "test" });
    for (const header of headers("avc", "aac")) source.send(header);
    const seen = (): number[] => viewers.flatMap(({ messages }) => pictures(messages)).toSorted((a, b) => a - b);
    const flow = sendUnevenly(t, source);
    for (const [place, rig] of rigs.entries()) {
      await viewers[place]!.waitUntil("20 pictures here", (messages) => pictures(messages).length >= 20);
      if (place + 1 === rigs.length) break;
      rig.server.movePublishers(moverTo(rigs[place + 1]!));
    }
    const count = flow.stop();
    await eventually(() => seen().length >= count, { what: "the last picture" });
    assert.deepEqual(seen(), numbers(count));
    assert.equal(source.connection.endedBy, null);
    for (const [place, { messages }] of viewers.entries()) {
      // the answer to play ends with a data message of its own
      const first = messages.slice(1, 4).map(({ type }) => type);
      assert.deepEqual(first, place === 0 ? [18, 9, 8] : [18, 8, 9], "headers come first");
      const times = messages.filter(({ type }) => type === 9).map(({ timestamp }) => timestamp);
      assert.deepEqual(
        times,
        times.toSorted((a, b) => a - b),
      );
      const before = place === 0 ? 0 : Math.max(...viewers[place - 1]!.media.map(({ timestamp }) => timestamp));
      assert.ok(times[0]! >= before, "the clock goes on");
    }
    assert.deepEqual(
      rigs.map(({ lines }) => events(lines).filter((event) => event !== "rtmp.closed")),
      [["publish.started", "rtmp.moved"], ["publish.resumed", "rtmp.moved"], ["publish.resumed"]],
    );
    assert.equal(source.connection.commands.filter(({ name: one }) => one === "onStatus").length, 1, "it was told to start once");
  });
}

test("moving: ffmpeg publishes across three servers, and all of its pictures arrive", async (t) => {
  const { edge, origin } = await edgeAndOrigin(t);
  const heir = await startServer(t, prompt);
  const viewers = [await watch(t, origin.rtmpUrl("s")), await watch(t, heir.rtmpUrl("s"))] as const;
  const encoder = publish(edge.rtmpUrl("s"), { seconds: 3 });
  t.after(() => encoder.stop());
  await viewers[0].waitForMedia(60);
  origin.server.movePublishers(moverTo(heir));
  const { code } = await within(encoder.ended, 15_000, () => `the end of ffmpeg: ${encoder.output()}`);
  assert.equal(code, 0, encoder.output());
  await eventually(() => heir.stream("s")?.state === "wait", { what: "the end of the stream" });
  const frames = viewers.map(({ media }) => media.filter(({ type, payload }) => type === 9 && payload[1] === 1).length);
  assert.ok(frames[0]! > 0 && frames[1]! > 0, `both have some: ${frames.join(", ")}`);
  assert.equal(frames[0]! + frames[1]!, 75);
});

test("moving: the registry hears since when a publisher is there who goes on, and of one who has just come nothing", async (t) => {
  const since: (number | null)[] = [];
  const claim: Claim = { isStandby: false, mayPass: () => true, release: () => undefined };
  const claims: Claims = {
    claim: (_name, { underWaySinceMs }) => (since.push(underWaySinceMs), Promise.resolve(claim)),
    fence: () => Promise.resolve(0),
  };
  const locator = { locate: () => Promise.resolve(nowhere), claims };
  const onSite = `dolphin { registry redis://127.0.0.1:1; registry_advertise 127.0.0.1:1; } ${prompt}`;
  const [origin, heir] = [await startServer(t, onSite, { locator }), await startServer(t, onSite, { locator })];
  const edge = await startServer(t, `vhost __defaultVhost__ { cluster { mode remote; origin ${origin.address}; } }`);
  edge.server.movePublishers(moverTo(origin));
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  const mover = moverTo(heir);
  origin.server.movePublishers(mover);
  encoder.sendSteadily(t);
  await eventually(() => since.length === 2, { what: "the claim of the heir" });
  assert.deepEqual(since, [null, mover.saved[0]?.connection.startedAtMs]);
});

test("moving: a box has no more publishers in its origin than connections", async (t) => {
  const { edge, origin } = await edgeAndOrigin(t, `max_connections 2; ${prompt}`);
  for (const name of ["a", "b"]) await Encoder.open(t, edge.rtmpUrl(name));
  await assert.rejects(publisher(edge.rtmpUrl("c")), /NetStream\.Publish\.Denied/);
  assert.equal(origin.server.stats().publishers, 2);
  assert.equal(origin.lines.find(({ event }) => event === "rtmp.closed")?.code, "RTMP_FULL");
});

test("moving: a publisher that has gone by the time it arrives is one who left", async (t) => {
  const { edge, origin } = await edgeAndOrigin(t);
  const held: { readonly saved: SavedPublisher; readonly fd: number }[] = [];
  edge.server.movePublishers((saved, fd) => {
    held.push({ saved, fd: dup(fd) });
    return Promise.resolve();
  });
  const port = Number(edge.address.split(":")[1]);
  const [left, broken] = [await RawPeer.open(port), await RawPeer.open(port)];
  for (const [i, peer] of [left, broken].entries()) {
    peer.send(loginAndPublish(`s${i}`));
    await eventually(() => held.length === i + 1, { what: "it to move" });
  }
  left.close();
  broken.reset();
  await within(Promise.all([left.closed, broken.closed]), 5000, "both to be gone");
  for (const { saved, fd } of held) origin.server.adoptPublisher(saved, fd);
  await eventually(() => origin.server.stats().connections === 0, { what: "the origin to have forgotten them" });
  assert.deepEqual([origin.server.stats().publishers, origin.stream("s0"), origin.stream("s1")], [0, null, null]);
  assert.deepEqual(
    origin.lines.flatMap(({ event, code }) => (event === "rtmp.closed" ? [code] : [])),
    [undefined, undefined],
  );
});

test("moving: whose media is passed on stays, and goes on", async (t) => {
  const origin = await startServer(t, prompt);
  const edge = await startServer(t, `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origin.address}; } }`);
  const viewer = await watch(t, origin.rtmpUrl("s"));
  const encoder = await Encoder.open(t, edge.rtmpUrl("s"));
  const mover = moverTo(origin);
  edge.server.movePublishers(mover);
  encoder.send(10);
  await assertPictures(viewer, 10);
  assert.equal(mover.saved.length, 0);
});

test("moving: a handshake is not something to move", async (t) => {
  const { edge, saved } = await edgeAndOrigin(t);
  const peer = await RawPeer.open(Number(edge.address.split(":")[1]));
  t.after(() => peer.close());
  peer.send(handshake().subarray(0, 2000));
  edge.server.movePublishers(() => assert.fail("it does not publish"));
  assert.equal(saved.length, 0);
});
