// Commands and data messages: AMF bodies with a name in front. One shape for both directions; what a command means is
// decided by the session that sends or gets it. Source: Adobe RTMP 1.0 section 7.2.
import { DolphinError } from "../../base/errors.js";
import { decodeAmf, encodeAmf, type AmfObject, type AmfValue } from "./amf0.js";
import { mediaStreamId, messageType, type Message } from "./message.js";

/** A command as it was received. `args[0]` is the command object, which most commands leave null. */
export interface Command {
  readonly name: string;
  /** 0 when the sender expects no answer. */
  readonly transaction: number;
  readonly args: readonly AmfValue[];
}

/** Decodes a command message of either type number. Throws RTMP_AMF, or RTMP_COMMAND when it does not begin with a name. */
export function parseCommand(message: Message): Command {
  const [name, transaction, ...args] = decodeAmf(amf0Body(message));
  if (typeof name !== "string") throw new DolphinError("RTMP_COMMAND", "a command message does not begin with the command's name");
  return { name, transaction: typeof transaction === "number" ? transaction : 0, args };
}

/** The AMF0 part of a command or data message: the AMF3 message types put one format byte (0) before it. */
export function amf0Body(message: Message): Buffer {
  const { type, payload } = message;
  const hasFormat = (type === messageType.commandAmf3 || type === messageType.dataAmf3) && payload[0] === 0;
  return hasFormat ? payload.subarray(1) : payload;
}

/** Makes a command. `streamId` 0 is the connection itself. */
export function makeCommand(streamId: number, name: string, transaction: number, ...args: readonly AmfValue[]): Message {
  return { type: messageType.command, streamId, timestamp: 0, payload: encodeAmf(name, transaction, ...args) };
}

/** Makes an `onStatus` on a media stream, as NetStream listens for it (section 7.2.2). */
export function makeStatus(level: "status" | "error", code: string, description: string, place: StatusPlace = {}): Message {
  const { streamId = mediaStreamId, members = {} } = place;
  return makeCommand(streamId, "onStatus", 0, null, { level, code, description, details: "stream", clientid: "ASAICiss", ...members });
}

export interface StatusPlace {
  /** Default: the stream that a connection has first. */
  readonly streamId?: number;
  /** What is told beside SRS's members. */
  readonly members?: AmfObject;
}
