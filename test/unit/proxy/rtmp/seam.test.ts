import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeAmf } from "../../../../src/codec/rtmp/amf0.js";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { writeMessages } from "../../../../src/codec/rtmp/chunk-writer.js";
import { makeCommand, makeStatus } from "../../../../src/codec/rtmp/command.js";
import { acknowledged, connected, fmleNotice, playStarted } from "../../../../src/codec/rtmp/dialogue.js";
import { controlMessage, messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { Seam, type Answered } from "../../../../src/proxy/rtmp/seam.js";
import { chunk, pattern, setChunkSize } from "../../codec/rtmp/chunks.js";
import { HabitWriter } from "./habits.js";

const calls: readonly Answered[] = [
  { name: "connect", transaction: 1 },
  { name: "createStream", transaction: 2 },
];
const identity = { transaction: 1, objectEncoding: 0, conn: "c", pid: 1, localAddress: "127.0.0.1" };
const connectReplies = connected({ ...identity, chunkSize: 60_000, windowBytes: 2_500_000 });

/** A seam whose client has had these messages of the proxy. */
function seamAfter(said: readonly Message[], answered = calls, hasNotice = false): Seam {
  const reader = new ChunkReader(() => undefined);
  reader.push(writeMessages(said, 128));
  return new Seam({ headers: reader.headers(), answered, hasNotice });
}

/** The replies of our own server, which announces its chunk size among them. */
const ownReplies = Buffer.concat([
  writeMessages(connectReplies.slice(0, 3), 128),
  writeMessages([...connectReplies.slice(3), acknowledged(2, 1)], 60_000),
]);

const usual = [acknowledged(1), acknowledged(2, 1)];

/** The client's messages as type and name or size. */
function read(...pieces: readonly Buffer[]): string[] {
  const seen: string[] = [];
  const reader = new ChunkReader(
    ({ type, payload }) => {
      const isNamed = type === messageType.command || type === messageType.data;
      seen.push(`${type} ${isNamed ? payload.toString("latin1", 3, 3 + payload.readUInt16BE(1)) : payload.length}`);
    },
    { tellsAll: true },
  );
  for (const piece of pieces) reader.push(piece);
  return seen;
}

test("seam: behind our own server's answer to createStream all is raw, and the client has had no reply twice", () => {
  const seam = seamAfter(usual);
  const out = seam.push(ownReplies);
  assert.equal(seam.isRaw, true);
  assert.deepEqual(read(out), ["5 4", "6 5", "1 4"]);
  const media = Buffer.from("anything");
  assert.equal(seam.push(media), media);
});

test("seam: what follows the last reply in the same read is raw to the byte", () => {
  const seam = seamAfter(usual);
  const started = writeMessages(playStarted(1), 60_000);
  const out = seam.push(Buffer.concat([ownReplies, started]));
  assert.deepEqual(out.subarray(out.length - started.length), started);
  assert.deepEqual(out.subarray(0, out.length - started.length), writeMessages(connectReplies.slice(0, 3), 128));
});

test("seam: it is not raw while a reply is still to come", () => {
  const seam = seamAfter(usual);
  seam.push(writeMessages([acknowledged(1)], 128));
  assert.equal(seam.isRaw, false);
  seam.push(writeMessages([acknowledged(2, 1)], 128));
  assert.equal(seam.isRaw, true);
});

test("seam: a reply that never comes is not waited for once the stream has started", () => {
  const answered = [{ name: "releaseStream", transaction: 7 }, ...calls];
  const seam = seamAfter(usual, answered);
  seam.push(writeMessages([acknowledged(1), acknowledged(2, 1)], 128));
  assert.equal(seam.isRaw, false);
  seam.push(writeMessages([makeStatus("status", "NetStream.Publish.Start", "")], 128));
  assert.equal(seam.isRaw, true);
});

test("seam: a chunk stream on which the proxy's last word had another shape stays until its second message", () => {
  const seam = seamAfter([acknowledged(1), acknowledged(2, 1), acknowledged(3)]);
  const server = new HabitWriter("repeated");
  const push = (message: Message, fmt: number): string[] => {
    const bytes = server.write(3, message, fmt);
    return read(writeMessages([acknowledged(3)], 128), seam.push(bytes)).slice(1);
  };
  assert.deepEqual(push(acknowledged(1), 0), []);
  assert.deepEqual(push(acknowledged(2, 1), 3), []);
  assert.equal(seam.isRaw, false);
  assert.deepEqual(push(makeCommand(0, "onFirst", 0, null), 1), ["20 onFirst"]);
  assert.equal(seam.isRaw, true); // time and stream id agreed: fmt 1 says the rest
});

test("seam: onBWDone is left out, and onFCPublish only where the client has had it", () => {
  const words = [makeCommand(0, "onBWDone", 0, null), fmleNotice("onFCPublish", "NetStream.Publish.Start", "x", 1)];
  assert.deepEqual(read(seamAfter(usual).push(writeMessages(words, 128))), ["20 onFCPublish"]);
  const twice = [...words, ...words];
  assert.deepEqual(read(seamAfter(usual, calls, true).push(writeMessages(twice, 128))), ["20 onFCPublish"]);
});

test("seam: a transaction number that was answered once is left out once", () => {
  const seam = seamAfter(usual, [{ name: "connect", transaction: 1 }]);
  const media = makeCommand(1, "_result", 1, null, "a later call's");
  assert.deepEqual(read(seam.push(writeMessages([acknowledged(9), acknowledged(1), media], 128))), ["20 _result", "20 _result"]);
});

test("seam: a command that nobody can read passes", () => {
  const odd: Message = { type: messageType.command, streamId: 0, timestamp: 0, payload: Buffer.of(2, 0, 3, 97, 98, 99, 99) };
  assert.deepEqual(read(seamAfter(usual).push(writeMessages([odd], 128))), ["20 abc"]);
});

test("seam: a server that refuses what the client was told ends it, with its reason", () => {
  const no = { level: "error", code: "NetConnection.Connect.Rejected", description: "no such app" };
  const refused = writeMessages([makeCommand(0, "_error", 1, null, no)], 128);
  assert.throws(() => seamAfter(usual).push(refused), {
    code: "PROXY_ANSWER",
    message: /connect: NetConnection.Connect.Rejected no such app/,
  });
  const another = writeMessages([acknowledged(1), acknowledged(2, 5)], 128);
  assert.throws(() => seamAfter(usual).push(another), { code: "PROXY_ANSWER", message: /calls the stream 5/ });
  const more = [...calls, { name: "createStream", transaction: 3 }];
  assert.doesNotThrow(() => seamAfter(usual, more).push(writeMessages([acknowledged(1), acknowledged(2, 1), acknowledged(3, 2)], 128)));
});

test("seam: a chunk size that changes inside a message does not cut the client's message wrongly", () => {
  const seam = seamAfter(usual, []);
  const long = pattern(400);
  const out = seam.push(
    Buffer.concat([
      chunk({ csid: 6, fmt: 0, type: messageType.video, length: 400, payload: long.subarray(0, 128) }),
      setChunkSize(4096),
      chunk({ csid: 6, fmt: 3, payload: long.subarray(128) }),
    ]),
  );
  assert.deepEqual(read(out), ["1 4", "9 400"]);
  assert.equal(seam.isRaw, true);
});

test("seam: an aborted message is the server's alone, and its chunk stream is re-based behind it", () => {
  const seam = seamAfter(usual, []);
  const abort = { ...controlMessage(messageType.abort, 6) };
  const out = seam.push(
    Buffer.concat([
      chunk({ csid: 6, fmt: 0, time: 100, type: messageType.video, length: 200, payload: pattern(128) }),
      writeMessages([abort], 128),
      chunk({ csid: 6, fmt: 1, time: 40, type: messageType.video, length: 10, payload: pattern(10) }),
      chunk({ csid: 6, fmt: 3, payload: pattern(10) }),
    ]),
  );
  const times: number[] = [];
  new ChunkReader(({ type, timestamp }) => type === messageType.video && times.push(timestamp)).push(out);
  assert.deepEqual(times, [140, 180]);
  assert.equal(seam.isRaw, true);
});

test("seam: what no server may send ends it", () => {
  assert.throws(() => seamAfter(usual).push(Buffer.of(0xc5)), { code: "RTMP_CHUNK_HEADER" });
  const huge = chunk({ csid: 6, fmt: 0, type: messageType.data, length: 0xffffff, payload: encodeAmf("x") });
  assert.throws(() => seamAfter(usual).push(huge), { code: "RTMP_MESSAGE_SIZE" });
});
