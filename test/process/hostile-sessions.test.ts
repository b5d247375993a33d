// Hostile dialogues and media: commands out of order, names that are none, publishers whose media lies, viewers that do not read. Each
// costs itself its connection and one log line with a code, and nobody else anything.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { encodeAmf, type Amf } from "../helpers/amf0.js";
import { Bystanders } from "../helpers/bystanders.js";
import { Cleanups } from "../helpers/cleanups.js";
import { Dolphin } from "../helpers/dolphin.js";
import { headers, step, videoFrame } from "../helpers/media.js";
import { command, login, loginAndPublish, message, RawPeer } from "../helpers/raw-peer.js";
import { player, publisher, type Media } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const conf = `
listen 1935;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { play { mw_latency 100; } http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
vhost slow.test { play { queue_length 2; } }
`;
const mebibyte = 1 << 20;
/** The endless GOP may take 16 MiB in each of three processes, and as much again where it is joined for a newcomer; what is freed stays a while. */
const maxGrowthBytes = 256 * mebibyte;

const cleanups = new Cleanups();
let dolphin: Dolphin;
let bystanders: Bystanders;
let bytesBefore: number;

before(async () => {
  dolphin = await Dolphin.start(cleanups, { conf });
  bystanders = await Bystanders.start(cleanups, dolphin);
  bytesBefore = await memoryBytes();
});

after(async () => {
  try {
    await bystanders.assertUndisturbed();
    await dolphin.stop({ allow: ({ event }) => event === "rtmp.closed" });
  } finally {
    await cleanups.stopAll();
  }
});

const refused: readonly (readonly [sentence: string, codes: readonly string[], bytes: () => readonly Buffer[]])[] = [
  ["a play before connect", ["RTMP_STATE"], () => [login().subarray(0, 3073), command("play", 1, null, "a")]],
  ["a publish before connect", ["RTMP_STATE"], () => [login().subarray(0, 3073), command("publish", 1, null, "a")]],
  ["connect twice", ["RTMP_STATE"], () => [login(), command("connect", 2, { app: "live" })]],
  ["a stream name that is a boolean", ["RTMP_COMMAND"], () => [playing(true)]],
  ["a stream name that is a number", ["RTMP_COMMAND"], () => [playing(7)]],
  ["a stream name that is an object", ["RTMP_COMMAND"], () => [playing({ a: 1 })]],
  ["a stream name that is missing", ["RTMP_COMMAND"], () => [login(), command("createStream", 2, null), onStream("play", 3, null)]],
  ["a vhost with ../ in it", ["RTMP_NAME"], () => [playing("a?vhost=../../x")]],
  ["a stream name with ../ in it", ["RTMP_NAME"], () => [playing("../../etc/passwd")]],
  ["a stream name with NUL in it", ["RTMP_NAME"], () => [playing("a\u0000b")]],
  ["a stream name with CR and LF in it", ["RTMP_NAME"], () => [playing("a\r\nlevel: error")]],
  ["a stream name of 300 bytes", ["RTMP_NAME"], () => [playing("x".repeat(300))]],
  ["a stream name of 60 KiB", ["RTMP_NAME"], () => [playing("x".repeat(60_000))]],
  ["parameters of 60 KiB", ["RTMP_NAME"], () => [playing(`a?token=${"x".repeat(60_000)}`)]],
  [
    "a thousand createStream in a row",
    ["RTMP_FLOOD"],
    () => [login(), ...Array.from({ length: 1000 }, (_, i) => command("createStream", 2 + i, null))],
  ],
  ["a thousand unknown calls", ["RTMP_FLOOD"], () => [login(), ...Array.from({ length: 1000 }, (_, i) => command("nothing", 2 + i, null))]],
];

for (const [sentence, codes, bytes] of refused) {
  void test(`${sentence} ends its own connection only: ${codes.join(", ")}`, async (t) => {
    const peer = await RawPeer.open(dolphin.rtmpPort);
    t.after(() => peer.close());
    peer.send(...bytes());
    await peer.assertClosedWith(dolphin, codes);
    await bystanders.assertUndisturbed();
  });
}

const untimely: readonly (readonly [sentence: string, answer: string, bytes: () => readonly Buffer[]])[] = [
  ["publish twice", "NetStream.Publish.Denied", () => [loginAndPublish("twice"), onStream("publish", 4, null, "another", "live")]],
  ["publish, then play on the same stream", "NetStream.Play.Failed", () => [loginAndPublish("mixed"), onStream("play", 4, null, "mixed")]],
  [
    "play, then publish on the same stream",
    "NetStream.Publish.Denied",
    () => [playing("mixed2"), onStream("publish", 4, null, "a", "live")],
  ],
];

for (const [sentence, answer, bytes] of untimely) {
  void test(`${sentence} is answered with ${answer}, and the connection stays`, async (t) => {
    const peer = await RawPeer.open(dolphin.rtmpPort);
    t.after(() => peer.close());
    peer.send(...bytes());
    await peer.waitForText(answer);
    peer.send(command("getStreamLength", 5, null, "a"));
    const had = peer.received.length;
    await eventually(() => peer.received.length > had, { what: "another answer", everyMs: 10 });
    assert.equal(peer.isClosed, false);
    await bystanders.assertUndisturbed();
  });
}

void test("a flood of pings before a publish or a play leaves neither a busy stream nor a player behind", async (t) => {
  const ping = message(4, Buffer.of(0, 6, 0, 0, 0, 1), { csid: 2 });
  const asks = [onStream("publish", 3, null, "after-pings", "live"), onStream("play", 3, null, "after-pings")];
  for (const ask of asks) {
    const peer = await RawPeer.open(dolphin.rtmpPort);
    t.after(() => peer.close());
    peer.send(Buffer.concat([login(), ...Array.from({ length: 20_000 }, () => ping), ask]));
    await peer.assertClosedWith(dolphin, ["RTMP_SLOW"]);
  }
  const source = await publisher(dolphin.rtmpUrl("after-pings"));
  t.after(() => source.close());
  await bystanders.assertUndisturbed();
});

void test("names in any language and vhosts that nobody has are served", async (t) => {
  for (const name of ["événement", "直播", "🐬", "a b", "s?vhost=unknown.example"]) {
    const source = await publisher(dolphin.rtmpUrl(name));
    t.after(() => source.close());
  }
  await bystanders.assertUndisturbed();
});

void test("a tcUrl of 60 KiB is no reason to fail for anybody else", async (t) => {
  const peer = await RawPeer.open(dolphin.rtmpPort);
  t.after(() => peer.close());
  const tcUrl = `rtmp://127.0.0.1/${"live/".repeat(12_000)}`;
  peer.send(
    login().subarray(0, 3073),
    command("connect", 1, { app: "live", tcUrl }),
    command("createStream", 2, null),
    onStream("play", 3, null, "a"),
  );
  await peer.assertClosedWith(dolphin, ["RTMP_NAME"]);
  await bystanders.assertUndisturbed();
});

const strange: readonly (readonly [sentence: string, media: readonly Media[]])[] = [
  ["empty audio and video", [8, 9].map((type) => ({ type, timestamp: 0, payload: Buffer.alloc(0) }))],
  ["audio and video of one byte", [Buffer.of(0xaf), Buffer.of(0x17)].map((payload, i) => ({ type: 8 + i, timestamp: 0, payload }))],
  ["an AVC header whose lengths lie", [{ type: 9, timestamp: 0, payload: Buffer.from("17000000000142c00cffe1ffff67", "hex") }]],
  ["an enhanced header that is cut off", [{ type: 9, timestamp: 0, payload: Buffer.from("906876", "hex") }]],
  ["codecs that nobody knows", [{ type: 9, timestamp: 0, payload: Buffer.from("1f0000000000", "hex") }]],
  ["metadata that is no AMF", [{ type: 18, timestamp: 0, payload: Buffer.alloc(50, 0xee) }]],
  [
    "metadata of 1 MiB minus a few bytes",
    [
      {
        type: 18,
        timestamp: 0,
        payload: encodeAmf("@setDataFrame", "onMetaData", {
          a: "x".repeat(60_000),
          b: Array.from({ length: 2000 }, () => "y".repeat(400)),
        }),
      },
    ],
  ],
  [
    "times that jump and run backwards",
    [0, 0xfffffff0, 5, 0x7fffffff, 0, 1 << 30, 40].map((timestamp, i) => videoFrame("avc", i, timestamp)),
  ],
];

for (const [index, [sentence, media]] of strange.entries()) {
  void test(`${sentence} of a publisher: its players get what follows`, async (t) => {
    const url = dolphin.rtmpUrl(`strange-${index}`);
    const viewer = await player(url);
    t.after(() => viewer.close());
    const source = await publisher(url, { chunkSize: 65_536 });
    t.after(() => source.close());
    for (const one of media) source.send(one);
    const last = videoFrame("avc", 25, 2000);
    for (const one of [...headers("avc", "aac"), ...Array.from({ length: 25 }, (_, i) => step("avc", "aac", i)).flat(), last])
      source.send(one);
    await viewer.waitUntil("the last picture", (messages) => messages.some(({ payload }) => payload.equals(last.payload)));
    assert.equal(source.connection.endedBy, null);
    await bystanders.assertUndisturbed();
  });
}

void test("a stream that never has another key frame takes bounded memory", async (t) => {
  const url = dolphin.rtmpUrl("no-key");
  const viewer = await player(url);
  t.after(() => viewer.close());
  const source = await publisher(url, { chunkSize: 65_536 });
  t.after(() => source.close());
  const count = 600; // 60 MiB, three times what a GOP cache may hold
  for (let i = 0; i < count; i++) {
    source.send(videoFrame("avc", i, i * 40, 100 << 10, i === 0));
    if (i % 20 === 0) await viewer.waitForMedia(Math.max(0, i - 40), 20_000);
  }
  await viewer.waitForMedia(count, 20_000);
  const late = await player(url);
  t.after(() => late.close());
  source.send(videoFrame("avc", count, count * 40, 700, true));
  await late.waitForMedia(1);
  await bystanders.assertUndisturbed();
});

void test("a viewer that does not read is closed after queue_length, and the others get everything", async (t) => {
  const url = dolphin.rtmpUrl("slow?vhost=slow.test");
  const [slow, quick] = [await player(url), await player(url)];
  t.after(() => slow.close());
  t.after(() => quick.close());
  const source = await publisher(url, { chunkSize: 65_536 });
  t.after(() => source.close());
  slow.connection.pauseReading();
  // 25 Mbps: past what the system's own buffers hold within a few seconds.
  const stop = source.sendEvery((i) => [videoFrame("avc", i, i * 40, 125_000)], 40);
  t.after(stop);
  const told = (): boolean => dolphin.logLines(({ code, stream }) => code === "RTMP_SLOW" && stream === "slow").length === 1;
  await eventually(told, { timeoutMs: 20_000, what: "the slow viewer to be closed" });
  stop();
  assert.equal(quick.connection.endedBy, null);
  const indexes = quick.media.map(({ payload }) => payload.readUInt32BE(10));
  assert.deepEqual(
    indexes,
    indexes.map((_, i) => i),
    "every picture arrived, in order",
  );
  await bystanders.assertUndisturbed();
});

void test("memory is where it was, within a bound", async () => {
  const grown = (await memoryBytes()) - bytesBefore;
  assert.ok(grown < maxGrowthBytes, `the processes took ${Math.round(grown / mebibyte)} MiB more`);
});

async function memoryBytes(): Promise<number> {
  const { processes } = await dolphin.status();
  return processes.reduce((sum, process) => sum + (process.memoryBytes ?? 0), 0);
}

function onStream(name: string, transaction: number, ...values: readonly Amf[]): Buffer {
  return message(20, encodeAmf(name, transaction, ...values), { streamId: 1 });
}

function playing(name: Amf): Buffer {
  return Buffer.concat([login(), command("createStream", 2, null), onStream("play", 3, null, name)]);
}
