import { ChunkReader } from "../../../../src/codec/rtmp/chunk-reader.js";
import type { SavedChunkReader } from "../../../../src/codec/rtmp/chunk-stream.js";
import { messageType, type Message } from "../../../../src/codec/rtmp/message.js";

/** A chunk as its fields: what its fmt leaves out is not given. */
export interface Chunk {
  readonly csid: number;
  readonly fmt: 0 | 1 | 2 | 3;
  /** The 3-byte field of fmt 0–2: an absolute time, or a difference. */
  readonly time?: number;
  readonly extended?: number;
  readonly length?: number;
  readonly type?: number;
  readonly streamId?: number;
  readonly payload?: Buffer;
}

/** Writes one chunk byte by byte as section 5.3.1 draws it, without using the code under test. */
export function chunk({ csid, fmt, time = 0, extended, length = 0, type = messageType.audio, streamId = 1, payload }: Chunk): Buffer {
  const bytes: number[] =
    csid < 64 ? [(fmt << 6) | csid] : csid < 320 ? [fmt << 6, csid - 64] : [(fmt << 6) | 1, (csid - 64) & 0xff, (csid - 64) >> 8];
  if (fmt <= 2) bytes.push((time >> 16) & 0xff, (time >> 8) & 0xff, time & 0xff);
  if (fmt <= 1) bytes.push((length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff, type);
  if (fmt === 0) bytes.push(streamId & 0xff, (streamId >> 8) & 0xff, (streamId >> 16) & 0xff, streamId >>> 24);
  if (extended !== undefined) bytes.push(extended >>> 24, (extended >>> 16) & 0xff, (extended >>> 8) & 0xff, extended & 0xff);
  return Buffer.concat([Buffer.from(bytes), payload ?? Buffer.alloc(0)]);
}

/** A message in one fmt 0 chunk. */
export function whole(csid: number, type: number, time: number, payload: Buffer): Buffer {
  return chunk({ csid, fmt: 0, time, type, length: payload.length, payload });
}

/** Set Chunk Size as a peer sends it. */
export function setChunkSize(size: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(size);
  return chunk({ csid: 2, fmt: 0, type: messageType.setChunkSize, streamId: 0, length: 4, payload });
}

/** Abort Message as a peer sends it. */
export function abort(csid: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(csid);
  return chunk({ csid: 2, fmt: 0, type: messageType.abort, streamId: 0, length: 4, payload });
}

/** What a new reader makes of these pieces, which are pushed one by one. */
export function read(...pieces: readonly Buffer[]): Message[] {
  const messages: Message[] = [];
  const reader = new ChunkReader((message) => void messages.push(message));
  for (const piece of pieces) reader.push(piece);
  return messages;
}

/** What readers make of these pieces, each of which is read by another one: as if the connection moved between them. */
export function readMoved(...pieces: readonly Buffer[]): Message[] {
  const messages: Message[] = [];
  let reader = new ChunkReader((message) => void messages.push(message));
  for (const piece of pieces) {
    reader.push(piece);
    const saved = JSON.stringify(reader.save());
    reader = ChunkReader.resume(JSON.parse(saved) as SavedChunkReader, (message) => void messages.push(message));
  }
  return messages;
}

/** The same bytes, one at a time. */
export function bytewise(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** Bytes that differ from place to place, so that a wrong piece of them shows. */
export function pattern(length: number, seed = 0): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + seed * 7 + (i >> 8)) & 0xff;
  return bytes;
}
