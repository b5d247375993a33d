import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { assertSameMedia } from "../../../helpers/compare.js";
import { headers, step } from "../../../helpers/media.js";
import { player, publisher, type Media, type PublisherOptions, type RtmpPlayer } from "../../../helpers/rtmp-client.js";
import { RtmpConnection, parseRtmpUrl } from "../../../helpers/rtmp-connection.js";
import { eventually } from "../../../helpers/wait.js";
import { listening } from "../pump/rig.js";
import { FakeServer, type FakeHabits } from "./fake-server.js";
import { startOwnServer, startRouter, target, type Rig } from "./rig.js";

/** Two seconds of a camera, from a time on. */
function film(fromMs = 0): Media[] {
  return [...headers("avc", "aac", fromMs), ...Array.from({ length: 50 }, (_, i) => step("avc", "aac", i, fromMs)).flat()];
}

/** Waits for all of it and compares, sound and pictures each for themselves: their order among each other is the server's. */
async function assertPlays(viewer: RtmpPlayer, sent: readonly Media[]): Promise<void> {
  await viewer.waitForMedia(sent.length);
  assertSame(viewer.media, sent, "player");
}

function assertSame(got: readonly Media[], sent: readonly Media[], who: string): void {
  const only = (type: number, media: readonly Media[]): Media[] => media.filter((one) => one.type === type);
  for (const type of [8, 9]) assertSameMedia(only(type, got), only(type, sent), `${who}, type ${type}`);
}

const orders = ["fmle", "flash", "haivision"] as const;

for (const order of orders) {
  test(`router: a ${order} encoder and a player meet on our own server, and no byte is changed`, async (t) => {
    const { target: own } = await startOwnServer(t);
    const rig = await startRouter(t, [own]);
    const source = await publisher(rig.url("s"), { order });
    const sent = film();
    for (const media of sent.slice(0, 20)) source.send(media);
    const viewer = await player(rig.url("s"));
    for (const media of sent.slice(20)) source.send(media);
    await assertPlays(viewer, sent);
    viewer.close();
    source.close();
    const lines = await rig.closedLines(2);
    assert.deepEqual(
      lines.map(({ reason, code }) => [reason, code]),
      [
        ["closed", undefined],
        ["closed", undefined],
      ],
    );
    assert.deepEqual([rig.accounts.total, rig.router.connections, rig.chooser.leases.size], [0, 0, 0]);
  });
}

const encoders: readonly PublisherOptions[] = [
  { format: 3 },
  { format: 3, chunkSize: 4096 },
  { format: 2, chunkSize: 60_000 },
  { order: "flash", format: 1 },
  { order: "haivision", format: 3, chunkSize: 60_000 },
];

for (const options of encoders) {
  test(`router: an encoder with ${JSON.stringify(options)} is understood by the server`, async (t) => {
    const fake = await FakeServer.start(t);
    const rig = await startRouter(t, [target("one", fake.port)]);
    const source = await publisher(rig.url("s?token=1"), options);
    const sent = film();
    for (const media of sent) source.send(media);
    const [session] = fake.sessions;
    await eventually(() => session!.media.length === sent.length, { everyMs: 5, what: "all media" });
    assertSame(session!.media, sent, "server");
    assert.equal(session!.tcUrl, `rtmp://127.0.0.1:${rig.port}/live`);
    const names = session!.commands.map(({ name, args }) => `${name} ${String(args[1] ?? "")}`);
    assert.ok(names.includes("publish s?token=1"), names.join());
    source.close();
    const [line] = await rig.closedLines(1);
    assert.deepEqual([line!["stream"], line!["backend"], line!["doing"]], ["s", "one", "moving bytes"]);
  });
}

const late = 0xffffff - 1000;

const servers: readonly FakeHabits[] = (["srs", "nginx"] as const).flatMap((manner) =>
  [null, 128, 4096, 60_000].flatMap((chunkSize) => [
    { manner, chunkSize, media: film(), pieceBytes: 37 },
    { manner, chunkSize, media: film(late) },
  ]),
);

for (const habits of servers) {
  const { manner, chunkSize = null, media = [], pieceBytes } = habits;
  const what = `${manner} with chunks of ${chunkSize ?? "no announced size"}, from ${media[0]!.timestamp} ms, pieces of ${pieceBytes ?? "any"}`;
  test(`router: a player understands a server that leaves out what it can: ${what}`, async (t) => {
    const fake = await FakeServer.start(t, habits);
    const rig = await startRouter(t, [target("one", fake.port)]);
    const viewer = await player(rig.url("s"));
    await assertPlays(viewer, media);
    fake.sessions[0]!.play(film(media.at(-1)!.timestamp + 40));
    await viewer.waitForMedia(2 * media.length);
    assert.equal(viewer.connection.endedBy, null);
    viewer.close();
    const [line] = await rig.closedLines(1);
    assert.deepEqual([line!.reason, line!["doing"]], ["closed", "moving bytes"]);
  });
}

test("router: a player that asks everything before it plays gets each answer once", async (t) => {
  for (const manner of ["srs", "nginx"] as const) {
    const fake = await FakeServer.start(t, { manner, media: film() });
    const rig = await startRouter(t, [target("one", fake.port)]);
    const connection = await RtmpConnection.open(parseRtmpUrl(rig.url("s")));
    const seen: number[] = [];
    connection.onMessage = ({ type }) => void seen.push(type);
    for (const name of ["_checkbw", "FCSubscribe", "createStream", "getStreamLength"]) await connection.call(name, ["s"]);
    connection.command("play", ["s"], { streamId: 1 });
    await eventually(() => seen.filter((type) => type === 8 || type === 9).length === film().length, { everyMs: 5, what: "the film" });
    const results = connection.commands.filter(({ name }) => name === "_result").map(({ transaction }) => transaction);
    assert.deepEqual(results, [1, 2, 3, 4, 5], manner);
    connection.close();
  }
});

test("router: where a server's last reply had another shape than the proxy's, the connection is parsed on, and right", async (t) => {
  const fake = await FakeServer.start(t, { manner: "nginx", media: film() });
  const rig = await startRouter(t, [target("one", fake.port)]);
  const connection = await RtmpConnection.open(parseRtmpUrl(rig.url("s")));
  const got: Media[] = [];
  connection.onMessage = (message) => void got.push(message);
  await connection.call("createStream", []);
  await connection.call("FCSubscribe", ["s"]); // nginx has no answer to it
  connection.command("play", ["s"], { streamId: 1 });
  const count = (): number => got.filter(({ type }) => type === 8 || type === 9).length;
  await eventually(() => count() === film().length, { everyMs: 5, what: "the film" });
  assertSame(got, film(), "player");
  connection.close();
  assert.equal((await rig.closedLines(1))[0]!["doing"], "handing over");
});

test("router: a second publisher of a stream goes to the same server and gets its answer", async (t) => {
  const [first, second] = [await startOwnServer(t, "one"), await startOwnServer(t, "two")];
  const rig = await startRouter(t, [first.target, second.target]);
  const source = await publisher(rig.url("s"));
  rig.chooser.targets.reverse();
  await assert.rejects(publisher(rig.url("s")), /publish was refused.*BadName/);
  const other = await publisher(rig.url("other"));
  assert.deepEqual([first.server.streams().length, second.server.streams().length], [1, 1]);
  const viewer = await player(rig.url("s"));
  await eventually(() => first.server.streams()[0]?.players === 1, { everyMs: 5, what: "the player beside its publisher" });
  for (const peer of [source, other, viewer]) peer.close();
});

test("router: a connection publishes on one message stream, plays on another, and ends both in every way that there is", async (t) => {
  const { target: own, server } = await startOwnServer(t);
  const rig = await startRouter(t, [own]);
  const connection = await RtmpConnection.open(parseRtmpUrl(rig.url("s")));
  t.after(() => connection.close());
  const got: (Media & { readonly streamId: number })[] = [];
  connection.onMessage = (message) => void got.push(message);
  const ids: number[] = [];
  for (let count = 0; count < 2; count++) ids.push(Number((await connection.call("createStream", [])).values[1]));
  const [up = 0, down = 0] = ids;
  connection.command("publish", ["s", "live"], { streamId: up });
  await connection.waitForStatus("NetStream.Publish.Start");
  connection.command("play", ["s"], { streamId: down });
  await connection.waitForStatus("NetStream.Play.Start");
  const sent = film();
  for (const { type, timestamp, payload } of sent) connection.send({ type, timestamp, payload, streamId: up, csid: type === 8 ? 4 : 6 });
  const media = (): typeof got => got.filter(({ type }) => type === 8 || type === 9);
  await eventually(() => media().length === sent.length, { everyMs: 5, what: "all media" });
  assert.ok(media().every(({ streamId }) => streamId === down));
  assertSame(media(), sent, "player");
  connection.command("play", [false], { streamId: down });
  await connection.waitForStatus("NetStream.Play.Stop");
  connection.command("publish", [false], { streamId: up });
  await connection.waitForStatus("NetStream.Unpublish.Success");
  assert.deepEqual(server.streams(), []);
  assert.equal(connection.endedBy, null);
});

test("router: who asks for s.flv goes where s is published, and gets it", async (t) => {
  const [first, second] = [await startOwnServer(t, "one"), await startOwnServer(t, "two")];
  const rig = await startRouter(t, [first.target, second.target]);
  const source = await publisher(rig.url("s"));
  rig.chooser.targets.reverse();
  const viewer = await player(rig.url("s.flv"));
  const sent = film();
  for (const media of sent) source.send(media);
  await assertPlays(viewer, sent);
  for (const peer of [source, viewer]) peer.close();
});

test("router: a server that refuses, one that closes and one that says nothing are passed over before the client notices", async (t) => {
  const silent = await FakeServer.start(t, { prefaceBytes: 1 << 20 });
  const closing = await FakeServer.start(t, { prefaceBytes: 1 << 20 });
  const gone = await FakeServer.start(t);
  gone.stop();
  const { target: own } = await startOwnServer(t, "good");
  const targets = [target("gone", gone.port), target("closing", closing.port), target("silent", silent.port), own];
  const rig = await startRouter(t, targets, { greetTimeoutMs: 200, maxTries: 4 });
  const closer = setInterval(() => closing.sockets.forEach((socket) => socket.end()), 20);
  t.after(() => clearInterval(closer));
  const source = await publisher(rig.url("s"));
  source.close();
  const [line] = await rig.closedLines(1);
  assert.deepEqual(line!["tried"], ["gone", "closing", "silent", "good"]);
  assert.equal(rig.accounts.total, 0);
});

test("router: a server that is slow is waited for while there is no other", async (t) => {
  const slow = await startOwnServer(t);
  const gate = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const port = await listening(gate);
  const rig = await startRouter(t, [target("slow", port)], { greetTimeoutMs: 50 });
  t.after(() => gate.close());
  const [source, [accepted]] = await Promise.all([
    publisher(rig.url("s")),
    once(gate, "connection").then(async (sockets) => {
      await eventually(() => rig.chooser.looks >= 3, { everyMs: 5, what: "turns without an answer" });
      const [socket] = sockets as [Socket];
      socket.pipe(connect(slow.target.rtmp)).pipe(socket);
      return sockets as [Socket];
    }),
  ]);
  t.after(() => accepted.destroy());
  source.close();
  assert.deepEqual((await rig.closedLines(1))[0]!["tried"], ["slow"]);
});

test("router: the patience with the only server has an end", async (t) => {
  const silent = await FakeServer.start(t, { prefaceBytes: 1 << 20 });
  const rig = await startRouter(t, [target("silent", silent.port)], { greetTimeoutMs: 20, patienceMs: 60 });
  await assert.rejects(publisher(rig.url("s")), /publish was refused.*no handshake within 60 ms/);
  assert.equal((await rig.closedLines(1))[0]!.code, "PROXY_CONNECT");
});

test("router: when no server takes the stream the client is told, and the line has the code", async (t) => {
  const gone = await FakeServer.start(t);
  gone.stop();
  const rig = await startRouter(t, [target("gone", gone.port)]);
  await assert.rejects(publisher(rig.url("s")), /publish was refused.*no server took the stream/);
  const none = await startRouter(t, []);
  await assert.rejects(publisher(none.url("s")), /publish was refused.*no server can take the stream/);
  assert.equal((await rig.closedLines(1))[0]!.code, "PROXY_CONNECT");
  assert.equal((await none.closedLines(1))[0]!.code, "PROXY_NO_SERVER");
  assert.equal(rig.chooser.leases.size, 0);
});

test("router: a client that leaves while it waits, or at any other moment, takes its server's connection with it", async (t) => {
  const fake = await FakeServer.start(t, { media: film() });
  const rig = await startRouter(t, [target("one", fake.port)]);
  const viewer = await player(rig.url("s"));
  viewer.close();
  await rig.closedLines(1);
  await eventually(() => [...fake.sockets].every((socket) => socket.destroyed), { everyMs: 5, what: "the server's side to end" });
  assert.equal(rig.accounts.total, 0);
});

test("router: a server that dies ends its clients", async (t) => {
  const fake = await FakeServer.start(t, { media: film() });
  const rig = await startRouter(t, [target("one", fake.port)]);
  const viewer = await player(rig.url("s"));
  for (const socket of fake.sockets) socket.destroy();
  await viewer.connection.ended;
  const [line] = await rig.closedLines(1);
  assert.equal(line!["endedBy"], "server");
});

test("router: a server that calls the stream otherwise ends the connection with a reason", async (t) => {
  const fake = await FakeServer.start(t, { streamId: 9 });
  const rig = await startRouter(t, [target("one", fake.port)]);
  await assert.rejects(player(rig.url("s")), /ended/);
  const [line] = await rig.closedLines(1);
  assert.deepEqual([line!.code, line!["endedBy"]], ["PROXY_ANSWER", "proxy"]);
});

test("router: servers are told who the client is in front of the handshake", async (t) => {
  const fake = await FakeServer.start(t, { prefaceBytes: 7 });
  const rig = await startRouter(t, [target("one", fake.port)], { preface: "srs" });
  const source = await publisher(rig.url("s"));
  source.close();
});

test("router: a stop ends every connection, each with its line", async (t) => {
  const fake = await FakeServer.start(t, { media: film() });
  const rig: Rig = await startRouter(t, [target("one", fake.port)]);
  const viewer = await player(rig.url("s"));
  const silent = await RtmpConnection.open(parseRtmpUrl(rig.url("s")));
  rig.router.close("the box stops");
  await Promise.all([viewer.connection.ended, silent.ended]);
  const lines = await rig.closedLines(2);
  assert.deepEqual(new Set(lines.map(({ reason }) => reason)), new Set(["stopped", "the box stops"]));
  assert.equal(rig.router.connections, 0);
});
