// Messages → chunks. Every message is written with a full (fmt 0) header and an absolute timestamp, and is cut only
// where it is longer than the chunk size, so the bytes of a message depend on nothing that was sent before: players that
// share a chunk size share the bytes. Source: Adobe RTMP 1.0 section 5.3.1.
//
//   fmt 0 │csid│ timestamp(3) length(3) type(1) stream id(4, little-endian) [extended timestamp(4)] payload…
//   fmt 3 │csid│ [extended timestamp(4)] payload…                            once per further chunk
import { chunkStreamOf, type Message } from "./message.js";

/** Timestamps from here on are written as an extended timestamp (section 5.3.1.3). */
export const extendedFrom = 0xffffff;

/** The number of bytes that `writeMessage` writes for a payload of this length. */
export function chunkedBytes(payloadBytes: number, timestamp: number, chunkSize: number): number {
  const extended = timestamp >>> 0 >= extendedFrom ? 4 : 0;
  const furtherChunks = payloadBytes > chunkSize ? Math.ceil(payloadBytes / chunkSize) - 1 : 0;
  return 12 + extended + payloadBytes + furtherChunks * (1 + extended);
}

/**
 * Writes one message at `at` into `out`, which has room for {@link chunkedBytes}, and returns the position after it.
 * The payload is copied and stays the caller's.
 */
export function writeMessage(out: Buffer, at: number, message: Message, chunkSize: number): number {
  const { type, streamId, payload } = message;
  const csid = chunkStreamOf(type, streamId);
  const timestamp = message.timestamp >>> 0;
  const isExtended = timestamp >= extendedFrom;
  const length = payload.length;
  const time = isExtended ? extendedFrom : timestamp;
  out[at] = csid;
  out[at + 1] = time >>> 16;
  out[at + 2] = time >>> 8;
  out[at + 3] = time;
  out[at + 4] = length >>> 16;
  out[at + 5] = length >>> 8;
  out[at + 6] = length;
  out[at + 7] = type;
  out[at + 8] = streamId;
  out[at + 9] = streamId >>> 8;
  out[at + 10] = streamId >>> 16;
  out[at + 11] = streamId >>> 24;
  let to = isExtended ? out.writeUInt32BE(timestamp, at + 12) : at + 12;
  let from = 0;
  while (length - from > chunkSize) {
    payload.copy(out, to, from, from + chunkSize);
    from += chunkSize;
    to += chunkSize;
    out[to++] = 0xc0 | csid;
    if (isExtended) to = out.writeUInt32BE(timestamp, to);
  }
  payload.copy(out, to, from);
  return to + length - from;
}

/** A message where {@link writeMessage} has written it. */
export interface Written {
  readonly type: number;
  readonly timestamp: number;
  /** Where the payload begins. Its first chunk is in one piece. */
  readonly body: number;
  /** Where the next message begins. */
  readonly end: number;
}

/** Reads the header of a message that was written here with this chunk size, and finds its end. */
export function writtenAt(bytes: Buffer, at: number, chunkSize: number): Written {
  const time = bytes.readUIntBE(at + 1, 3);
  const timestamp = time === extendedFrom ? bytes.readUInt32BE(at + 12) : time;
  const length = bytes.readUIntBE(at + 4, 3);
  return {
    type: bytes[at + 7]!,
    timestamp,
    body: at + (time === extendedFrom ? 16 : 12),
    end: at + chunkedBytes(length, timestamp, chunkSize),
  };
}

/** Gives a message that was written here to another stream. */
export function readdress(bytes: Buffer, at: number, streamId: number): void {
  bytes.writeUInt32LE(streamId, at + 8);
}

/** Joins messages into new memory, in order. */
export function writeMessages(messages: readonly Message[], chunkSize: number): Buffer {
  let bytes = 0;
  for (const message of messages) bytes += chunkedBytes(message.payload.length, message.timestamp, chunkSize);
  const out = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const message of messages) at = writeMessage(out, at, message, chunkSize);
  return out;
}
