// The memory that packets of 188 bytes are written into: blocks, so that a second of media is a few pieces and not some hundred. A PES is
// laid down as one run of bytes first, and then spread over its packets word by word: a call for each packet takes longer than its bytes do.
// It is what a muxer does most.
//
//   laid     │ bytes of the first │ the second, the third … │ the last │
//   spread   │ head │ bytes of the first │ head │ bytes of the second │ head │ …

export const packetBytes = 188;
export const headBytes = 4;
export const payloadBytes = packetBytes - headBytes;
const wordBytes = 4;
const payloadWords = payloadBytes / wordBytes;
const none: Buffer = Buffer.alloc(0);
const noWords = new Uint32Array(0);

/** What a PES is laid into: the same for all, for none lies there longer than it takes to spread it. */
let laid = Buffer.allocUnsafeSlow(256 << 10);
let laidWords = new Uint32Array(laid.buffer);
/** A longer PES takes memory of its own. */
const maxLaidBytes = 1 << 20;

/** Memory for a PES of so many bytes; what lay there is spread. It begins on a word. */
export function layPes(bytes: number): Buffer {
  if (laid.length > maxLaidBytes || laid.length < bytes) {
    laid = Buffer.allocUnsafeSlow(Math.max(maxLaidBytes, wordBytes * Math.ceil(bytes / wordBytes)));
    laidWords = new Uint32Array(laid.buffer);
  }
  return laid;
}

/** Gathers packets. `flush` gives what has been gathered; there is nothing to close. */
export class Packets {
  /** Where is written; its beginning lies on a word. */
  bytes: Buffer = none;
  private words: Uint32Array = noWords;
  private from = 0;
  private used = 0;
  private readonly take: (bytes: number) => Buffer;
  private readonly onBlock: (block: Buffer) => void;

  /** `take` gives memory of its own for at least so many bytes; `onBlock` is given whole packets, which nobody changes any more. */
  constructor(take: (bytes: number) => Buffer, onBlock: (block: Buffer) => void) {
    this.take = take;
    this.onBlock = onBlock;
  }

  /** The place of so many packets: where the first begins in `bytes`. */
  reserve(count: number): number {
    const needed = count * packetBytes;
    if (this.used + needed > this.bytes.length) {
      this.flush();
      this.bytes = this.take(needed);
      this.words = new Uint32Array(this.bytes.buffer, 0, Math.floor(this.bytes.length / wordBytes));
      this.from = this.used = 0;
    }
    const at = this.used;
    this.used += needed;
    return at;
  }

  flush(): void {
    if (this.used > this.from) this.onBlock(this.bytes.subarray(this.from, this.used));
    this.from = this.used;
  }

  /** Puts so many bytes of what is laid, whole words from a word on, behind a packet's head and field. */
  put(from: number, to: number, bytes: number): void {
    const [source, target] = [laidWords, this.words]; // named here: a loop looks a variable of the module up each time
    let write = to / wordBytes;
    for (let read = from / wordBytes, end = read + bytes / wordBytes; read < end; read++, write++) target[write] = source[read]!;
  }

  /** Puts the payloads of so many full packets behind the heads of those from `to` on. */
  spread(from: number, to: number, count: number): void {
    const [source, target] = [laidWords, this.words];
    let read = from / wordBytes;
    let write = to / wordBytes;
    for (let packet = 0; packet < count; packet++) {
      write += headBytes / wordBytes;
      for (const end = read + payloadWords; read < end; read++, write++) target[write] = source[read]!;
    }
  }

  /** Puts what a packet ends with, of any length. */
  putEnd(from: number, to: number, bytes: number): void {
    const [source, target] = [laid, this.bytes];
    for (let index = 0; index < bytes; index++) target[to + index] = source[from + index]!;
  }
}
