// How packets become the bytes that viewers of one kind share. Each container joins any run of packets into one new
// buffer; what it yields is valid wherever it is put in a viewer's stream, so the same buffer serves them all.
import { flvHeader, tagOverhead, writeTag } from "../codec/flv.js";
import { chunkedBytes, writeMessage } from "../codec/rtmp/chunk-writer.js";
import { mediaStreamId } from "../codec/rtmp/message.js";
import { frame as webSocketFrame, frameHeadBytes, frameOf, writeFrameHead } from "../codec/websocket.js";
import { batchMemory } from "./batch-memory.js";
import { sentTime, type Packet } from "./packet.js";

/**
 * Joins packets, which are at least one; empty: there is nothing in them for such a viewer. `isBatch`: they follow the batch before, and all
 * in step get them, in memory that may be given back to `batchMemory` once all have taken it; else they are for those who come to where the
 * batches stand, in new memory that nobody writes into afterwards.
 */
export type Container = (packets: readonly Packet[], isBatch?: boolean) => Buffer;

/** RTMP messages cut at `chunkSize`, which the players must have been told. */
export function rtmpContainer(chunkSize: number): Container {
  return (packets, isBatch) => {
    let bytes = 0;
    for (const packet of packets) bytes += chunkedBytes(packet.payload.length, sentTime(packet), chunkSize);
    const out = memoryFor(bytes, isBatch);
    let to = 0;
    for (const packet of packets) {
      const { type, payload } = packet;
      to = writeMessage(out, to, { type, timestamp: sentTime(packet), payload, streamId: mediaStreamId }, chunkSize);
    }
    return out;
  };
}

const chunkHeadBytes = 10;
const chunkTailBytes = 2;

/**
 * FLV tags, framed as one chunk of HTTP's chunked coding with a length of 8 digits (RFC 9112 section 7.1), so that the
 * framing too is written once for all; {@link withoutFraming} gives the tags alone.
 */
export function flvContainer(packets: readonly Packet[], isBatch?: boolean): Buffer {
  const bytes = tagsBytes(packets);
  const out = memoryFor(chunkHeadBytes + bytes + chunkTailBytes, isBatch);
  out.write("\r\n", writeTags(out, frame(out, bytes), packets), "latin1");
  return out;
}

/** The same tags as one binary frame of WebSocket. */
export function webSocketContainer(packets: readonly Packet[], isBatch?: boolean): Buffer {
  const bytes = tagsBytes(packets);
  const out = memoryFor(frameHeadBytes(bytes) + bytes, isBatch);
  writeTags(out, writeFrameHead(out, webSocketFrame.binary, bytes), packets);
  return out;
}

/** The FLV file header as one binary frame of WebSocket. */
export function webSocketStart(hasAudio: boolean, hasVideo: boolean): Buffer {
  return frameOf(webSocketFrame.binary, flvHeader(hasAudio, hasVideo));
}

/** The FLV file header in the same framing. */
export function flvStart(hasAudio: boolean, hasVideo: boolean): Buffer {
  const header = flvHeader(hasAudio, hasVideo);
  const out = Buffer.allocUnsafe(chunkHeadBytes + header.length + chunkTailBytes);
  header.copy(out, frame(out, header.length));
  out.write("\r\n", out.length - chunkTailBytes, "latin1");
  return out;
}

/** The bytes inside the framing, as a view: for clients of HTTP/1.0, which know no chunked coding. */
export function withoutFraming(framed: Buffer): Buffer {
  return framed.subarray(chunkHeadBytes, framed.length - chunkTailBytes);
}

/** Pieces in the same framing; empty where there are none. */
export function chunkOf(pieces: readonly Buffer[]): Buffer {
  const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
  if (bytes === 0) return Buffer.alloc(0);
  const out = Buffer.allocUnsafe(chunkHeadBytes + bytes + chunkTailBytes);
  let to = frame(out, bytes);
  for (const piece of pieces) to += piece.copy(out, to);
  out.write("\r\n", to, "latin1");
  return out;
}

function memoryFor(bytes: number, isBatch = false): Buffer {
  return isBatch ? batchMemory.take(bytes) : Buffer.allocUnsafe(bytes);
}

function tagsBytes(packets: readonly Packet[]): number {
  let bytes = 0;
  for (const packet of packets) bytes += tagOverhead + packet.payload.length;
  return bytes;
}

function writeTags(out: Buffer, at: number, packets: readonly Packet[]): number {
  let to = at;
  for (const packet of packets) to = writeTag(out, to, packet.type, sentTime(packet), packet.payload);
  return to;
}

function frame(out: Buffer, bytes: number): number {
  return out.write(`${bytes.toString(16).padStart(8, "0")}\r\n`, 0, "latin1");
}
