import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import { writeMessages } from "../../../../src/codec/rtmp/chunk-writer.js";
import { makeCommand } from "../../../../src/codec/rtmp/command.js";
import { acknowledged, connectResult } from "../../../../src/codec/rtmp/dialogue.js";
import { controlMessage, messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { Seam, type Answered } from "../../../../src/proxy/rtmp/seam.js";
import { StrictChunkReader } from "../../../helpers/rtmp-chunks.js";
import { HabitWriter } from "./habits.js";

/** One thing that the server does; a reply is one that the client has had. */
interface Step {
  readonly kind: "media" | "reply" | "command" | "chunkSize" | "continue" | "abort";
  readonly csid: number;
  readonly fmt: number;
  readonly stepMs: number;
  readonly length: number;
  readonly type: number;
  readonly streamId: number;
}

const answered: readonly Answered[] = [
  { name: "connect", transaction: 1 },
  { name: "releaseStream", transaction: 2 },
  { name: "FCPublish", transaction: 3 },
  { name: "createStream", transaction: 4 },
];

/** What the proxy has said to the client before the seam. */
const before = writeMessages(
  [
    controlMessage(messageType.windowAckSize, 2_500_000),
    connectResult({ transaction: 1, objectEncoding: 0, conn: "c", pid: 1, localAddress: "127.0.0.1" }),
    acknowledged(2),
    acknowledged(3),
    acknowledged(4, 1),
  ],
  128,
);

const replies: readonly Message[] = [
  makeCommand(0, "_result", 1, { fmsVer: "FMS/3,5,3,888", capabilities: 127 }, { code: "NetConnection.Connect.Success" }),
  acknowledged(2),
  acknowledged(3),
  acknowledged(4, 1),
];

const kind = fc.constantFrom<Step["kind"][]>("media", "media", "media", "reply", "command", "chunkSize", "continue", "continue", "abort");

const wide: fc.Arbitrary<Step> = fc.record({
  kind,
  csid: fc.constantFrom(3, 4, 5, 6, 70, 400),
  fmt: fc.nat(3),
  stepMs: fc.oneof(fc.constantFrom(0, 0, 40, 40, 40), fc.nat(0x1ffffff), fc.nat(0xffffffff)),
  length: fc.oneof(fc.constantFrom(0, 1, 21, 29, 128, 129, 200), fc.nat(700)),
  type: fc.constantFrom<number>(messageType.audio, messageType.video, messageType.data),
  streamId: fc.constant(1),
});

/** So few values that headers often differ in one of them only. */
const narrow: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(kind, fc.constantFrom<Step["kind"][]>("media", "reply")),
  csid: fc.constantFrom(3, 6),
  fmt: fc.constantFrom(0, 1, 2, 3, 3),
  stepMs: fc.constantFrom(0, 0, 0, 40, 0xffffff),
  length: fc.constantFrom(21, 21, 29, 29, 150),
  type: fc.constantFrom<number>(messageType.audio, messageType.data, messageType.command),
  streamId: fc.constantFrom(0, 0, 1),
});

const steps = fc.oneof(fc.array(wide, { maxLength: 60, size: "large" }), fc.array(narrow, { maxLength: 25, size: "large" }));

interface Script {
  readonly pieces: readonly Buffer[];
  /** The payloads of the replies, in their order. */
  readonly replies: readonly Buffer[];
}

/**
 * Plays the steps with one server's habits; messages of different chunk streams overlap. Replies come before the first audio
 * or video, as from a server that takes commands in their order; some never come.
 */
function play(script: readonly Step[], habit: "repeated" | "once", isCareful = false): Script {
  const writer = new HabitWriter(habit, isCareful);
  const pieces: Buffer[] = [];
  let replied = 0;
  const lastReply = script.findLastIndex((one) => one.kind === "reply");
  for (const [at, one] of script.entries()) {
    const { csid, fmt, stepMs, length, streamId } = one;
    const type = at < lastReply && one.type !== messageType.command ? messageType.data : one.type;
    const timestamp = (writer.lastTimestamp(csid) + stepMs) >>> 0;
    if (one.kind === "chunkSize") {
      pieces.push(writer.begin(2, controlMessage(messageType.setChunkSize, 128 + length), fmt));
    } else if (writer.isOpen(csid)) {
      pieces.push(one.kind === "abort" ? writer.abort(csid) : writer.next(csid));
    } else if (one.kind === "continue" || one.kind === "abort") {
      const [other] = writer.underWay();
      if (other !== undefined) pieces.push(writer.next(other));
    } else if (one.kind === "reply") {
      const reply = replies[replied++];
      if (reply !== undefined) pieces.push(writer.write(csid, { ...reply, streamId, timestamp: stepMs < 100 ? 0 : timestamp }, fmt));
    } else if (one.kind === "command") {
      pieces.push(writer.begin(csid, { ...makeCommand(streamId, "onFCPublish", 0, null), timestamp }, fmt));
    } else pieces.push(writer.begin(csid, { type, streamId, timestamp, payload: Buffer.alloc(length, pieces.length) }, fmt));
  }
  for (const csid of writer.underWay()) while (writer.isOpen(csid)) pieces.push(writer.next(csid));
  // a reader that does not know the habit yet waits for four bytes more, which may be left out at the seam
  pieces.push(writer.write(5, { type: messageType.audio, streamId: 1, timestamp: writer.lastTimestamp(5), payload: Buffer.alloc(9) }, 0));
  return { pieces, replies: replies.slice(0, replied).map(({ payload }) => payload) };
}

/** Runs the server's bytes through a seam in pieces of these sizes, in turn. */
function throughSeam(bytes: Buffer, sizes: readonly number[]): { bytes: Buffer; isRaw: boolean } {
  const proxy = new ChunkReader(() => undefined);
  proxy.push(before);
  const seam = new Seam({ headers: proxy.headers(), answered, hasNotice: false });
  const out: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length]!;
    out.push(Buffer.from(seam.push(bytes.subarray(at, at + size))));
    at += size;
  }
  return { bytes: Buffer.concat(out), isRaw: seam.isRaw };
}

function decode(...pieces: readonly Buffer[]): unknown[] {
  const messages: unknown[] = [];
  const reader = new ChunkReader(
    ({ type, streamId, timestamp, payload }, { csid }) => messages.push([csid, type, streamId, timestamp, payload.toString("latin1")]),
    { tellsAll: true },
  );
  for (const piece of pieces) reader.push(piece);
  return messages;
}

function decodeStrictly(...pieces: readonly Buffer[]): unknown[] {
  const reader = new StrictChunkReader();
  return pieces
    .flatMap((piece) => {
      const messages = reader.push(piece);
      reader.forgetTimestamps(); // a clock that jumps is this test's habit
      return messages;
    })
    .map(({ csid, type, streamId, timestamp, payload }) => [csid, type, streamId, timestamp, payload.toString("latin1")]);
}

/** What the client gets of the server: everything but the replies. */
function withoutReplies(messages: readonly unknown[], gone: readonly Buffer[]): unknown[] {
  const texts = new Set(gone.map((payload) => payload.toString("latin1")));
  return messages.filter((message) => !texts.has((message as string[])[4]!));
}

const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 3000 })), { minLength: 1, maxLength: 5 });

for (const habit of ["repeated", "once"] as const) {
  test(`seam: what the client reads is what the server sent without the replies, extended timestamps ${habit}`, () => {
    let rawRuns = 0;
    fc.assert(
      fc.property(steps, sizes, (some, pieceSizes) => {
        const script = play(some, habit);
        const sent = Buffer.concat(script.pieces);
        const out = throughSeam(sent, pieceSizes);
        if (out.isRaw) rawRuns += 1;
        assert.deepEqual(decode(before, out.bytes), [...decode(before), ...withoutReplies(decode(sent), script.replies)]);
      }),
      { numRuns: 3000 },
    );
    assert.ok(rawRuns > 300, `the seam must end in many of the runs, and did in ${rawRuns}`);
  });
}

test("seam: a reader of the specification's letter agrees", () => {
  fc.assert(
    fc.property(steps, sizes, (some, pieceSizes) => {
      const known = some.filter((one) => one.kind !== "abort"); // it does not read those
      const mild = known.map((one) => Object.assign({}, one, { streamId: 1, stepMs: one.stepMs % 1000 }));
      const script = play(mild, "repeated", true);
      const out = throughSeam(Buffer.concat(script.pieces), pieceSizes);
      const direct = decodeStrictly(...script.pieces);
      assert.deepEqual(decodeStrictly(before, ...slices(out.bytes)), [
        ...decodeStrictly(before),
        ...withoutReplies(direct, script.replies),
      ]);
    }),
    { numRuns: 1000 },
  );
});

/** So small that no two messages are in one. */
function slices(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}
