import assert from "node:assert/strict";
import { test } from "node:test";
import { Engine } from "../../../../src/codec/rtmp/engine.js";
import { handshakeBytes, helloBytes } from "../../../../src/codec/rtmp/handshake.js";
import { controlEvent, controlMessage, messageType, peerBandwidth, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import { hex } from "../hex.js";
import { chunk, pattern, read, setChunkSize, whole } from "./chunks.js";

const { audio, video, aggregate, acknowledgement, windowAckSize } = messageType;
const handshake = helloBytes + handshakeBytes;

interface Opened {
  readonly engine: Engine;
  readonly messages: Message[];
  /** The messages that were sent since the last call. */
  readonly sent: () => Message[];
}

function open(): Opened {
  const messages: Message[] = [];
  const sent: Buffer[] = [];
  const engine = new Engine("server", {
    onSend: (bytes) => void sent.push(bytes),
    onOpen: () => {},
    onMessage: (message) => void messages.push(message),
  });
  engine.receive(Buffer.concat([Buffer.of(3), pattern(2 * handshakeBytes)]));
  sent.length = 0;
  return { engine, messages, sent: () => read(...sent.splice(0)) };
}

function control(message: Message): Buffer {
  return whole(2, message.type, 0, message.payload);
}

test("engine: a ping is answered with its own value, and the session does not see it", () => {
  const { engine, messages, sent } = open();
  engine.receive(control(userControl(controlEvent.pingRequest, 0xcafe)));
  assert.deepEqual(sent(), [userControl(controlEvent.pingResponse, 0xcafe)]);
  assert.deepEqual(messages, []);
});

test("engine: other user control goes to the session, and a cut-off one nowhere", () => {
  const { engine, messages, sent } = open();
  engine.receive(control(userControl(controlEvent.setBufferLength, 1, 1000)));
  engine.receive(whole(2, messageType.userControl, 0, hex("00 06 00")));
  engine.receive(whole(2, messageType.userControl, 0, hex("00")));
  engine.receive(whole(2, messageType.userControl, 0, Buffer.alloc(0)));
  assert.deepEqual(
    messages.map(({ payload }) => payload),
    [userControl(controlEvent.setBufferLength, 1, 1000).payload, hex("00 06 00")],
  );
  assert.deepEqual(sent(), []);
});

test("engine: nothing is acknowledged before the peer asks for it", () => {
  const { engine, sent } = open();
  for (let i = 0; i < 100; i++) engine.receive(whole(4, audio, 0, pattern(100)));
  assert.deepEqual(sent(), []);
});

test("engine: all bytes are acknowledged at each half of the window", () => {
  const { engine, sent } = open();
  engine.receive(control(controlMessage(windowAckSize, 10_000)));
  const acknowledged: number[] = [];
  for (let i = 0; i < 150; i++) {
    engine.receive(whole(4, audio, 0, pattern(88)));
    for (const { type, payload } of sent()) {
      assert.equal(type, acknowledgement);
      acknowledged.push(payload.readUInt32BE(0));
    }
  }
  assert.deepEqual(
    acknowledged,
    [5000, 10_000, 15_000].map((bytes) => bytes + ((handshake + 16) % 100)),
  );
});

test("engine: our own window replaces the peer's", () => {
  const { engine, sent } = open();
  engine.setAckWindow(1_000_000);
  engine.receive(whole(4, audio, 0, pattern(100)));
  assert.deepEqual(sent(), []);
  engine.setAckWindow(5000);
  engine.receive(whole(4, audio, 0, pattern(100)));
  assert.equal(sent()[0]?.type, acknowledgement);
});

for (const window of [0, 1, 2499]) {
  test(`engine: a window of ${window} buys no more acknowledgements than one of 2500`, () => {
    const { engine, sent } = open();
    engine.receive(control(controlMessage(windowAckSize, window)));
    sent();
    let acknowledgements = 0;
    for (let i = 0; i < 25; i++) {
      engine.receive(whole(4, audio, 0, pattern(88)));
      acknowledgements += sent().length;
    }
    assert.equal(acknowledgements, 1, "after 1300 of the 2500 bytes, for messages are of 100");
  });
}

test("engine: a window of 2³²−1 is never reached, and one without its number is passed over", () => {
  const { engine, sent } = open();
  engine.receive(control(controlMessage(windowAckSize, 0xffffffff)));
  engine.receive(whole(2, windowAckSize, 0, hex("00 00 01")));
  engine.receive(whole(4, audio, 0, pattern(100)));
  assert.deepEqual(sent(), []);
});

test("engine: acknowledgements and bandwidths of the peer are passed over", () => {
  const { engine, messages, sent } = open();
  for (let i = 0; i < 100; i++) {
    engine.receive(control(controlMessage(acknowledgement, i)));
    engine.receive(control(peerBandwidth(0)));
    engine.receive(whole(2, messageType.setPeerBandwidth, 0, Buffer.alloc(0)));
  }
  assert.deepEqual([messages, sent()], [[], []]);
});

/** One part of an aggregate: an FLV tag with its back pointer. */
function part(type: number, time: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(11);
  head[0] = type;
  head.writeUIntBE(payload.length, 1, 3);
  head.writeUIntBE(time & 0xffffff, 4, 3);
  head[7] = time >>> 24;
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(payload.length + 11);
  return Buffer.concat([head, payload, tail]);
}

function aggregated(timestamp: number, payload: Buffer): Message[] {
  const { engine, messages } = open();
  engine.receive(setChunkSize(0xffffff));
  const extended = timestamp >= 0xffffff ? { time: 0xffffff, extended: timestamp } : { time: timestamp };
  engine.receive(chunk({ csid: 6, fmt: 0, type: aggregate, length: payload.length, payload, ...extended }));
  return messages;
}

test("engine: an aggregate becomes its parts, whose times count from the aggregate's", () => {
  const payload = Buffer.concat([part(video, 5000, hex("17 01")), part(audio, 5010, hex("af 01")), part(video, 5040, hex("27 01"))]);
  assert.deepEqual(aggregated(100, payload), [
    { type: video, streamId: 1, timestamp: 100, payload: hex("17 01") },
    { type: audio, streamId: 1, timestamp: 110, payload: hex("af 01") },
    { type: video, streamId: 1, timestamp: 140, payload: hex("27 01") },
  ]);
});

test("engine: times in an aggregate have 32 bits, and wrap", () => {
  const payload = Buffer.concat([part(video, 0xfffffff0, hex("17")), part(audio, 0xfffffff8, hex("af"))]);
  assert.deepEqual(
    aggregated(0xfffffffc, payload).map(({ timestamp }) => timestamp),
    [0xfffffffc, 4],
  );
});

test("engine: the last part of an aggregate may lack its back pointer", () => {
  const complete = Buffer.concat([part(video, 0, hex("17 01")), part(audio, 1, hex("af 01"))]);
  for (let lacking = 0; lacking <= 4; lacking++) assert.equal(aggregated(0, complete.subarray(0, complete.length - lacking)).length, 2);
});

test("engine: an empty aggregate, and one of empty parts, are fine", () => {
  assert.deepEqual(aggregated(0, Buffer.alloc(0)), []);
  assert.equal(aggregated(0, Buffer.concat([part(video, 0, Buffer.alloc(0)), part(audio, 1, Buffer.alloc(0))])).length, 2);
});

test("engine: control messages in an aggregate change nothing of the connection", () => {
  const payload = Buffer.concat([part(messageType.setChunkSize, 0, hex("00 00 00 01")), part(audio, 1, hex("af 01"))]);
  assert.deepEqual(
    aggregated(0, payload).map(({ type }) => type),
    [messageType.setChunkSize, audio],
  );
});

for (const [what, payload] of [
  ["ends inside the header of a part", part(video, 0, hex("17 01")).subarray(0, 10)],
  ["has a part that is longer than itself", part(video, 0, pattern(100)).subarray(0, 50)],
  ["has a part of 16 MiB", hex("09 ff ff ff 00 00 00 00 00 00 00 17 01")],
  ["has rubbish after a good part", Buffer.concat([part(video, 0, hex("17 01")), hex("09 00")])],
  ["has an aggregate inside", part(aggregate, 0, part(video, 0, hex("17 01")))],
] as const) {
  test(`engine: an aggregate that ${what} is refused`, () => assert.throws(() => aggregated(0, payload), { code: "RTMP_AGGREGATE" }));
}
