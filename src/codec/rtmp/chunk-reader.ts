// Chunks → messages. Bytes come as they come from a socket, split anywhere; whole messages go to the handler by a
// direct call. Nothing is concatenated: a header that straddles two reads is completed in a scratch of 18 bytes, and a
// payload is copied once, into memory that payloads.ts finds for it. Every limit is checked before memory is taken.
//
//   basic header 1–3 │ message header 11, 7, 3 or 0 │ extended timestamp 0 or 4 │ payload up to the chunk size
//
// A chunk stream (csid) remembers its last header, which fmt 1, 2 and 3 leave parts of out. Source: Adobe RTMP 1.0
// section 5.3.1. The control messages that change the reading itself (chunk size, abort) are obeyed here.
import { DolphinError } from "../../base/errors.js";
import { newChunkStream, saveChunkStream, type ChunkHeader, type ChunkStream, type SavedChunkReader } from "./chunk-stream.js";
import { extendedFrom } from "./chunk-writer.js";
import { messageType, type Message } from "./message.js";
import { Payloads } from "./payloads.js";
import type { Holder } from "./slabs.js";

/** Chunk streams that one connection may use; encoders use fewer than 10. */
export const maxChunkStreams = 64;
/** Longest command, data or control message. */
export const maxDataBytes = 1 << 20;
/** Longest audio, video or aggregate message. */
export const maxMediaBytes = 8 << 20;
/** What has come of unfinished messages may take this much in a reader that is saved. */
export const maxSavedPayloadBytes = 32 << 10;
/** Smallest chunk size that is obeyed: below it a peer buys much work with few bytes. */
export const minChunkSize = 128;
/** Largest chunk size: a message cannot be longer. */
export const maxChunkSize = 0xffffff;

const longestHeader = 3 + 11 + 4;
const noPayload = Buffer.alloc(0);
/** What is told to who wants to know how messages came. */
export interface ChunkReaderOptions {
  /** Whether messages that change the reading itself (chunk size, abort) are handed on too, after they were obeyed. */
  readonly tellsAll?: boolean;
}

/** Gets each whole message; `header` is as it stands now and changes with the next bytes, `fmt` is what it came with. */
type ChunkListener = (message: Message, header: ChunkHeader, fmt: number) => void;

/** Reads one direction of one connection. It has no lifetime to end: drop it with its connection. */
export class ChunkReader {
  private readonly onMessage: ChunkListener;
  private readonly tellsAll: boolean;
  private readonly streams = new Map<number, ChunkStream>();
  private chunkSize = 128;
  /** Messages under way, on however many chunk streams. */
  private openMessages = 0;
  /** A header cut off by the end of a read, completed from the next one. It has memory from the first one on: players cut none. */
  private scratch = noPayload;
  private scratchBytes = 0;
  /** The chunk whose payload is being read, and how much of it is still to come. */
  private current: ChunkStream | null = null;
  private chunkRest = 0;
  private isStopped = false;
  /** Whether bytes of an earlier read are read once more, so that the read under way has no one place where it stands. */
  private isRereading = false;
  private readonly payloads = new Payloads(this.streams);

  /** `onMessage` is called for every complete message; it owns the payload, and what it throws goes to the caller of `push`. */
  constructor(onMessage: ChunkListener, { tellsAll = false }: ChunkReaderOptions = {}) {
    this.onMessage = onMessage;
    this.tellsAll = tellsAll;
  }

  /** Makes a reader that goes on where another one was saved. */
  static resume(saved: SavedChunkReader, onMessage: ChunkListener, options: ChunkReaderOptions = {}): ChunkReader {
    const reader = new ChunkReader(onMessage, options);
    reader.chunkSize = saved.chunkSize;
    if (saved.scratch !== "") reader.keepHeader(Buffer.from(saved.scratch, "base64"), 0, longestHeader);
    for (const one of saved.streams) {
      const { payload = "" } = one;
      // Made like all others, or the hot path knows it by no shape.
      const stream: ChunkStream = Object.assign(newChunkStream(one.csid), one, { payload: null });
      reader.streams.set(stream.csid, stream);
      if (stream.isOpen) reader.openMessages += 1;
      if (payload !== "") reader.payloads.reopen(stream, Buffer.from(payload, "base64"));
    }
    reader.current = (saved.current && reader.streams.get(saved.current.csid)) ?? null;
    reader.chunkRest = saved.current?.restBytes ?? 0;
    return reader;
  }

  /**
   * Writes down where the reader stands, between two calls of `push`. Null when more than {@link maxSavedPayloadBytes} have come
   * of messages that are not complete: it is worth asking again after the next read.
   */
  save(): SavedChunkReader | null {
    const streams = [...this.streams.values()];
    const payloadBytes = streams.reduce((sum, { payload, received }) => sum + (payload === null ? 0 : received), 0);
    if (payloadBytes > maxSavedPayloadBytes) return null;
    return {
      chunkSize: this.chunkSize,
      streams: streams.map(saveChunkStream),
      scratch: this.scratch.toString("base64", 0, this.scratchBytes),
      current: this.current && { csid: this.current.csid, restBytes: this.chunkRest },
    };
  }

  /** Names who keeps the messages from now on (slabs.ts); null: nobody who could tell which of them it needs. */
  lendTo(holder: Holder | null): void {
    this.payloads.lendTo(holder);
  }

  /** What the peer's bytes are cut into now. */
  get chunkSizeBytes(): number {
    return this.chunkSize;
  }

  /** The last headers of all chunk streams that were begun. */
  headers(): ChunkHeader[] {
    return Array.from(this.streams.values()).filter(({ isKnown }) => isKnown);
  }

  /**
   * From within `onMessage`: the `push` under way shall end behind this message. False, and without effect, where that is
   * no place to stop: a message of another chunk stream is under way.
   */
  stop(): boolean {
    this.isStopped = this.openMessages === 0 && !this.isRereading;
    return this.isStopped;
  }

  /**
   * Takes the next bytes of the connection and returns how many it used: all, unless `stop` was called. They are copied
   * where they are kept; the buffer stays the caller's.
   * Throws RTMP_CHUNK_HEADER, RTMP_CHUNK_SIZE, RTMP_CHUNK_STREAMS, RTMP_MESSAGE_SIZE or RTMP_MEMORY; the connection is
   * then lost, for nothing tells where the next chunk begins.
   */
  push(bytes: Buffer): number {
    this.isStopped = false;
    const at = this.payloads.place(bytes, this.current);
    if (at < 0) return this.read(bytes, 0, bytes.length);
    return this.read(this.payloads.open, at, at + bytes.length) - at;
  }

  private read(bytes: Buffer, start: number, end: number): number {
    let at = start;
    while (at < end && !this.isStopped) {
      if (this.current !== null) at = this.readPayload(this.current, bytes, at, end);
      else if (this.scratchBytes > 0) at = this.completeHeader(bytes, at, end);
      else {
        const after = this.readHeader(bytes, at, end);
        if (after < 0) {
          this.keepHeader(bytes, at, end);
          return end;
        }
        at = after;
      }
    }
    return at;
  }

  private keepHeader(bytes: Buffer, at: number, end: number): void {
    if (this.scratch.length === 0) this.scratch = Buffer.allocUnsafe(longestHeader);
    this.scratchBytes = bytes.copy(this.scratch, 0, at, end);
  }

  /** Continues a header that a read cut off: a copy of what follows is appended to it, and only what it used is consumed. */
  private completeHeader(bytes: Buffer, at: number, readEnd: number): number {
    const had = this.scratchBytes;
    const end = had + bytes.copy(this.scratch, had, at, Math.min(at + longestHeader - had, readEnd));
    this.isRereading = true;
    const after = this.readHeader(this.scratch, 0, end);
    if (after < 0) this.scratchBytes = end;
    else {
      this.scratchBytes = 0;
      // where the bytes that were awaited turned out to be no extended timestamp, those in the scratch are payload, or more headers
      if (after < had) this.read(Buffer.from(this.scratch.subarray(after, had)), 0, had - after);
    }
    this.isRereading = false;
    return after < 0 ? readEnd : at + Math.max(after - had, 0);
  }

  /** Reads the header of a chunk and opens its payload. Returns the position after it, or -1 when bytes are missing. */
  private readHeader(bytes: Buffer, start: number, end: number): number {
    const first = bytes[start]!;
    const fmt = first >>> 6;
    let csid = first & 0x3f;
    let at = start + 1;
    if (csid === 0) {
      if (end - at < 1) return -1;
      csid = 64 + bytes[at]!;
      at += 1;
    } else if (csid === 1) {
      if (end - at < 2) return -1;
      csid = 64 + bytes[at]! + bytes[at + 1]! * 256;
      at += 2;
    }
    const stream = this.streams.get(csid) ?? this.addStream(csid);
    const isContinuation = stream.isOpen;
    if (fmt === 3) return this.readContinuation(stream, isContinuation, bytes, at, end);
    if (isContinuation) {
      throw new DolphinError("RTMP_CHUNK_HEADER", `chunk stream ${csid}: a new header (fmt ${fmt}) inside a message`);
    }
    // librtmp opens the control stream with fmt 1, which cannot harm: everything it leaves out is 0
    if (fmt !== 0 && !stream.isKnown && !(fmt === 1 && csid === 2)) {
      throw new DolphinError("RTMP_CHUNK_HEADER", `chunk stream ${csid} opens with fmt ${fmt}, which refers to a header before it`);
    }
    const headerBytes = fmt === 0 ? 11 : fmt === 1 ? 7 : 3;
    if (end - at < headerBytes) return -1;
    const time = bytes.readUIntBE(at, 3);
    const isExtended = time === extendedFrom;
    if (isExtended && end - at < headerBytes + 4) return -1;
    if (fmt <= 1) {
      stream.length = bytes.readUIntBE(at + 3, 3);
      stream.type = bytes[at + 6]!;
    }
    if (fmt === 0) stream.streamId = bytes.readUInt32LE(at + 7);
    stream.fmt = fmt;
    stream.isDifference = fmt !== 0;
    stream.isExtended = isExtended;
    stream.field = isExtended ? bytes.readUInt32BE(at + headerBytes) : time;
    stream.timestamp = fmt === 0 ? stream.field : (stream.timestamp + stream.field) >>> 0;
    stream.isKnown = true;
    this.openPayload(stream);
    return at + headerBytes + (isExtended ? 4 : 0);
  }

  /** fmt 3: the next chunk of a message, or a message whose header is the last one's. */
  private readContinuation(stream: ChunkStream, isContinuation: boolean, bytes: Buffer, start: number, end: number): number {
    if (!stream.isKnown) {
      throw new DolphinError("RTMP_CHUNK_HEADER", `chunk stream ${stream.csid} opens with fmt 3, which refers to a header before it`);
    }
    let at = start;
    if (stream.isExtended && stream.repeatsExtended !== false) {
      if (end - at < 4) {
        // fewer bytes may be all there is when the extended timestamp is left out: only an unknown habit makes it ambiguous
        return -1;
      }
      const value = bytes.readUInt32BE(at);
      stream.repeatsExtended ??= value === stream.field || value === stream.timestamp;
      if (stream.repeatsExtended) at += 4;
    }
    if (!isContinuation) {
      stream.fmt = 3;
      stream.timestamp = (stream.timestamp + stream.field) >>> 0;
      this.openPayload(stream);
    } else this.openChunk(stream);
    return at;
  }

  private addStream(csid: number): ChunkStream {
    if (this.streams.size >= maxChunkStreams) {
      throw new DolphinError("RTMP_CHUNK_STREAMS", `more than ${maxChunkStreams} chunk streams on one connection`);
    }
    const stream = newChunkStream(csid);
    this.streams.set(csid, stream);
    return stream;
  }

  /** Begins a message whose header is in `stream`. */
  private openPayload(stream: ChunkStream): void {
    const { length, type } = stream;
    if (length > (isMedia(type) ? maxMediaBytes : maxDataBytes)) {
      throw new DolphinError("RTMP_MESSAGE_SIZE", `a message of type ${type} announces ${length} bytes`);
    }
    stream.received = 0;
    if (length === 0) {
      this.finish(stream, noPayload);
      return;
    }
    stream.isOpen = true;
    this.openMessages += 1;
    this.openChunk(stream);
  }

  private openChunk(stream: ChunkStream): void {
    this.current = stream;
    this.chunkRest = Math.min(this.chunkSize, stream.length - stream.received);
  }

  private readPayload(stream: ChunkStream, bytes: Buffer, at: number, end: number): number {
    const count = Math.min(this.chunkRest, end - at);
    const payload = this.payloads.take(stream, bytes, at, count);
    stream.received += count;
    this.chunkRest -= count;
    if (this.chunkRest === 0) {
      this.current = null;
      if (stream.received === stream.length) {
        this.close(stream);
        this.finish(stream, payload);
      }
    }
    return at + count;
  }

  private close(stream: ChunkStream): void {
    this.payloads.forget(stream);
    if (stream.isOpen) this.openMessages -= 1;
    stream.isOpen = false;
  }

  private finish(stream: ChunkStream, payload: Buffer): void {
    const { type, streamId, timestamp } = stream;
    if (type === messageType.setChunkSize) this.setChunkSize(payload);
    else if (type === messageType.abort) this.abort(payload);
    else {
      this.onMessage({ type, streamId, timestamp, payload }, stream, stream.fmt);
      return;
    }
    if (this.tellsAll) this.onMessage({ type, streamId, timestamp, payload }, stream, stream.fmt);
  }

  private setChunkSize(payload: Buffer): void {
    const size = payload.length >= 4 ? payload.readUInt32BE(0) : 0;
    if (size < minChunkSize || size > 0x7fffffff) {
      throw new DolphinError("RTMP_CHUNK_SIZE", `the peer sets a chunk size of ${size}; ${minChunkSize} is the least`);
    }
    this.chunkSize = Math.min(size, maxChunkSize);
  }

  /** Drops the unfinished message of a chunk stream (section 5.4.2). */
  private abort(payload: Buffer): void {
    const stream = payload.length >= 4 ? this.streams.get(payload.readUInt32BE(0)) : undefined;
    if (stream !== undefined) this.close(stream);
  }
}

function isMedia(type: number): boolean {
  return type === messageType.audio || type === messageType.video || type === messageType.aggregate;
}
