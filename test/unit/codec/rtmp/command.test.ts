import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { asObject, encodeAmf } from "../../../../src/codec/rtmp/amf0.js";
import { amf0Body, makeCommand, makeStatus, parseCommand } from "../../../../src/codec/rtmp/command.js";
import { messageType } from "../../../../src/codec/rtmp/message.js";
import { hex, throwsOnly } from "../hex.js";

function commandOf(payload: Buffer, type: number = messageType.command): ReturnType<typeof parseCommand> {
  return parseCommand({ type, streamId: 0, timestamp: 0, payload });
}

test("command: a command is written and read back", () => {
  const message = makeCommand(1, "publish", 5, null, "livestream", "live");
  assert.deepEqual([message.type, message.streamId, message.timestamp], [messageType.command, 1, 0]);
  assert.deepEqual(parseCommand(message), { name: "publish", transaction: 5, args: [null, "livestream", "live"] });
});

test("command: a command is written as its sender's specification has it", () => {
  assert.deepEqual(makeCommand(0, "createStream", 2, null).payload, hex('02 00 0c "createStream" 00 40 00 00 00 00 00 00 00 05'));
});

test("command: the AMF3 type has a format byte before the same body", () => {
  const body = encodeAmf("play", 0, null, "s");
  assert.deepEqual(commandOf(Buffer.concat([hex("00"), body]), messageType.commandAmf3), {
    name: "play",
    transaction: 0,
    args: [null, "s"],
  });
  assert.deepEqual(commandOf(body, messageType.commandAmf3).name, "play");
});

test("command: only an AMF3 type loses its first byte", () => {
  const payload = hex("00 01 02");
  const bodyOf = (type: number): Buffer => amf0Body({ type, streamId: 0, timestamp: 0, payload });
  assert.deepEqual(bodyOf(messageType.dataAmf3), hex("01 02"));
  assert.deepEqual(bodyOf(messageType.commandAmf3), hex("01 02"));
  assert.deepEqual(bodyOf(messageType.data), payload);
  assert.deepEqual(bodyOf(messageType.command), payload);
});

test("command: a transaction that is no number asks for no answer", () => {
  assert.deepEqual(commandOf(encodeAmf("pause", null, null)).transaction, 0);
  assert.deepEqual(commandOf(encodeAmf("pause")), { name: "pause", transaction: 0, args: [] });
});

for (const [what, payload] of [
  ["nothing", Buffer.alloc(0)],
  ["a number", encodeAmf(1, "connect")],
  ["null", encodeAmf(null)],
  ["an object", encodeAmf({ name: "connect" })],
] as const) {
  test(`command: a command that begins with ${what} is refused`, () => assert.throws(() => commandOf(payload), { code: "RTMP_COMMAND" }));
}

test("command: a status speaks to the media stream", () => {
  const message = makeStatus("error", "NetStream.Publish.BadName", "busy");
  assert.equal(message.streamId, 1);
  const { name, transaction, args } = parseCommand(message);
  assert.deepEqual([name, transaction, args[0]], ["onStatus", 0, null]);
  assert.deepEqual(
    { ...asObject(args[1]) },
    { level: "error", code: "NetStream.Publish.BadName", description: "busy", details: "stream", clientid: "ASAICiss" },
  );
});

test("command: any bytes are a command or refused", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) =>
      throwsOnly(["RTMP_AMF", "RTMP_COMMAND"], () => void commandOf(Buffer.from(bytes), messageType.commandAmf3)),
    ),
  );
});
