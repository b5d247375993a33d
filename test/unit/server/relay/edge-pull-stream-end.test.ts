// The end of a publish, as servers tell each other of it: what an origin says to whom, and what an edge forgets.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { encodeAmf } from "../../../../src/codec/rtmp/amf0.js";
import { makeStatus } from "../../../../src/codec/rtmp/command.js";
import { controlEvent, messageType, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import { asObject } from "../../../helpers/amf0.js";
import { watchFlv } from "../../../helpers/flv-reader.js";
import { headers, step } from "../../../helpers/media.js";
import { player, publisher, type Media } from "../../../helpers/rtmp-client.js";
import type { ConnectOptions } from "../../../helpers/rtmp-connection.js";
import { eventually } from "../../../helpers/wait.js";
import { FakeServer } from "../../proxy/rtmp/fake-server.js";
import { startRouter, target } from "../../proxy/rtmp/rig.js";
import { startServer, watch, type Rig } from "../rig.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const local = `vhost __defaultVhost__ { min_latency on; ${remux} }`;
const edgeKey = "0123456789abcdef0123456789abcdef";

function remote(origin: string): string {
  return `vhost __defaultVhost__ { min_latency on; cluster { mode remote; origin ${origin}; } ${remux} }`;
}

const pictureAndSound: readonly Media[] = [
  { type: 18, timestamp: 0, payload: encodeAmf("onMetaData", { width: 320 }) },
  ...headers("avc", "aac"),
  ...step("avc", "aac", 0),
  ...step("avc", "aac", 1),
];

/** What our servers say to every player of RTMP. */
function isCourtesy({ payload }: Media): boolean {
  return payload.includes("|RtmpSampleAccess");
}

/** Whoever comes to an edge now is given sound, and nothing else. */
async function assertSoundAlone(t: TestContext, edge: Rig, what: string): Promise<void> {
  const late = await watch(t, edge.rtmpUrl("s"));
  const flv = await watchFlv(edge.flvUrl("s"));
  t.after(() => flv.close());
  await late.waitForMedia(4);
  await flv.waitForMedia(4);
  const isSound = ({ type, payload }: Media): boolean => type === 8 && payload[0] === 0x2f;
  const others = [...late.messages, ...flv.tags].filter((media) => !isSound(media) && !isCourtesy(media));
  assert.deepEqual(others, [], what);
  assert.deepEqual(flv.flags, { hasAudio: true, hasVideo: false }, what);
}

for (const what of ["an origin", "an edge of another box", "an origin behind plan b's router"] as const) {
  test(`stream end: behind a publisher who comes with sound alone, an edge of ${what} gives a newcomer nothing of the one before`, async (t) => {
    const origin = await startServer(t, local, { edgeKey });
    const own = what === "an edge of another box" ? await startServer(t, remote(origin.address), { edgeKey, isEdge: true }) : origin;
    const router = await startRouter(t, [target("one", Number(origin.address.split(":")[1]))]);
    const far = await startServer(t, remote(what === "an origin behind plan b's router" ? `127.0.0.1:${router.port}` : own.address));
    const stays = await watch(t, far.rtmpUrl("s"));
    await eventually(() => own.stream("s")?.players === 1, { what: "the pull" });
    const first = await publisher(origin.rtmpUrl("s"));
    for (const media of pictureAndSound) first.send(media);
    await stays.waitForMedia(8);
    first.unpublish();
    await first.connection.waitForStatus("NetStream.Unpublish.Success");
    const second = await publisher(origin.rtmpUrl("s"));
    t.after(() => second.close());
    t.after(second.sendEvery((i) => step("none", "mp3", i), 20));
    await stays.waitForMedia(8 + 4);
    await assertSoundAlone(t, far, what);
    assert.equal(stays.connection.endedBy, null);
  });
}

function playStatus(code: string): Message {
  return { type: messageType.data, streamId: 1, timestamp: 0, payload: encodeAmf("onPlayStatus", { level: "status", code }) };
}

const endings: readonly (readonly [how: string, csid: number, message: Message])[] = [
  ["StreamEOF", 2, userControl(controlEvent.streamEof, 1)],
  ["UnpublishNotify", 5, makeStatus("status", "NetStream.Play.UnpublishNotify", "gone")],
  ["Play.Stop", 5, makeStatus("status", "NetStream.Play.Stop", "gone")],
  ["Play.Complete", 5, makeStatus("status", "NetStream.Play.Complete", "gone")],
  ["Play.Complete as data", 4, playStatus("NetStream.Play.Complete")],
];

for (const [how, csid, message] of endings) {
  test(`stream end: an edge takes ${how} of a foreign origin for it, and its viewers stay for what comes next`, async (t) => {
    const origin = await FakeServer.start(t, { media: pictureAndSound });
    const edge = await startServer(t, remote(`127.0.0.1:${origin.port}`));
    const stays = await watch(t, edge.rtmpUrl("s"));
    await stays.waitForMedia(8);
    const [session] = origin.sessions;
    session!.say(csid, message);
    session!.play(step("none", "mp3", 2));
    let index = 3;
    const timer = setInterval(() => session!.play(step("none", "mp3", index++)), 20);
    t.after(() => clearInterval(timer));
    await stays.waitForMedia(8 + 2);
    await assertSoundAlone(t, edge, how);
    assert.equal(origin.sessions.length, 1, "the connection upstream stays");
    const words = stays.messages.filter((one) => one.type === 18 && !isCourtesy(one));
    assert.equal(words.length, 1, "what the origin says to the edge is nothing for its viewers");
  });
}

test("stream end: another status of a foreign origin ends nothing", async (t) => {
  const origin = await FakeServer.start(t, { media: pictureAndSound });
  const edge = await startServer(t, remote(`127.0.0.1:${origin.port}`));
  const stays = await watch(t, edge.rtmpUrl("s"));
  await stays.waitForMedia(8);
  origin.sessions[0]!.say(5, makeStatus("status", "NetStream.Play.PublishNotify", "here"));
  origin.sessions[0]!.say(4, playStatus("NetStream.Play.Switch"));
  origin.sessions[0]!.play(step("avc", "aac", 2));
  await stays.waitForMedia(11);
  const late = await watch(t, edge.rtmpUrl("s"));
  await late.waitForMedia(11);
});

/** What a player hears beside media, from its Play.Start on, while a publisher comes, goes, and another comes. */
async function heard(t: TestContext, options: ConnectOptions): Promise<string[]> {
  const origin = await startServer(t, local);
  const viewer = await player(origin.rtmpUrl("s"), options);
  t.after(() => viewer.close());
  const words: string[] = [];
  const { connection } = viewer;
  const receive = connection.onMessage;
  connection.onMessage = (message) => {
    if (message.type === 4) words.push(`event ${message.payload.readUInt16BE(0)}`);
    if (message.type === 8) words.push("media");
    receive(message);
  };
  const hadCommands = connection.commands.length;
  for (const count of [1, 2]) {
    const source = await publisher(origin.rtmpUrl("s"));
    source.send(step("none", "mp3", 0)[0]!);
    await viewer.waitForMedia(count);
    source.unpublish();
    await source.connection.waitForStatus("NetStream.Unpublish.Success");
    source.close();
  }
  await connection.call("anything", []); // what was said before it has come
  const statuses = connection.commands.slice(hadCommands).filter(({ name }) => name === "onStatus");
  return [...words, ...statuses.map(({ values }) => String(asObject(values[1] ?? null)["code"]))];
}

const once = ["event 0", "media", "event 1"];
const servers: readonly (readonly [who: string, options: ConnectOptions])[] = [
  ["an edge of SRS", { connectObject: { srs_sig: "SRS", srs_pid: 4711 } }],
  ["a relay of nginx-rtmp", { connectArguments: { flashVer: "LNX.11,1,102,55" } }],
];

for (const [who, options] of servers) {
  test(`stream end: ${who} is told of every begin and end of a publish, by event and by status`, async (t) => {
    const notify = ["NetStream.Play.PublishNotify", "NetStream.Play.UnpublishNotify"];
    assert.deepEqual(await heard(t, options), [...once, ...once, ...notify, ...notify]);
  });
}

test("stream end: a player is told of none, for it would leave", async (t) => {
  assert.deepEqual(await heard(t, {}), ["media", "media"]);
});
