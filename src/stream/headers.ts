// What describes a stream, for those who have not seen it begin: one packet for each kind and track, the newest that a decoder can
// begin with. Who is there gets every header as it comes, whatever it is worth; what was sent last is remembered for telling repeats.
//
//   metadata ─ audio: configuration, channels of each track ─ video: configuration, colours of each track      the order of newcomers
import { audioHeader, videoHeader } from "../codec/av.js";
import { isReadableMetadata } from "../codec/rtmp/metadata.js";
import { messageType } from "../codec/rtmp/message.js";
import type { Packet } from "./packet.js";

/** Longest header that is kept for newcomers. */
export const maxKeptHeaderBytes = 64 << 10;
/** Kinds and tracks of one stream of which headers are kept. */
export const maxKeptHeaders = 64;

interface Slot {
  /** For newcomers. */
  readonly kept: Packet;
  readonly isComplete: boolean;
  /** When it came, for a message of several tracks may be followed by one of some of them. */
  readonly order: number;
  /** What came last. */
  readonly latest: Packet;
}

/** The headers of one stream. */
export class Headers {
  /** By kind and track, as {@link slotOf} numbers them. */
  private readonly slots = new Map<number, Slot>();
  private count = 0;

  /** Takes the next header. They stay for the whole stream: they get memory of their own rather than keep the packets around them. */
  put(header: Packet): void {
    const { slots: at, isComplete } = slotsOf(header);
    if (header.payload.length > maxKeptHeaderBytes) return;
    const latest = { ...header, payload: Buffer.from(header.payload) };
    const order = this.count++;
    for (const slot of at) {
      const before = this.slots.get(slot);
      if (before === undefined && this.slots.size >= maxKeptHeaders) continue;
      const isWorse = before?.isComplete === true && !isComplete;
      this.slots.set(slot, isWorse ? { ...before, latest } : { kept: latest, isComplete, order, latest });
    }
  }

  /** Whether a header is the last one of its kind and track. */
  isInForce(header: Packet): boolean {
    const { slots: at } = slotsOf(header);
    return at.length > 0 && at.every((slot) => this.slots.get(slot)?.latest.payload.equals(header.payload) === true);
  }

  /** Whether a configuration of this type has come. */
  announces(type: number): boolean {
    for (const { latest } of this.slots.values()) if (latest.type === type) return true;
    return false;
  }

  /** What a newcomer needs, in order. */
  list(): Packet[] {
    const entries = [...this.slots].toSorted(([a, one], [b, other]) => (a >> 8) - (b >> 8) || one.order - other.order);
    return [...new Set(entries.map(([, { kept }]) => kept))];
  }

  clear(): void {
    this.slots.clear();
  }
}

function slotsOf({ type, payload }: Packet): { readonly slots: readonly number[]; readonly isComplete: boolean } {
  if (type === messageType.data) return { slots: [0], isComplete: isReadableMetadata(payload) };
  const { kind, tracks, isComplete } = type === messageType.video ? videoHeader(payload) : audioHeader(payload);
  return { slots: tracks.map((track) => (kind << 8) | track), isComplete };
}
