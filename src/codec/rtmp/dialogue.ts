// The messages of a server's side of the RTMP dialogue, in the words that SRS uses and that its clients know.
// Only composition: when each of them is sent is decided by whoever holds the dialogue, a server's session or a proxy.
import type { DolphinError, ErrorCode } from "../../base/errors.js";
import { signature, version } from "../../base/version.js";
import { canonicalAddress } from "../ip-address.js";
import { ecmaArray, encodeAmf, type AmfObject, type AmfValue } from "./amf0.js";
import { tellClock, type Clock } from "./clock.js";
import { makeCommand, makeStatus } from "./command.js";
import { controlEvent, controlMessage, mediaStreamId, messageType, peerBandwidth, userControl, type Message } from "./message.js";

const peerBandwidthBytes = 2_500_000;

export interface Connected {
  readonly transaction: number;
  /** What the client asked for: 0 for AMF0, 3 for AMF3. */
  readonly objectEncoding: number;
  readonly chunkSize: number;
  /** The acknowledgement window that we ask for in bytes; 0 asks for none. */
  readonly windowBytes: number;
  /** The connection's id, by which tools find it in logs. */
  readonly conn: string;
  /** Who serves, as the system knows it. */
  readonly pid: number;
  readonly localAddress: string;
}

/** The answer to `connect`: windows, chunk size, `_result`, `onBWDone`. */
export function connected(answer: Connected): Message[] {
  const { chunkSize, windowBytes } = answer;
  const windows = windowBytes > 0 ? [controlMessage(messageType.windowAckSize, windowBytes)] : [];
  return [
    ...windows,
    peerBandwidth(peerBandwidthBytes),
    controlMessage(messageType.setChunkSize, chunkSize),
    connectResult(answer),
    makeCommand(0, "onBWDone", 0, null),
  ];
}

/** The part of the answer to `connect` that a client waits for. */
export function connectResult(answer: Omit<Connected, "chunkSize" | "windowBytes">): Message {
  const { transaction, objectEncoding, conn, pid, localAddress } = answer;
  const properties = { fmsVer: "FMS/3,5,3,888", capabilities: 127, mode: 1 };
  const data = ecmaArray({
    version: "3,5,3,888",
    srs_sig: "dolphin",
    srs_server: signature,
    srs_license: "MIT",
    srs_version: version,
    srs_server_ip: canonicalAddress(localAddress),
    srs_pid: pid,
    srs_id: conn,
  });
  const information = { level: "status", code: "NetConnection.Connect.Success", description: "Connection succeeded", objectEncoding, data };
  return makeCommand(0, "_result", transaction, properties, information);
}

/** The answer to a call that asks for nothing but an answer. */
export function acknowledged(transaction: number, value: number | null = null): Message {
  return makeCommand(0, "_result", transaction, null, value === null ? undefined : value);
}

/** The answer to a call that cannot be done. */
export function callFailed(transaction: number, description: string): Message {
  return makeCommand(0, "_error", transaction, null, { level: "error", code: "NetConnection.Call.Failed", description });
}

/** What every player is told, whatever its stream. */
const playReset = makeStatus("status", "NetStream.Play.Reset", "Playing and resetting stream.");
const playStart = makeStatus("status", "NetStream.Play.Start", "Started playing stream.");
const sampleAccess = encodeAmf("|RtmpSampleAccess", true, true);

/** What a player gets before the first media. Payloads are shared by all: read only. */
export function playStarted(streamId: number): Message[] {
  return [
    userControl(controlEvent.streamBegin, streamId),
    { ...playReset, streamId },
    { ...playStart, streamId },
    { type: messageType.data, streamId, timestamp: 0, payload: sampleAccess },
  ];
}

export function playPaused(isPaused: boolean, streamId: number): Message[] {
  return isPaused
    ? [makeStatus("status", "NetStream.Pause.Notify", "Paused stream.", { streamId }), userControl(controlEvent.streamEof, streamId)]
    : [makeStatus("status", "NetStream.Unpause.Notify", "Unpaused stream.", { streamId }), userControl(controlEvent.streamBegin, streamId)];
}

/** The end of a play that its player has asked for: at once, or by the length that it wanted. */
export function playStopped(streamId: number): Message[] {
  const information = { level: "status", code: "NetStream.Play.Complete" };
  return [
    userControl(controlEvent.streamEof, streamId),
    makeStatus("status", "NetStream.Play.Stop", "Stopped playing stream.", { streamId }),
    { type: messageType.data, streamId, timestamp: 0, payload: encodeAmf("onPlayStatus", information) },
  ];
}

/** A player that wants to be elsewhere, or a track again, is told that it plays on from now (section 7.2.2.4). */
export function playSought(streamId: number): Message[] {
  return [
    makeStatus("status", "NetStream.Seek.Notify", "A live stream plays on from now.", { streamId }),
    makeStatus("status", "NetStream.Play.Start", "Started playing stream.", { streamId }),
  ];
}

/**
 * Tells one of our own edges that a stream runs, and the number of the clock that its times are of; null: it has ended.
 */
export function liveNotices(clockId: number | null): Message[] {
  if (clockId === null) return [userControl(controlEvent.streamEof, mediaStreamId)];
  return [userControl(controlEvent.streamBegin, mediaStreamId), userControl(controlEvent.clock, clockId)];
}

/**
 * Tells any other server that plays a stream that it has begun, or ended, in both ways that there are (section 7.1.7, and the status
 * of Adobe's servers). Players are not told: at the end ffmpeg, VLC and librtmp leave on the status, and GStreamer on the event.
 */
export function publishNotices(isLive: boolean, streamId: number): Message[] {
  const [event, word, sentence] = isLive
    ? ([controlEvent.streamBegin, "Publish", "The stream is published."] as const)
    : ([controlEvent.streamEof, "Unpublish", "The stream has ended."] as const);
  return [userControl(event, streamId), makeStatus("status", `NetStream.Play.${word}Notify`, sentence, { streamId })];
}

/** Whether a status that a player gets says that the stream has ended; another may follow on the same connection. */
export function isStreamEnd(code: AmfValue): boolean {
  return code === "NetStream.Play.UnpublishNotify" || code === "NetStream.Play.Stop" || code === "NetStream.Play.Complete";
}

/**
 * What a publisher waits for before it sends media; encoders of FMLE's kind wait for the notice too. One of our own edges is told the
 * clock that it is to keep.
 */
export function publishStarted(isFmle: boolean, streamId: number, clock: Clock | null = null): Message[] {
  const members = clock === null ? {} : tellClock(clock);
  const status = makeStatus("status", "NetStream.Publish.Start", "Started publishing stream.", { streamId, members });
  return isFmle ? [publishNotice(streamId), status] : [status];
}

/** The notice in the form of FMLE that a stream may be published. */
export function publishNotice(streamId: number): Message {
  return fmleNotice("onFCPublish", "NetStream.Publish.Start", "Started publishing stream.", streamId);
}

/** Only a busy stream is a bad name: an edge asks another origin after any other refusal. */
export function publishRefused(error: DolphinError, streamId: number): Message {
  const code = error.code === "RTMP_BUSY" ? "NetStream.Publish.BadName" : "NetStream.Publish.Denied";
  return makeStatus("error", code, error.message, { streamId, members: loopMembers(error) });
}

/** Why what a client asked for cannot be. */
export function refusal(what: "play" | "publish", error: DolphinError, streamId: number): Message {
  return what === "play" ? playFailed(error, streamId) : publishRefused(error, streamId);
}

export function playFailed(error: DolphinError, streamId: number): Message {
  return makeStatus("error", "NetStream.Play.Failed", error.message, { streamId, members: loopMembers(error) });
}

/** Whether a refusal says that the stream would be fed with itself. */
export function isLoop(information: AmfObject | null): boolean {
  return information?.["dolphin_code"] === ("RELAY_LOOP" satisfies ErrorCode);
}

function loopMembers({ code }: DolphinError): AmfObject {
  return code === "RELAY_LOOP" ? { dolphin_code: code } : {};
}

/** Tells one of our own edges that the next messages of media, so many, were sent before what a newcomer starts with. */
export function historyNotice(count: number): Message {
  return userControl(controlEvent.history, count);
}

/** The end of publishing, asked for by FCUnpublish. */
export function publishEnded(transaction: number, streamId: number): Message[] {
  return [
    fmleNotice("onFCUnpublish", "NetStream.Unpublish.Success", "Stop publishing stream.", streamId),
    acknowledged(transaction),
    publishStopped(streamId),
  ];
}

/** The same, asked for by `publish(false)`. */
export function publishStopped(streamId: number): Message {
  return makeStatus("status", "NetStream.Unpublish.Success", "Stop publishing stream.", { streamId });
}

/** A notice in the form of FMLE, which encoders of its kind (ffmpeg, OBS) wait for beside the status. */
export function fmleNotice(name: string, code: string, description: string, streamId: number): Message {
  const information: AmfObject = { code, description };
  return makeCommand(streamId, name, 0, null, information);
}
