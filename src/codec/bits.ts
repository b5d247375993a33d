// Bits of a parameter set, most significant first, as codecs write them. Behind the end there are zeros: whoever reads checks `isOver`.
// Source: ITU-T H.264 sections 7.3.1 (emulation prevention) and 9.1 (Exp-Golomb codes).

/** Reads bits. Nothing to close. */
export class Bits {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Whether more was read than there is. */
  get isOver(): boolean {
    return this.at > this.bytes.length * 8;
  }

  /** An unsigned number of up to 32 bits. */
  read(count: number): number {
    let value = 0;
    for (const end = this.at + count; this.at < end; this.at++) {
      value = value * 2 + (((this.bytes[this.at >> 3] ?? 0) >> (7 - (this.at & 7))) & 1);
    }
    return value;
  }

  skip(count: number): void {
    this.at += count;
  }

  flag(): boolean {
    return this.read(1) === 1;
  }

  /** ue(v). */
  unsigned(): number {
    let zeros = 0;
    while (zeros < 32 && !this.isOver && this.read(1) === 0) zeros++;
    return 2 ** zeros - 1 + this.read(zeros);
  }

  /** se(v). */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }
}

/** A NAL unit without its emulation prevention bytes. */
export function withoutEmulation(nal: Buffer): Buffer {
  const out = Buffer.allocUnsafe(nal.length);
  let to = 0;
  let zeros = 0;
  for (const byte of nal) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0;
      continue;
    }
    zeros = byte === 0 ? zeros + 1 : 0;
    out[to++] = byte;
  }
  return out.subarray(0, to);
}
