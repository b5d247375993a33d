// What an origin keeps of a stream for whoever packages it: everything of the last moments, so that one who has died in the middle of a
// segment is followed by one who begins it anew. Bounded in time and in bytes, whatever a publisher sends.
import type { Held } from "../codec/rtmp/slabs.js";
import { Headers } from "./headers.js";
import { at, hold, type Packet } from "./packet.js";

/** Bytes that are kept of one stream at most. */
export const maxKeptBytes = 32 << 20;
/** What a packet takes beside its payload, roughly. */
const packetOverheadBytes = 256;
/** Packets that are over are let go of so many at a time. */
const sweptPackets = 512;

/** The last packets of one stream. */
export class Kept {
  /** How long packets are kept (ms); 0: none are. */
  private keepMs = 0;
  private packets: Packet[] = [];
  private arrivedMs: number[] = [];
  private first = 0;
  private bytes = 0;
  /** What was in force where they begin. */
  private before = new Headers();

  /** Keeps packets for so long from now on; `start`: what the stream has to start with, where none were kept. */
  keepFor(ms: number, start: readonly Packet[] = []): void {
    const wasOff = this.keepMs === 0;
    this.keepMs = ms;
    if (ms === 0) this.clear();
    else if (wasOff) for (const packet of start) this.push(packet);
  }

  push(packet: Packet): void {
    if (this.keepMs === 0) return;
    const nowMs = Date.now();
    this.packets.push(packet);
    this.arrivedMs.push(nowMs);
    this.bytes += sizeOf(packet);
    while (this.first < this.packets.length - 1 && (this.bytes > maxKeptBytes || nowMs - this.arrivedMs[this.first]! > this.keepMs))
      this.drop();
    if (this.first < sweptPackets) return;
    this.packets = this.packets.slice(this.first);
    this.arrivedMs = this.arrivedMs.slice(this.first);
    this.first = 0;
  }

  /** All of them, behind what was in force where they begin. */
  list(): Packet[] {
    const kept = this.packets.slice(this.first);
    const [start] = kept;
    return start === undefined ? [] : [...this.before.list().map((header) => at(header, start.timestamp)), ...kept];
  }

  get isEmpty(): boolean {
    return this.packets.length === this.first;
  }

  clear(): void {
    this.packets = [];
    this.arrivedMs = [];
    this.first = 0;
    this.bytes = 0;
    this.before = new Headers();
  }

  /** Adds the memory of all of them. */
  hold(held: Held): void {
    hold(this.packets.slice(this.first), held);
  }

  private drop(): void {
    const packet = this.packets[this.first]!;
    this.first += 1;
    this.bytes -= sizeOf(packet);
    if (packet.isHeader) this.before.put(packet);
  }
}

function sizeOf({ payload }: Packet): number {
  return payload.length + packetOverheadBytes;
}
