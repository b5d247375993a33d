// What describes a stream and its tracks, to those who are there and to those who come.
import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { packetKey } from "../../../src/base/position.js";
import { encodeAmf } from "../../../src/codec/rtmp/amf0.js";
import { maxBacklogBytes } from "../../../src/stream/fanout.js";
import { maxKeptHeaderBytes, maxKeptHeaders } from "../../../src/stream/headers.js";
import { hex } from "../codec/hex.js";
import { FakeConsumer, payloadOf } from "./fakes.js";
import { Owned } from "./owned.js";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout", "setImmediate", "Date"] });
  mock.timers.tick(1_000_000);
});

test("source: metadata is sent without a time, whenever it comes, to whoever is there and whoever comes", () => {
  for (const timeline of ["full", "zero", "off", "adopt", "follow"] as const) {
    const owned = new Owned({ timeline });
    const early = (["rtmp", "edge"] as const).map((tap) => owned.join(tap).consumer);
    owned.source.publish(owned.publisher);
    owned.push("meta", 5000);
    owned.push("key", 5000);
    owned.push("meta", 5040, "changed");
    owned.push("inter", 5040);
    mock.timers.tick(350);
    for (const consumer of [...early, owned.join().consumer]) {
      const times = consumer
        .messages()
        .filter(({ type }) => type === 18)
        .map(({ timestamp }) => timestamp);
      assert.deepEqual(new Set(times), new Set([0]), timeline);
    }
    assert.deepEqual(early[0]?.names(), ["meta 5000", "key 5000", "meta changed", "inter 5040"], "in its place among the others");
  }
});

test("source: who goes on for another process finds its place behind metadata, which has no time", () => {
  const owned = new Owned();
  owned.join();
  owned.source.publish(owned.publisher);
  for (const at of [0, 40, 80]) owned.push(at === 0 ? "key" : "inter", at);
  owned.push("meta", 80);
  mock.timers.tick(350);
  const consumer = new FakeConsumer();
  owned.source.readmit("rtmp", consumer, { timestamp: 40, packet: packetKey(9, payloadOf("inter", 40).length) });
  owned.push("inter", 120);
  mock.timers.tick(350);
  assert.deepEqual(consumer.names(), ["inter 80", "meta 80", "inter 120"]);
});

const goodAvc = payloadOf("avc", "good");
const brokenAvc = goodAvc.subarray(0, 20);

test("source: a broken header goes to who is there, and not to who comes", () => {
  const owned = new Owned();
  const early = owned.join().consumer;
  owned.source.publish(owned.publisher);
  owned.push("meta", 0, "good");
  owned.source.push(9, 0, goodAvc);
  owned.push("aac", 0, "good");
  const broken = [brokenAvc, Buffer.of(0xaf, 0), payloadOf("meta", "x").subarray(0, 15)];
  for (const payload of broken) owned.source.push(payload === broken[2] ? 18 : payload === broken[1] ? 8 : 9, 0, payload);
  owned.push("key", 0);
  mock.timers.tick(350);
  assert.deepEqual(
    early.messages().map(({ payload }) => payload),
    [payloadOf("meta", "good"), goodAvc, payloadOf("aac", "good"), ...broken, payloadOf("key", 0)],
  );
  const late = owned.join().consumer;
  assert.deepEqual(late.names(), ["meta good", "aac good", "avc good", "key 0"]);
});

test("source: without a good header who comes gets the newest there is, and the first good one replaces it", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  const other = Buffer.of(0x17, 0, 0, 0, 0, 1);
  for (const payload of [brokenAvc, other]) owned.source.push(9, 0, payload);
  assert.deepEqual(owned.join().consumer.messages()[0]?.payload, other);
  owned.source.push(9, 0, goodAvc);
  mock.timers.tick(350);
  assert.deepEqual(owned.join().consumer.messages()[0]?.payload, goodAvc);
});

test("source: a good header that comes again behind a broken one is no repetition", () => {
  const owned = new Owned({ reduceSequenceHeader: true });
  const { consumer } = owned.join();
  owned.source.publish(owned.publisher);
  for (const payload of [goodAvc, brokenAvc, goodAvc, goodAvc]) owned.source.push(9, 0, payload);
  mock.timers.tick(350);
  assert.deepEqual(
    consumer.messages().map(({ payload }) => payload),
    [goodAvc, brokenAvc, goodAvc],
  );
});

/** A message of one video track (Enhanced RTMP's OneTrack): its first byte tells the frame type, its packet type what it is. */
function ofTrack(track: number, kind: "config" | "key" | "inter" | "colours", name = ""): Buffer {
  const [first, packetType] = { config: [0x96, 0], key: [0x96, 1], inter: [0xa6, 1], colours: [0x96, 4] }[kind] as [number, number];
  const body = kind === "config" ? goodAvc.subarray(5) : kind === "colours" ? encodeAmf("colorInfo", { name }) : Buffer.from([0, 0, 0, 9]);
  return Buffer.concat([
    Buffer.of(first, packetType),
    Buffer.from("avc1"),
    Buffer.of(track),
    body,
    Buffer.from(kind === "config" ? name : ""),
  ]);
}

test("source: who comes late gets the headers and the colours of every track, the latest of each", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  const audioTrack = hex('95 00 "mp4a" 01 12 10');
  const channels = hex('94 "mp4a" 01 02 00 00 00 03');
  const colours = Buffer.concat([hex('94 "hvc1"'), encodeAmf("colorInfo", {})]);
  owned.push("aac");
  for (const payload of [channels, audioTrack]) owned.source.push(8, 0, payload);
  for (const payload of [ofTrack(1, "config", "old"), goodAvc, colours, ofTrack(1, "colours", "old")]) owned.source.push(9, 0, payload);
  for (const payload of [ofTrack(1, "config"), ofTrack(1, "colours")]) owned.source.push(9, 0, payload);
  owned.push("key");
  assert.deepEqual(
    owned
      .join()
      .consumer.messages()
      .map(({ payload }) => payload),
    [payloadOf("aac", 0), audioTrack, channels, goodAvc, ofTrack(1, "config"), colours, ofTrack(1, "colours"), payloadOf("key", 0)],
  );
});

test("source: a header of several tracks comes before one that renews one of them, once", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  const config = goodAvc.subarray(5);
  const length = Buffer.of(0, 0, config.length);
  const both = Buffer.concat([hex('96 10 "avc1" 00'), length, config, hex("01"), length, config]);
  owned.source.push(9, 0, both);
  owned.source.push(9, 0, ofTrack(0, "config", "new"));
  assert.deepEqual(
    owned
      .join()
      .consumer.messages()
      .map(({ payload }) => payload),
    [both, ofTrack(0, "config", "new")],
  );
});

test("source: only a key frame of the first track begins what a newcomer gets and those who are behind come back to", () => {
  const owned = new Owned();
  const slow = owned.join().consumer;
  owned.source.publish(owned.publisher);
  const push = (...payloads: Buffer[]): void => payloads.forEach((payload) => owned.source.push(9, 0, payload));
  push(payloadOf("key", "a"), ofTrack(1, "key"), payloadOf("inter", "b"));
  mock.timers.tick(350);
  slow.backlogBytes = 2 * maxBacklogBytes;
  push(ofTrack(1, "key"), payloadOf("inter", "c"));
  mock.timers.tick(350);
  assert.equal(slow.messages().length, 3);
  assert.equal(owned.join().consumer.messages().length, 5, "from the key frame of the first track on");
  slow.backlogBytes = 0;
  push(ofTrack(1, "key"));
  mock.timers.tick(350);
  assert.equal(slow.messages().length, 3, "it waits for a key frame of the first track");
  push(payloadOf("key", "d"));
  mock.timers.tick(350);
  assert.deepEqual(slow.names().slice(3), ["key d"]);
  assert.deepEqual(owned.join().consumer.names(), ["key d"]);
});

test("source: where no track is called 0, the lowest that shows is the first", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  for (const payload of [ofTrack(2, "key"), ofTrack(1, "key"), ofTrack(2, "key")]) owned.source.push(9, 0, payload);
  const { messages } = { messages: owned.join().consumer.messages() };
  assert.deepEqual(
    messages.map(({ payload }) => payload),
    [ofTrack(1, "key"), ofTrack(2, "key")],
  );
});

test("source: headers that are too long, or of too many tracks, are not kept", () => {
  const owned = new Owned();
  owned.source.publish(owned.publisher);
  for (let track = 0; track < 256; track++) owned.source.push(9, 0, ofTrack(track, "config"));
  assert.equal(owned.join().consumer.messages().length, maxKeptHeaders);
  const other = new Owned();
  other.source.publish(other.publisher);
  other.source.push(9, 0, Buffer.concat([goodAvc, Buffer.alloc(maxKeptHeaderBytes)]));
  assert.deepEqual(other.join().consumer.messages(), []);
});
