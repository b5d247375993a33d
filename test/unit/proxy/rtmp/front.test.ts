import assert from "node:assert/strict";
import { test } from "node:test";
import type { AmfValue } from "../../../../src/codec/rtmp/amf0.js";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { parseCommand } from "../../../../src/codec/rtmp/command.js";
import { answerBytes } from "../../../../src/codec/rtmp/handshake.js";
import { messageType } from "../../../../src/codec/rtmp/message.js";
import { maxDialogueBytes, RtmpFront } from "../../../../src/proxy/rtmp/front.js";
import { encodeAmf, type Amf } from "../../../helpers/amf0.js";
import { command, control, handshake, login, message } from "../../../helpers/raw-peer.js";

interface Talk {
  readonly front: RtmpFront;
  /** What it answered: the names of commands with their transactions, the types of all else. */
  readonly said: () => string[];
}

function talk(...pieces: readonly Buffer[]): Talk {
  const out: Buffer[] = [];
  const front = new RtmpFront({ localAddress: "127.0.0.1", givesStreams: true }, (bytes) => void out.push(bytes));
  for (const piece of pieces) front.take(piece);
  const said = (): string[] => {
    const words: string[] = [];
    const reader = new ChunkReader((one) => {
      if (one.type !== messageType.command) words.push(String(one.type));
      else words.push(`${parseCommand(one).name} ${parseCommand(one).transaction}`);
    });
    reader.push(Buffer.concat(out).subarray(answerBytes));
    return words;
  };
  return { front, said };
}

function named(name: string, ...values: readonly Amf[]): Buffer {
  return message(20, encodeAmf(name, 0, null, ...values), { streamId: 1, csid: 8 });
}

const connectAnswer = ["5", "6", "_result 1"];

const flows: readonly {
  readonly name: string;
  readonly calls: readonly Buffer[];
  readonly answers: readonly string[];
  readonly what: string;
}[] = [
  {
    name: "ffmpeg and OBS publish",
    calls: [
      command("releaseStream", 2, null, "s"),
      command("FCPublish", 3, null, "s"),
      command("createStream", 4, null),
      named("publish", "s?k=1", "live"),
    ],
    answers: ["_result 2", "_result 3", "_result 4"],
    what: "publish",
  },
  {
    name: "Flash publishes",
    calls: [command("createStream", 2, null), named("publish", "s?k=1")],
    answers: ["_result 2"],
    what: "publish",
  },
  {
    name: "Haivision publishes",
    calls: [command("createStream", 2, null), command("FCPublish", 3, null, "s"), named("publish", "s?k=1")],
    answers: ["_result 2", "_result 3", "onFCPublish 0"],
    what: "publish",
  },
  {
    name: "ffmpeg plays",
    calls: [command("createStream", 2, null), command("getStreamLength", 3, null, "s"), named("play", "s?k=1", -2000)],
    answers: ["_result 2", "_result 3"],
    what: "play",
  },
  {
    name: "a player asks for more streams, its bandwidth and a subscription",
    calls: [
      command("createStream", 2, null),
      command("createStream", 3, null),
      command("_checkbw", 4, null),
      command("FCSubscribe", 5, null, "s"),
      command("deleteStream", 6, null, 1),
      command("quiet", 0, null),
      named("play", "s?k=1"),
    ],
    answers: ["_result 2", "_result 3", "_result 4", "_result 5"],
    what: "play",
  },
  { name: "play comes first", calls: [named("play", "s?k=1")], answers: [], what: "play" },
];

for (const { name, calls, answers, what } of flows) {
  test(`front: ${name}: answered, named, and kept to the byte`, () => {
    const bytes = Buffer.concat([login(), ...calls]);
    for (const pieces of [[bytes], Array.from(bytes, (byte) => Buffer.of(byte))]) {
      const { front, said } = talk(...pieces);
      assert.deepEqual(said(), [...connectAnswer, ...answers]);
      assert.deepEqual(front.named, { what, streamId: 1, request: { vhost: "127.0.0.1", app: "live", stream: "s", params: "?k=1" } });
      assert.deepEqual(front.transcript, bytes.subarray(handshake().length));
    }
  });
}

test("front: what comes behind the name is kept and not judged", () => {
  const { front, said } = talk(login(), Buffer.concat([named("play", "s"), named("play", "t"), Buffer.of(0xff)]), Buffer.of(1, 2, 3));
  assert.equal(front.named?.request.stream, "s");
  assert.deepEqual(said(), connectAnswer);
  assert.deepEqual(front.transcript.subarray(-4), Buffer.of(0xff, 1, 2, 3));
});

test("front: the seam is told every call that was answered and every chunk stream that was used", () => {
  const { front } = talk(login(), command("createStream", 2, null), command("FCPublish", 3, null, "s"));
  const { headers, answered, hasNotice } = front.seen;
  assert.deepEqual(answered, [
    { name: "connect", transaction: 1 },
    { name: "createStream", transaction: 2 },
    { name: "FCPublish", transaction: 3 },
  ]);
  assert.deepEqual(
    headers.map(({ csid }) => csid),
    [2, 3, 5],
  );
  assert.equal(hasNotice, true);
});

/** The numbers that createStream was answered with, and what was named in the end. */
function streamsGiven(givesStreams: boolean, ...calls: readonly Buffer[]): { readonly given: AmfValue[]; readonly front: RtmpFront } {
  const out: Buffer[] = [];
  const front = new RtmpFront({ localAddress: "127.0.0.1", givesStreams }, (bytes) => void out.push(bytes));
  front.take(Buffer.concat([login(), ...calls]));
  const given: AmfValue[] = [];
  const reader = new ChunkReader((one) => {
    if (one.type === messageType.command && parseCommand(one).transaction > 1) given.push(parseCommand(one).args[1]);
  });
  reader.push(Buffer.concat(out).subarray(answerBytes));
  return { given, front };
}

test("front: every createStream is given a number of its own, as our servers do, and foreign ones the first again", () => {
  const calls = [2, 3, 4].map((transaction) => command("createStream", transaction, null));
  const again = [command("deleteStream", 5, null, 2), command("createStream", 6, null)];
  assert.deepEqual(streamsGiven(true, ...calls, ...again).given, [1, 2, 3, 2]);
  assert.deepEqual(streamsGiven(false, ...calls, ...again).given, [1, 1, 1, 1]);
});

test("front: what names the stream may be said on any stream that was given", () => {
  const calls = [command("createStream", 2, null), command("createStream", 3, null)];
  const play = message(20, encodeAmf("play", 0, null, "s"), { streamId: 2, csid: 8 });
  assert.equal(streamsGiven(true, ...calls, play).front.named?.streamId, 2);
  assert.equal(streamsGiven(false, ...calls, play).front.named?.streamId, 1);
});

test("front: the end of what has not begun names nothing", () => {
  const ends = [named("publish", false), named("play", false)];
  assert.equal(talk(login(), ...ends).front.named, null);
  assert.equal(talk(login(), ...ends, named("publish", "s")).front.named?.request.stream, "s");
});

test("front: connect that comes twice is answered before it is refused", () => {
  const out: Buffer[] = [];
  const front = new RtmpFront({ localAddress: "127.0.0.1", givesStreams: true }, (bytes) => void out.push(bytes));
  front.take(login());
  assert.throws(() => front.take(command("connect", 9, { app: "live" })), { code: "RTMP_STATE" });
  assert.ok(Buffer.concat(out).includes("NetConnection.Call.Failed"));
});

const wrongs: readonly { readonly name: string; readonly bytes: Buffer; readonly code: string }[] = [
  { name: "another protocol", bytes: Buffer.from("GET / HTTP/1.1\r\n\r\n"), code: "RTMP_HANDSHAKE" },
  { name: "a call before connect", bytes: Buffer.concat([handshake(), command("createStream", 2, null)]), code: "RTMP_STATE" },
  { name: "connect twice", bytes: Buffer.concat([login(), command("connect", 2, { app: "live" })]), code: "RTMP_STATE" },
  { name: "a stream that is no text", bytes: Buffer.concat([login(), named("play", 5)]), code: "RTMP_COMMAND" },
  { name: "a name that climbs", bytes: Buffer.concat([login(), named("publish", "../../s")]), code: "RTMP_NAME" },
  { name: "a chunk size of 1", bytes: Buffer.concat([login(), control(1, 1)]), code: "RTMP_CHUNK_SIZE" },
  { name: "a command that is cut off", bytes: Buffer.concat([login(), message(20, Buffer.of(2, 0, 9, 65))]), code: "RTMP_AMF" },
];

for (const { name, bytes, code } of wrongs) {
  test(`front: ${name} is ${code}`, () => {
    assert.throws(() => talk(bytes), { code });
  });
}

test("front: a client that talks and talks and names nothing is refused", () => {
  const noise = message(18, Buffer.alloc(1000), { streamId: 1 });
  const count = Math.ceil(maxDialogueBytes / noise.length);
  assert.throws(() => talk(login(), ...Array.from({ length: count }, () => noise)), { code: "RTMP_MEMORY" });
});

test("front: a refusal is told as the client understands it", () => {
  const { front, said } = talk(login(), named("publish", "s"));
  front.refuse("no");
  assert.deepEqual(said(), [...connectAnswer, "onStatus 0"]);
  const early = talk(handshake());
  early.front.refuse("no");
  assert.deepEqual(early.said(), []);
});
