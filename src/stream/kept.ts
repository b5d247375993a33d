// What an origin keeps of a stream for whoever packages it: everything of the last moments, so that one who has died in the middle of a
// segment is followed by one who begins it anew. Bounded in time and in bytes, whatever a publisher sends.
import type { Held } from "../codec/rtmp/slabs.js";
import { Headers } from "./headers.js";
import { at, type Packet } from "./packet.js";
import { PacketList } from "./packet-list.js";

/** Bytes that are kept of one stream at most. */
export const maxKeptBytes = 32 << 20;
/** What a packet takes beside its payload, at most. */
const packetOverheadBytes = 256;
/** Times of packets that are over are let go of so many at a time. */
const sweptPackets = 512;

/** The last packets of one stream. */
export class Kept {
  /** How long packets are kept (ms); 0: none are. */
  private keepMs = 0;
  private readonly packets = new PacketList();
  private arrivedMs: number[] = [];
  private first = 0;
  /** Those of them that are headers, and how many packets came before each. */
  private headers: { readonly packet: Packet; readonly index: number }[] = [];
  private pushed = 0;
  private nowMs = 0;
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
    this.nowMs = Date.now();
    this.packets.push(packet);
    this.arrivedMs.push(this.nowMs);
    if (packet.isHeader) this.headers.push({ packet, index: this.pushed });
    this.pushed += 1;
    if (this.isFirstOver()) this.packets.dropWhile(this.drop);
    if (this.first < sweptPackets) return;
    this.arrivedMs = this.arrivedMs.slice(this.first);
    this.first = 0;
  }

  /** All of them, behind what was in force where they begin. */
  list(): Packet[] {
    const kept = this.packets.list();
    const [start] = kept;
    return start === undefined ? [] : [...this.before.list().map((header) => at(header, start.timestamp)), ...kept];
  }

  get isEmpty(): boolean {
    return this.packets.length === 0;
  }

  clear(): void {
    this.packets.clear();
    this.arrivedMs = [];
    this.first = 0;
    this.headers = [];
    this.before = new Headers();
  }

  /** Adds the memory of all of them. */
  hold(held: Held): void {
    this.packets.hold(held);
  }

  private isFirstOver(): boolean {
    const { packets } = this;
    if (packets.length <= 1) return false;
    return packets.bytes + packets.length * packetOverheadBytes > maxKeptBytes || this.nowMs - this.arrivedMs[this.first]! > this.keepMs;
  }

  /** Whether the first packet is over, which is left out then. */
  private readonly drop = (): boolean => {
    if (!this.isFirstOver()) return false;
    this.first += 1;
    const [header] = this.headers;
    if (header !== undefined && header.index === this.pushed - this.packets.length) {
      this.before.put(header.packet);
      this.headers.shift();
    }
    return true;
  };
}
