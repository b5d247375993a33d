// Memory that is used again and again for what soon leaves the process. Fresh memory is cheap to ask for, but the garbage collector goes by how
// much of it there was: where the media of many streams goes through fresh buffers it runs all the time, and on other cores as well.

/** What waits for use of one kind, at most. */
const maxIdleBytes = 32 << 20;

/** Pieces of one size. Nothing to close. */
export class WarmMemory {
  /** Of a piece. */
  readonly sizeBytes: number;
  private readonly idle: Buffer[] = [];
  private readonly own = new WeakSet<ArrayBufferLike>();

  constructor(sizeBytes: number) {
    this.sizeBytes = sizeBytes;
  }

  /** Memory for so many bytes, with whatever was in it; a larger piece than usual is nobody's afterwards. */
  take(bytes: number): Buffer {
    if (bytes > this.sizeBytes) return Buffer.allocUnsafeSlow(bytes);
    const warm = this.idle.pop();
    if (warm !== undefined) return warm;
    const fresh = Buffer.from(new SharedArrayBuffer(this.sizeBytes));
    this.own.add(fresh.buffer);
    return fresh;
  }

  /** Gives a piece back by what lies in it, which nobody reads any more; what was not taken here is left alone. */
  giveBack({ buffer }: Buffer): void {
    if (!this.own.has(buffer) || this.idle.length * this.sizeBytes >= maxIdleBytes) return;
    this.idle.push(Buffer.from(buffer));
  }
}
