// MP4 as boxes in boxes: a length, a name of four letters, and what is inside. Source: ISO/IEC 14496-12 section 4.2.

/** A box around parts. */
export function box(type: string, ...parts: readonly Buffer[]): Buffer {
  const head = Buffer.allocUnsafe(8);
  head.writeUInt32BE(parts.reduce((bytes, { length }) => bytes + length, 8));
  head.write(type, 4, "latin1");
  return Buffer.concat([head, ...parts]);
}

/** A box that begins with a version and flags. */
export function fullBox(type: string, version: number, flags: number, ...parts: readonly Buffer[]): Buffer {
  return box(type, u32((version << 24) | flags), ...parts);
}

/** Numbers of 32 bits behind each other; negative ones as two's complement. */
export function u32(...values: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, index) => out.writeUInt32BE(value >>> 0, 4 * index));
  return out;
}

export function u16(...values: readonly number[]): Buffer {
  const out = Buffer.allocUnsafe(2 * values.length);
  values.forEach((value, index) => out.writeUInt16BE(value & 0xffff, 2 * index));
  return out;
}

/** A number of 64 bits, exact up to 2⁵³. */
export function u64(value: number): Buffer {
  return u32(Math.floor(value / 2 ** 32), value % 2 ** 32);
}

/** A number of 64 bits that is read back. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);
}

export interface BoxHead {
  readonly type: string;
  /** Of the whole box; 0: up to the end of the file. */
  readonly sizeBytes: number;
  readonly headBytes: number;
}

/** The most that a box's head takes. */
export const maxBoxHeadBytes = 16;

/** Reads the head of a box; null: the bytes end before it does, or it makes no sense. */
export function readBoxHead(bytes: Buffer, at: number): BoxHead | null {
  if (at + 8 > bytes.length) return null;
  const short = bytes.readUInt32BE(at);
  const type = bytes.toString("latin1", at + 4, at + 8);
  if (short !== 1) return short !== 0 && short < 8 ? null : { type, sizeBytes: short, headBytes: 8 };
  if (at + maxBoxHeadBytes > bytes.length) return null;
  return { type, sizeBytes: readU64(bytes, at + 8), headBytes: maxBoxHeadBytes };
}

/** The boxes inside bytes that are whole boxes; what is behind the last whole one is left out. */
export function boxesIn(bytes: Buffer): { readonly type: string; readonly body: Buffer }[] {
  const found: { type: string; body: Buffer }[] = [];
  for (let at = 0; ;) {
    const head = readBoxHead(bytes, at);
    if (head === null || head.sizeBytes < head.headBytes || at + head.sizeBytes > bytes.length) return found;
    found.push({ type: head.type, body: bytes.subarray(at + head.headBytes, at + head.sizeBytes) });
    at += head.sizeBytes;
  }
}
