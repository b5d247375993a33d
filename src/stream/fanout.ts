// HOT PATH: from one source to all its viewers of one kind. Packets are collected into a batch; when the batch is due it
// is joined once, and every viewer is given the same buffer with one write. Per packet there is no work per viewer.
//
//   push ─▶ pending ──(delay)──▶ join ─▶ one buffer ─▶ send, send, send … to every seat in step
//
// A viewer takes a seat. It is *in step* while its socket keeps up, and *behind* once more than the limit waits in it:
// then it is left out until it has drained, comes back at the next key frame, and is dropped when that takes too long.
// So a slow viewer costs what waits in its own socket, which the limit bounds, and nobody else notices it.
import type { ErrorCode } from "../base/errors.js";
import type { Position } from "../base/position.js";
import { messageType } from "../codec/rtmp/message.js";
import type { Held } from "../codec/rtmp/slabs.js";
import { batchMemory } from "./batch-memory.js";
import { catchUp, isAfter, type CatchUp } from "./catch-up.js";
import type { Container } from "./container.js";
import { hold, type Packet } from "./packet.js";
import { historyMs, maxGopBytes, type StartCache } from "./start-cache.js";

/** Bytes that may wait in a viewer's socket, beyond what it was given to start with, before it is behind. */
export const maxBacklogBytes = 4 << 20;

/** The same of one who packages the stream. */
export const maxWholeBacklogBytes = 32 << 20;

/** Packets that are known from before at most. */
const maxRecentPackets = 1000;

/** What drinks from a source. All calls are direct and must not throw. */
export interface Consumer {
  /** Bytes given to `send` that the socket has not taken yet. */
  readonly backlogBytes: number;
  /**
   * Takes whole messages, of which `last` is the last one. The bytes are shared by all consumers: read only, and only as long as
   * `backlogBytes` counts them, for when nobody's does others are written over them.
   */
  send(bytes: Buffer, last: Packet | null): void;
  /** The consumer has been too slow for too long: it leaves its seat now and closes. */
  drop(code: ErrorCode, reason: string): void;
  /** The stream begins (first packet of a publisher), or ends (the publisher left); the seat stays. */
  onLive(isLive: boolean): void;
}

/** A consumer's place in a fan-out. Only the fan-out reads or writes it. */
export interface Seat {
  readonly consumer: Consumer;
  readonly limitBytes: number;
  /** How many of the pending packets it has had: they were in what it was given to start with, or to go on with. */
  had: number;
  /** When it fell behind (ms); 0 while it is in step. */
  behindSinceMs: number;
  /** Where it goes on, as soon as the stream comes so far: it was served by another process; null otherwise. */
  from: Position | null;
  /** It misses nothing: where it is behind it leaves, and comes again. */
  readonly isWhole: boolean;
}

/** Where somebody goes on who was served up to a position, while so many packets are pending. */
interface Place {
  readonly of: Position;
  readonly pending: number;
  readonly packets: readonly Packet[];
  /** How many of these are pending. */
  readonly had: number;
  readonly next: CatchUp;
}

export interface FanoutOptions {
  /** How long packets are collected; 0: to the end of the event loop's turn. */
  readonly delayMs: number;
  /** A batch ends before that with a key frame, if it has got so long; undefined: it does not. */
  readonly shortMs?: number;
  /** How long a viewer may be behind before it is dropped. */
  readonly queueLengthMs: number;
  /** Whether viewers may come from another process. */
  readonly keepsRecent: boolean;
  /** What a viewer is told that is dropped. */
  readonly slowCode: "RTMP_SLOW" | "FLV_SLOW";
  /** Whether batches follow each other in their bytes, so that who comes begins at the beginning of one. */
  readonly isCounted?: boolean;
}

/** All viewers of one source and container. `close` stops the timer; the source closes it. */
export class Fanout {
  private readonly container: Container;
  private readonly cache: StartCache;
  private options: FanoutOptions;
  private readonly onAhead: (timeMs: number) => void;
  private readonly seats = new Set<Seat>();
  private pending: Packet[] = [];
  /** What was sent in the last moments, for those who come from another process. */
  private recent: readonly Packet[] = [];
  private timer: NodeJS.Timeout | null = null;
  private immediate: NodeJS.Immediate | null = null;
  /** Seats of those whom another process has served and who have got nothing here yet: nobody makes them wait for a batch. */
  private returning = 0;
  private lastTail: { readonly count: number; readonly last: Packet | undefined; readonly bytes: Buffer } | null = null;
  /** What newcomers are given until the next flush, made for the first of them. */
  private start: { readonly bytes: Buffer | null; readonly had: number; readonly last: Packet | null } | null = null;
  /** Where the last one from another process stood, and so most of those who come with it; it holds until `pending` is another length. */
  private place: Place | null = null;
  /** What is known of the stream beyond `recent`, made for the first who looks there; it holds until `pending` is another length. */
  private known: { readonly pending: number; readonly packets: readonly Packet[] } | null = null;

  /** `onAhead` is told of somebody from another process who has seen the stream further than it has come. */
  constructor(container: Container, cache: StartCache, options: FanoutOptions, onAhead: (timeMs: number) => void = () => undefined) {
    this.container = container;
    this.cache = cache;
    this.options = options;
    this.onAhead = onAhead;
  }

  /** Takes over changed options: a batch that has begun is sent when it was due. */
  adopt(options: FanoutOptions): void {
    this.options = options;
  }

  get size(): number {
    return this.seats.size;
  }

  /** Seats a consumer and gives it what the stream has to start with. It is in step from the next batch on. */
  add(consumer: Consumer): Seat {
    if (this.options.isCounted === true && this.start === null && this.pending.length > 0) this.flush();
    this.start ??= { bytes: this.joined(this.cache.start()), had: this.pending.length, last: this.cache.last };
    const { bytes, had, last } = this.start;
    const limitBytes = maxBacklogBytes + (bytes?.length ?? 0);
    const seat: Seat = { consumer, limitBytes, had, behindSinceMs: 0, from: null, isWhole: false };
    this.seats.add(seat);
    if (bytes !== null) consumer.send(bytes, last);
    return seat;
  }

  /** Seats a consumer whom another process has served up to a position: it goes on there, and gets nothing twice. */
  readmit(consumer: Consumer, from: Position): Seat {
    if (this.options.isCounted === true && this.pending.length > 0) this.flush();
    const seat: Seat = { consumer, limitBytes: maxBacklogBytes, had: 0, behindSinceMs: 0, from, isWhole: false };
    this.seats.add(seat);
    this.returning += 1;
    this.goOn(seat, from);
    return seat;
  }

  /** Seats a consumer who has been given so many bytes of the stream, and misses nothing that comes. Nothing is pending. */
  addWhole(consumer: Consumer, givenBytes: number): Seat {
    const limitBytes = maxWholeBacklogBytes + givenBytes;
    const seat: Seat = { consumer, limitBytes, had: 0, behindSinceMs: 0, from: null, isWhole: true };
    this.seats.add(seat);
    return seat;
  }

  /** Takes a seat away and tells whether it was there. */
  remove(seat: Seat): boolean {
    if (!this.seats.delete(seat)) return false;
    if (seat.from !== null) this.returning -= 1;
    if (this.seats.size === 0) this.reset();
    return true;
  }

  /** Puts a seat out of step: it goes on with the next key frame, and nothing that it has had comes again. */
  rejoin(seat: Seat): void {
    seat.behindSinceMs = Date.now();
  }

  /** Takes the next packet, for those who sit; without anybody it need not be called. */
  push(packet: Packet): void {
    if (this.seats.size === 0) return;
    this.pending.push(packet);
    if (this.immediate !== null) return;
    const { delayMs } = this.options;
    if (delayMs === 0 || this.returning > 0 || this.endsWith(packet)) this.immediate = setImmediate(this.flush);
    else this.timer ??= setTimeout(this.flush, delayMs);
  }

  private endsWith({ isKeyFrame, timestamp }: Packet): boolean {
    const { shortMs } = this.options;
    return shortMs !== undefined && isKeyFrame && ((timestamp - this.pending[0]!.timestamp) | 0) >= shortMs;
  }

  /** Sends what is pending now. */
  readonly flush = (): void => {
    this.close();
    const packets = this.pending;
    this.pending = [];
    this.start = null;
    this.known = null;
    this.place = null;
    this.lastTail = null;
    if (packets.length === 0 || this.seats.size === 0) return;
    if (this.options.keepsRecent) this.remember(packets);
    const last = lastMedia(packets);
    const batch = this.container(packets, true);
    const rests = new Map<number, Buffer>();
    const restBehind = (had: number): Buffer => {
      const rest = rests.get(had) ?? this.container(packets.slice(had), false);
      rests.set(had, rest);
      return rest;
    };
    const resume = lazy(() => this.joined(this.resumePackets(packets)));
    let isHeld = false;
    for (const seat of this.seats) {
      const { consumer, had } = seat;
      seat.had = 0;
      if (seat.from !== null) this.goOn(seat, seat.from);
      else if (seat.behindSinceMs !== 0 || consumer.backlogBytes > seat.limitBytes) this.wait(seat, resume, last);
      else if (had === 0) {
        consumer.send(batch, last);
        isHeld ||= consumer.backlogBytes > 0;
      } else if (had < packets.length) consumer.send(restBehind(had), last);
    }
    if (!isHeld) batchMemory.giveBack(batch);
  };

  /** How many are behind, and what waits for them. */
  behind(): { readonly players: number; readonly bytes: number } {
    let [players, bytes] = [0, 0];
    for (const { consumer, behindSinceMs } of this.seats) {
      if (behindSinceMs === 0) continue;
      players += 1;
      bytes += consumer.backlogBytes;
    }
    return { players, bytes };
  }

  /** Adds the memory of the packets that wait, and of those that are known from before. */
  hold(held: Held): void {
    hold(this.pending, held);
    hold(this.recent, held);
  }

  onLive(isLive: boolean): void {
    if (!isLive) [this.recent, this.known, this.place] = [[], null, null];
    for (const seat of this.seats) seat.consumer.onLive(isLive);
  }

  /** Nobody sits any more: what was made for them is forgotten. */
  private reset(): void {
    this.close();
    this.pending = [];
    this.recent = [];
    this.lastTail = null;
    this.start = null;
    this.known = null;
    this.place = null;
  }

  /** Stops waiting; pending packets stay for the next flush. */
  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.immediate !== null) clearImmediate(this.immediate);
    this.timer = null;
    this.immediate = null;
  }

  /** Somebody who comes from another process: in step from where it stood, or from a key frame behind that. */
  private goOn(seat: Seat, from: Position): void {
    const { packets, had, next } = this.placeOf(from);
    if (next === "later") return;
    seat.from = null;
    seat.had = had;
    this.returning -= 1;
    if (next === "ahead") this.onAhead(from.timestamp);
    if (next === "key frame" || next === "ahead") {
      seat.behindSinceMs = Date.now();
      const later = packets.findIndex((packet) => isAfter(packet, from));
      if (later >= 0) this.wait(seat, () => this.resumeFrom(packets, later), lastMedia(packets));
    } else if (next.from < packets.length) seat.consumer.send(this.tail(packets.slice(next.from)), lastMedia(packets));
  }

  private placeOf(from: Position): Place {
    const { place, pending } = this;
    const isKnown =
      place !== null && place.pending === pending.length && place.of.timestamp === from.timestamp && place.of.packet === from.packet;
    if (isKnown) return place;
    const { packets, had } = this.whereIs(from);
    return (this.place = { packets, had, next: catchUp(from, packets), of: from, pending: pending.length });
  }

  /** The packets among which a position is, and how many of them are pending: at a batch's end, if it can be, where all others are. */
  private whereIs(from: Position): { readonly packets: readonly Packet[]; readonly had: number } {
    const { recent, pending, cache } = this;
    const isIn = (list: readonly Packet[]): boolean => typeof catchUp(from, list) === "object";
    if (isIn(recent)) return { packets: recent, had: 0 };
    if (pending.length > 0) {
      const packets = [...recent, ...pending];
      if (isIn(packets)) return { packets, had: pending.length };
    }
    if (this.known?.pending !== pending.length) {
      this.known = { pending: pending.length, packets: [...cache.history(), ...cache.packets] };
    }
    const { packets } = this.known;
    return isIn(packets) || recent.length === 0 ? { packets, had: pending.length } : { packets: recent, had: 0 };
  }

  private resumeFrom(packets: readonly Packet[], from: number): Buffer | null {
    const rest = this.resumePackets(packets.slice(from));
    return rest.length === 0 ? null : this.tail(rest);
  }

  /** Whoever died left many at the same place: what they are given is joined once. */
  private tail(packets: readonly Packet[]): Buffer {
    const { lastTail } = this;
    if (lastTail !== null && lastTail.count === packets.length && lastTail.last === packets.at(-1)) return lastTail.bytes;
    const bytes = this.container(packets, false);
    this.lastTail = { count: packets.length, last: packets.at(-1), bytes };
    return bytes;
  }

  /** Bounded in time, number and bytes, whatever a publisher does with its clock. */
  private remember(packets: readonly Packet[]): void {
    const all = [...this.recent, ...packets];
    const lasts = new Map<number, number>(); // each type by its own times: they may be far from each other
    let bytes = 0;
    const far = all.findLastIndex(({ type, timestamp, payload }, at) => {
      if (!lasts.has(type)) lasts.set(type, timestamp);
      const ageMs = (lasts.get(type)! - timestamp) | 0;
      bytes += payload.length;
      return ageMs < 0 || ageMs > historyMs || bytes > maxGopBytes || all.length - at > maxRecentPackets;
    });
    this.recent = all.slice(far + 1);
  }

  /** A seat that is behind: back in step with a key frame once drained, dropped after too long. */
  private wait(seat: Seat, resume: () => Buffer | null, last: Packet | null): void {
    const now = Date.now();
    if (seat.isWhole) {
      seat.consumer.drop(this.options.slowCode, "it would miss a part of the stream: it is to come again");
      return;
    }
    if (seat.behindSinceMs === 0) seat.behindSinceMs = now;
    if (seat.consumer.backlogBytes > 0) {
      if (now - seat.behindSinceMs <= this.options.queueLengthMs) return;
      seat.consumer.drop(this.options.slowCode, `it stayed behind for ${this.options.queueLengthMs} ms`);
      return;
    }
    const bytes = resume();
    if (bytes === null) return;
    seat.behindSinceMs = 0;
    seat.consumer.send(bytes, last);
  }

  /** From the last key frame of a batch on, with the headers before it; empty when the batch has none and the stream has video. */
  private resumePackets(packets: readonly Packet[]): Packet[] {
    const from = this.cache.hasVideo ? packets.findLastIndex((packet) => packet.isKeyFrame) : 0;
    const rest = from < 0 ? [] : packets.slice(from);
    return rest.length === 0 ? [] : [...this.cache.headers(rest), ...rest];
  }

  private joined(packets: readonly Packet[]): Buffer | null {
    return packets.length === 0 ? null : this.container(packets, false);
  }
}

/** Where those stand who have got these packets; null where they are data alone, which leaves everybody where they were. */
function lastMedia(packets: readonly Packet[]): Packet | null {
  return packets.findLast(({ type }) => type !== messageType.data) ?? null;
}

/** Computes a value when it is first asked for. */
function lazy<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
