// Packets that are kept because somebody may come who needs them. Nobody comes to most streams at most times, and two objects for each
// of 75 packets a second and stream, alive for as long as a GOP lasts, kept the garbage collector busier than the parser. So what is
// kept of a packet is five numbers in a row and the memory that its payload lies in, which it shares with those around it; it becomes a
// packet again when it is asked for.
//
//   fields   │ kind │ time │ memory │ offset │ length │ …      a row a packet
//   memory   slab, slab, slab …                                each once for those who lie in it one behind the other
import type { Held } from "../codec/rtmp/slabs.js";
import type { Packet, PacketType } from "./packet.js";

const columns = 5;
const fewestRows = 64;
const keyFrameFlag = 0x100;
const headerFlag = 0x200;

/** Packets in the order in which they came. */
export class PacketList {
  private fields = new Float64Array(columns * fewestRows);
  /** The first payload in each piece of memory, by which the piece is known, and the last piece: to ask a payload for it is a call of its own. */
  private memory: Buffer[] = [];
  private last: ArrayBufferLike | null = null;
  private first = 0;
  private end = 0;
  private packets: readonly Packet[] | null = null;
  /** Of the payloads together. */
  bytes = 0;

  get length(): number {
    return this.end - this.first;
  }

  push({ type, timestamp, payload, isKeyFrame, isHeader }: Packet): void {
    if ((this.end + 1) * columns > this.fields.length) this.makeRoom();
    const { fields, memory } = this;
    const { buffer } = payload;
    if (buffer !== this.last) memory.push(payload);
    this.last = buffer;
    const at = this.end * columns;
    fields[at] = type | (isKeyFrame ? keyFrameFlag : 0) | (isHeader ? headerFlag : 0);
    fields[at + 1] = timestamp;
    fields[at + 2] = memory.length - 1;
    fields[at + 3] = payload.byteOffset;
    fields[at + 4] = payload.length;
    this.end += 1;
    this.bytes += payload.length;
    this.packets = null;
  }

  /** All of them; made when it is asked for, and the same until the next change. */
  list(): readonly Packet[] {
    this.packets ??= Array.from({ length: this.length }, (_, index) => this.packetAt(this.first + index));
    return this.packets;
  }

  /** Leaves out packets from the front for as long as they are to be. */
  dropWhile(isOut: (type: PacketType, timestamp: number) => boolean): void {
    const { fields } = this;
    while (this.first < this.end) {
      const at = this.first * columns;
      if (!isOut(typeOf(fields[at]!), fields[at + 1]!)) break;
      this.bytes -= fields[at + 4]!;
      this.first += 1;
      this.packets = null;
    }
  }

  /** Names the memory that is needed. */
  hold(held: Held): void {
    if (this.first === this.end) return;
    for (let at = this.fields[this.first * columns + 2]!; at < this.memory.length; at++) if (held.add(this.memory[at]!)) return;
  }

  clear(): void {
    this.first = this.end = this.bytes = 0;
    this.memory = [];
    this.last = null;
    this.packets = null;
  }

  private packetAt(row: number): Packet {
    const { fields, memory } = this;
    const at = row * columns;
    const kind = fields[at]!;
    return {
      type: typeOf(kind),
      timestamp: fields[at + 1]!,
      payload: Buffer.from(memory[fields[at + 2]!]!.buffer, fields[at + 3], fields[at + 4]),
      isKeyFrame: (kind & keyFrameFlag) !== 0,
      isHeader: (kind & headerFlag) !== 0,
    };
  }

  /** In place of those that were left out, or in more memory. */
  private makeRoom(): void {
    const { fields, first, end } = this;
    const from = fields[first * columns + 2] ?? 0;
    const isHalfOut = first > 0 && first * 2 >= end;
    const rows = isHalfOut ? fields : new Float64Array(fields.length * 2);
    rows.set(fields.subarray(first * columns, end * columns));
    if (first > 0) {
      this.memory = this.memory.slice(from);
      this.last = this.memory.at(-1)?.buffer ?? null;
      for (let at = 2; at < (end - first) * columns; at += columns) rows[at]! -= from;
    }
    this.fields = rows;
    this.first = 0;
    this.end = end - first;
  }
}

function typeOf(kind: number): PacketType {
  return (kind & 0xff) as PacketType;
}
