import assert from "node:assert/strict";
import { test } from "node:test";
import { controlEvent, controlMessage, messageType, peerBandwidth, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import { hex } from "../hex.js";

const rows: { name: string; value: Message; type: number; bytes: Buffer }[] = [
  { name: "a chunk size", value: controlMessage(messageType.setChunkSize, 60_000), type: 1, bytes: hex("00 00 ea 60") },
  {
    name: "an acknowledgement past 2³² wraps",
    value: controlMessage(messageType.acknowledgement, 2 ** 32 + 7),
    type: 3,
    bytes: hex("00 00 00 07"),
  },
  { name: "a window of 2³²−1", value: controlMessage(messageType.windowAckSize, 0xffffffff), type: 5, bytes: hex("ff ff ff ff") },
  { name: "a dynamic peer bandwidth", value: peerBandwidth(2_500_000), type: 6, bytes: hex("00 26 25 a0 02") },
  { name: "the begin of stream 1", value: userControl(controlEvent.streamBegin, 1), type: 4, bytes: hex("00 00 00 00 00 01") },
  {
    name: "a buffer of 1000 ms on stream 1",
    value: userControl(controlEvent.setBufferLength, 1, 1000),
    type: 4,
    bytes: hex("00 03 00 00 00 01 00 00 03 e8"),
  },
  { name: "a ping's answer", value: userControl(controlEvent.pingResponse, 0xdeadbeef), type: 4, bytes: hex("00 07 de ad be ef") },
];

for (const { name, value, type, bytes } of rows) {
  test(`message: ${name}`, () => assert.deepEqual(value, { type, streamId: 0, timestamp: 0, payload: bytes }));
}
