import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { signature, version } from "../../../../src/base/version.js";
import { asObject, decodeAmf, type AmfValue } from "../../../../src/codec/rtmp/amf0.js";
import { toldClock } from "../../../../src/codec/rtmp/clock.js";
import { parseCommand } from "../../../../src/codec/rtmp/command.js";
import { controlEvent, messageType, userControl, type Message } from "../../../../src/codec/rtmp/message.js";
import {
  acknowledged,
  callFailed,
  connected,
  fmleNotice,
  liveNotices,
  playFailed,
  playPaused,
  playSought,
  playStarted,
  playStopped,
  publishEnded,
  publishNotices,
  publishRefused,
  publishStarted,
  publishStopped,
} from "../../../../src/codec/rtmp/dialogue.js";

/** A message as a line: its stream and what it says. */
function said(message: Message): unknown[] {
  const { type, streamId, payload } = message;
  if (type === messageType.command || type === messageType.data) return [streamId, ...decodeAmf(payload).map(plain)];
  if (type === messageType.userControl) return [streamId, "control", payload.readUInt16BE(0), payload.readUInt32BE(2)];
  return [streamId, type, payload.readUInt32BE(0)];
}

function plain(value: AmfValue): unknown {
  const members = asObject(value);
  return members === null ? value : Object.fromEntries(Object.entries(members).map(([name, member]) => [name, plain(member)]));
}

const ask = {
  transaction: 1,
  objectEncoding: 0,
  chunkSize: 60_000,
  windowBytes: 2_500_000,
  conn: "abcdefgh",
  pid: 4711,
  localAddress: "10.0.0.1",
};

function status(code: string, description: string): unknown[] {
  return [1, "onStatus", 0, null, { level: "status", code, description, details: "stream", clientid: "ASAICiss" }];
}

test("dialogue: connect is answered as SRS answers it", () => {
  assert.deepEqual(connected(ask).map(said), [
    [0, messageType.windowAckSize, 2_500_000],
    [0, messageType.setPeerBandwidth, 2_500_000],
    [0, messageType.setChunkSize, 60_000],
    [
      0,
      "_result",
      1,
      { fmsVer: "FMS/3,5,3,888", capabilities: 127, mode: 1 },
      {
        level: "status",
        code: "NetConnection.Connect.Success",
        description: "Connection succeeded",
        objectEncoding: 0,
        data: {
          version: "3,5,3,888",
          srs_sig: "dolphin",
          srs_server: signature,
          srs_license: "MIT",
          srs_version: version,
          srs_server_ip: "10.0.0.1",
          srs_pid: 4711,
          srs_id: "abcdefgh",
        },
      },
    ],
    [0, "onBWDone", 0, null],
  ]);
});

test("dialogue: connect's transaction and encoding are the client's", () => {
  const { transaction, args } = parseCommand(connected({ ...ask, transaction: 7, objectEncoding: 3 })[3]!);
  assert.equal(transaction, 7);
  assert.equal(asObject(args[1])?.["objectEncoding"], 3);
});

test("dialogue: without a window none is asked for", () => {
  const messages = connected({ ...ask, windowBytes: 0 });
  assert.equal(messages.length, 4);
  assert.ok(messages.every(({ type }) => type !== messageType.windowAckSize));
});

test("dialogue: a call is answered with its transaction, and with a value where there is one", () => {
  assert.deepEqual(said(acknowledged(4)), [0, "_result", 4, null, undefined]);
  assert.deepEqual(said(acknowledged(4, 1)), [0, "_result", 4, null, 1]);
  assert.deepEqual(said(acknowledged(4, 0)), [0, "_result", 4, null, 0]);
});

test("dialogue: a player is told that the stream begins, is reset and plays", () => {
  assert.deepEqual(playStarted(1).map(said), [
    [0, "control", controlEvent.streamBegin, 1],
    status("NetStream.Play.Reset", "Playing and resetting stream."),
    status("NetStream.Play.Start", "Started playing stream."),
    [1, "|RtmpSampleAccess", true, true],
  ]);
});

test("dialogue: a pause and its end are confirmed", () => {
  assert.deepEqual(playPaused(true, 1).map(said), [
    status("NetStream.Pause.Notify", "Paused stream."),
    [0, "control", controlEvent.streamEof, 1],
  ]);
  assert.deepEqual(playPaused(false, 1).map(said), [
    status("NetStream.Unpause.Notify", "Unpaused stream."),
    [0, "control", controlEvent.streamBegin, 1],
  ]);
});

test("dialogue: an own edge is told of the stream's begin and end", () => {
  assert.deepEqual(liveNotices(7), [userControl(controlEvent.streamBegin, 1), userControl(controlEvent.clock, 7)]);
  assert.deepEqual(liveNotices(null), [userControl(controlEvent.streamEof, 1)]);
});

test("dialogue: the end of publishing is confirmed in three ways", () => {
  assert.deepEqual(publishEnded(6, 1).map(said), [
    [1, "onFCUnpublish", 0, null, { code: "NetStream.Unpublish.Success", description: "Stop publishing stream." }],
    [0, "_result", 6, null, undefined],
    status("NetStream.Unpublish.Success", "Stop publishing stream."),
  ]);
});

test("dialogue: a publisher is told to start, with the notice if it is of FMLE's kind", () => {
  assert.deepEqual(publishStarted(false, 1).map(said), [status("NetStream.Publish.Start", "Started publishing stream.")]);
  assert.deepEqual(publishStarted(true, 1).map(said), [
    [1, "onFCPublish", 0, null, { code: "NetStream.Publish.Start", description: "Started publishing stream." }],
    status("NetStream.Publish.Start", "Started publishing stream."),
  ]);
});

test("dialogue: an own edge that publishes is told the clock to keep", () => {
  const clock = { id: 7, timeMs: 40 };
  const [answer] = publishStarted(false, 1, clock);
  assert.deepEqual(toldClock(asObject(parseCommand(answer!).args[1])), clock);
});

test("dialogue: only a busy stream is a bad name", () => {
  const codeOf = (answer: Message): unknown => asObject(parseCommand(answer).args[1])?.["code"];
  assert.equal(codeOf(publishRefused(new DolphinError("RTMP_BUSY", "it is published"), 1)), "NetStream.Publish.BadName");
  assert.equal(codeOf(publishRefused(new DolphinError("RTMP_VHOST", "there is none"), 1)), "NetStream.Publish.Denied");
  assert.deepEqual(said(playFailed(new DolphinError("RTMP_VHOST", "there is none"), 1)), [
    1,
    "onStatus",
    0,
    null,
    { level: "error", code: "NetStream.Play.Failed", description: "there is none", details: "stream", clientid: "ASAICiss" },
  ]);
});

test("dialogue: a notice for FMLE has a code and a description", () => {
  assert.deepEqual(said(fmleNotice("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.", 1)), [
    1,
    "onFCPublish",
    0,
    null,
    { code: "NetStream.Publish.Start", description: "Started publishing stream." },
  ]);
});

test("dialogue: a play that ends says so by event, by status and by data", () => {
  assert.deepEqual(playStopped(1).map(said), [
    [0, "control", controlEvent.streamEof, 1],
    status("NetStream.Play.Stop", "Stopped playing stream."),
    [1, "onPlayStatus", { level: "status", code: "NetStream.Play.Complete" }],
  ]);
});

test("dialogue: other servers are told of a publish and of its end, by event and by status", () => {
  assert.deepEqual(publishNotices(true, 1).map(said), [
    [0, "control", controlEvent.streamBegin, 1],
    status("NetStream.Play.PublishNotify", "The stream is published."),
  ]);
  assert.deepEqual(publishNotices(false, 1).map(said), [
    [0, "control", controlEvent.streamEof, 1],
    status("NetStream.Play.UnpublishNotify", "The stream has ended."),
  ]);
});

test("dialogue: a call that cannot be done is answered under its number", () => {
  assert.deepEqual(said(callFailed(9, "no")), [
    0,
    "_error",
    9,
    null,
    { level: "error", code: "NetConnection.Call.Failed", description: "no" },
  ]);
});

test("dialogue: what is said of a stream is said on it, whichever it is", () => {
  const refusal = new DolphinError("RTMP_BUSY", "it is published");
  const all = [
    ...playStarted(3),
    ...playPaused(true, 3),
    ...playPaused(false, 3),
    ...playStopped(3),
    ...playSought(3),
    ...publishNotices(false, 3),
    ...publishStarted(true, 3),
    publishRefused(refusal, 3),
    playFailed(refusal, 3),
    publishStopped(3),
    ...publishEnded(0, 3),
  ];
  for (const message of all) {
    const named = message.type === messageType.userControl ? message.payload.readUInt32BE(2) : message.streamId;
    const isAnswer = message.type === messageType.command && parseCommand(message).name === "_result";
    assert.equal(named, isAnswer ? 0 : 3, String(said(message)));
  }
});
