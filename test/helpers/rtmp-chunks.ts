// RTMP chunks for the tests' own client. The reader accepts nothing that the specification does not allow and checks what a
// lenient player would not notice; the writer produces every habit that encoders have.

export interface RtmpMessage {
  readonly type: number;
  readonly timestamp: number;
  readonly payload: Buffer;
  readonly streamId: number;
  readonly csid: number;
}

interface ChunkStream {
  type: number;
  length: number;
  streamId: number;
  timestamp: number;
  delta: number;
  isExtended: boolean;
  hasDelta: boolean;
  parts: Buffer[];
  missing: number;
}

const extendedMark = 0xffffff;

/** Feeds on what a server sends. Throws on the first byte that is wrong, with its offset in the connection. */
export class StrictChunkReader {
  chunkSize = 128;
  private rest: Buffer = Buffer.alloc(0);
  private readonly streams = new Map<number, ChunkStream>();
  private readonly lastMediaTimestamp = new Map<string, number>();
  private consumed = 0;

  /** Complete messages, in order. SetChunkSize is obeyed from the byte after it on. */
  push(bytes: Buffer): RtmpMessage[] {
    this.rest = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    const messages: RtmpMessage[] = [];
    for (;;) {
      const message = this.chunk();
      if (message === null) return messages;
      if (message !== "part") messages.push(message);
    }
  }

  /** A publisher that starts again starts its clock again: forgets what was the latest. */
  forgetTimestamps(): void {
    this.lastMediaTimestamp.clear();
  }

  private chunk(): RtmpMessage | "part" | null {
    const b = this.rest;
    const first = b[0];
    if (first === undefined) return null;
    const format = first >> 6;
    const short = first & 63;
    const basic = short === 0 ? 2 : short === 1 ? 3 : 1;
    const header = [11, 7, 3, 0][format] ?? 0;
    if (b.length < basic + header) return null;
    const csid = short === 0 ? 64 + (b[1] ?? 0) : short === 1 ? 64 + (b[1] ?? 0) + 256 * (b[2] ?? 0) : short;
    const known = this.streams.get(csid);
    if (known === undefined && format !== 0) this.fail(`format ${format} on the chunk stream ${csid} that was never begun`);
    if (known !== undefined && known.missing > 0 && format !== 3) this.fail(`format ${format} inside a message on chunk stream ${csid}`);
    const time = format < 3 ? b.readUIntBE(basic, 3) : 0;
    const isExtended = format < 3 ? time === extendedMark : (known?.isExtended ?? false);
    const size = basic + header + (isExtended ? 4 : 0);
    if (b.length < size) return null;
    const value = isExtended ? b.readUInt32BE(basic + header) : time;
    const length = format < 2 ? b.readUIntBE(basic + 3, 3) : (known?.length ?? 0);
    const isContinuation = known !== undefined && known.missing > 0;
    const part = Math.min(isContinuation ? known.missing : length, this.chunkSize);
    if (b.length < size + part) return null;

    const stream = known ?? this.begin(csid);
    if (isContinuation) {
      if (isExtended && value !== (stream.hasDelta ? stream.delta : stream.timestamp))
        this.fail(`another extended timestamp ${value} inside a message`);
    } else {
      this.openMessage(stream, format, value, isExtended, b.subarray(basic, basic + header));
    }
    stream.parts.push(Buffer.from(b.subarray(size, size + part)));
    stream.missing -= part;
    this.rest = b.subarray(size + part);
    this.consumed += size + part;
    return stream.missing > 0 ? "part" : this.complete(csid, stream);
  }

  private begin(csid: number): ChunkStream {
    if (this.streams.size >= 64) this.fail("more than 64 chunk streams");
    const stream: ChunkStream = {
      type: 0,
      length: 0,
      streamId: 0,
      timestamp: 0,
      delta: 0,
      isExtended: false,
      hasDelta: false,
      parts: [],
      missing: 0,
    };
    this.streams.set(csid, stream);
    return stream;
  }

  private openMessage(stream: ChunkStream, format: number, value: number, isExtended: boolean, header: Buffer): void {
    if (isExtended && format < 3 && value < extendedMark) this.fail(`an extended timestamp that needs none: ${value}`);
    if (format === 0) {
      stream.streamId = header.readUInt32LE(7);
      stream.timestamp = value;
    } else {
      if (format < 3) stream.delta = value;
      stream.timestamp = (stream.timestamp + stream.delta) >>> 0;
    }
    if (format < 2) {
      stream.length = header.readUIntBE(3, 3);
      stream.type = header.readUInt8(6);
    }
    if (format < 3) stream.hasDelta = format !== 0;
    stream.isExtended = isExtended;
    stream.missing = stream.length;
    stream.parts = [];
  }

  private complete(csid: number, stream: ChunkStream): RtmpMessage {
    const { type, timestamp, streamId } = stream;
    const message = { type, timestamp, streamId, csid, payload: Buffer.concat(stream.parts) };
    stream.parts = [];
    const { payload } = message;
    if (type >= 1 && type <= 6 && (csid !== 2 || streamId !== 0)) this.fail(`protocol message ${type} on csid ${csid}, stream ${streamId}`);
    const exact = ({ 1: 4, 2: 4, 3: 4, 5: 4, 6: 5 } as Record<number, number>)[type];
    if (exact !== undefined && payload.length !== exact) this.fail(`protocol message ${type} of ${payload.length} bytes`);
    if (type === 1) {
      this.chunkSize = payload.readUInt32BE(0);
      if (this.chunkSize < 1 || this.chunkSize > 0xffffff) this.fail(`chunk size ${this.chunkSize}`);
    }
    if (type === 20 && payload.includes("NetStream.Play.Reset")) {
      for (const media of [8, 9]) this.lastMediaTimestamp.delete(`${streamId}/${media}`); // another play begins where it likes
    }
    if (type === 8 || type === 9) {
      if (streamId === 0) this.fail("media on the message stream 0");
      const key = `${streamId}/${type}`;
      const last = this.lastMediaTimestamp.get(key);
      if (last !== undefined && timestamp < last && last - timestamp < 0x80000000)
        this.fail(`type ${type} runs backwards: ${timestamp} after ${last}`);
      this.lastMediaTimestamp.set(key, timestamp);
    }
    return message;
  }

  private fail(why: string): never {
    throw new Error(`the server's chunks are wrong at byte ${this.consumed}: ${why}; ${this.rest.subarray(0, 24).toString("hex")}`);
  }
}

export interface ChunkHabits {
  /** Bytes in a chunk; announce it to the server before. */
  readonly chunkSize?: number;
  /** The shortest header that may begin a message: 0 always writes it in full. */
  readonly format?: 0 | 1 | 2 | 3;
  /** Whether format 3 chunks repeat an extended timestamp; Adobe's do, some encoders' do not. */
  readonly extended?: "repeated" | "once";
}

/** Writes messages as chunks with the habits of one encoder. */
export class ChunkWriter {
  habits: Required<ChunkHabits>;
  private readonly last = new Map<number, { message: RtmpMessage; delta: number | null }>();

  constructor(habits: ChunkHabits = {}) {
    this.habits = { chunkSize: 128, format: 0, extended: "repeated", ...habits };
  }

  write(message: RtmpMessage): Buffer {
    const { csid, payload, timestamp } = message;
    const { chunkSize, extended } = this.habits;
    const last = this.last.get(csid);
    const delta = last === undefined ? null : (timestamp - last.message.timestamp) >>> 0;
    const format = this.formatFor(message, delta);
    const value = format === 0 ? timestamp : (delta ?? 0);
    const isExtended = value >= extendedMark;
    this.last.set(csid, { message, delta: format === 0 ? null : delta });

    const tail = Buffer.alloc(4);
    tail.writeUInt32BE(value >>> 0);
    const header = Buffer.alloc([11, 7, 3, 0][format] ?? 0);
    if (format < 3) header.writeUIntBE(isExtended ? extendedMark : value, 0, 3);
    if (format < 2) {
      header.writeUIntBE(payload.length, 3, 3);
      header[6] = message.type;
    }
    if (format === 0) header.writeUInt32LE(message.streamId, 7);
    const parts = [basicHeader(format, csid), header];
    if (isExtended) parts.push(tail);
    for (let at = 0; at < payload.length; at += chunkSize) {
      if (at > 0) parts.push(basicHeader(3, csid));
      if (at > 0 && isExtended && extended === "repeated") parts.push(tail);
      parts.push(payload.subarray(at, at + chunkSize));
    }
    return Buffer.concat(parts);
  }

  private formatFor(message: RtmpMessage, delta: number | null): number {
    const last = this.last.get(message.csid);
    if (last === undefined || delta === null || delta >= 0x80000000 || last.message.streamId !== message.streamId) return 0;
    const { type, payload } = last.message;
    const isSameShape = type === message.type && payload.length === message.payload.length;
    // Format 3 after a full header means its timestamp again to some and a delta of 0 to others: never written.
    const shortest = !isSameShape ? 1 : last.delta === delta ? 3 : 2;
    return Math.min(shortest, this.habits.format);
  }
}

function basicHeader(format: number, csid: number): Buffer {
  if (csid < 64) return Buffer.of((format << 6) | csid);
  if (csid < 320) return Buffer.of(format << 6, csid - 64);
  return Buffer.of((format << 6) | 1, (csid - 64) & 255, (csid - 64) >> 8);
}
