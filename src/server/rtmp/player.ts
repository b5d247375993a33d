// A viewer over RTMP: the last stop of a byte's way through a server. It takes the fan-out's shared buffers and writes
// each with one call; all that it keeps of its own is its seat.
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import { countTime, firstMediaBoundsMs } from "../../ipc/tally.js";
import { writeTo } from "../../wire/direct-write.js";
import { markNow, writeMarked } from "../peers/carriage.js";
import type { Traffic } from "../peers/traffic.js";
import { Excerpt, plainManner, type Manner } from "./excerpt.js";

export interface PlayerOptions {
  readonly socket: Socket;
  readonly source: Source;
  /** The message stream that it plays on. */
  readonly streamId: number;
  /** How it wants the stream to begin with. */
  readonly manner: Manner;
  /** Whether the player is one of the box's own edges, or a packager of the box. */
  readonly isOwnEdge: boolean;
  /** Whether it packages the stream: it is given what is kept of it, and misses nothing. */
  readonly isPackager: boolean;
  /** Whether it takes packets in large pieces. */
  readonly isPatient: boolean;
  readonly traffic: Traffic;
  /** Where it goes on, if another process has served it; null: from the stream's start. */
  readonly from: Position | null;
  /** When a viewer connected who has had no media yet (ms since 1970); null: it is not looked at. */
  readonly sinceMs: number | null;
  readonly owner: PlayerOwner;
}

/** Whom a player tells what becomes of it. */
export interface PlayerOwner {
  /** It was too slow for too long. */
  onDrop(code: ErrorCode, reason: string): void;
  /** An own edge: so many packets are written next that came before the stream's start. */
  onHistory(count: number): void;
  /** The stream begins or ends; to an own edge it may run already. */
  onLive(isLive: boolean): void;
  /** It has had as much as it wanted. Called later, once. */
  onPlayed(): void;
  /** What it has got has changed its manner. */
  onManner(): void;
}

/** One playing connection. `close` gives its seat back; the socket stays its session's. */
export class RtmpPlayer implements Consumer {
  private readonly options: PlayerOptions;
  private readonly socket: Socket;
  private seat: Seat | null;
  private isPaused: boolean;
  /** Null: it gets what all others get. */
  private excerpt: Excerpt | null = null;
  private last: Packet | null = null;
  /** Null: the connection ends with this process. */
  private carriage: Carriage | null = null;
  private waitsSinceMs: number | null;

  constructor(options: PlayerOptions) {
    this.options = options;
    this.waitsSinceMs = options.sinceMs;
    this.socket = options.socket;
    const { source, from, isOwnEdge, owner, manner } = options;
    this.isPaused = manner.isPaused;
    this.cut(manner);
    if (isOwnEdge && source.isLive) owner.onLive(true);
    if (options.isPackager) {
      const hasEnded = !source.isLive && source.hasKept;
      if (hasEnded) owner.onLive(true);
      this.seat = source.addWhole(this.tap, this, (count, bytes) => this.giveHistory(count, bytes));
      if (hasEnded) owner.onLive(false);
      return;
    }
    const history = isOwnEdge ? source.history() : null;
    if (history !== null) this.giveHistory(history.count, history.bytes);
    this.seat = from === null ? source.add(this.tap, this) : source.readmit(this.tap, this, from);
  }

  private giveHistory(count: number, bytes: Buffer): void {
    this.options.owner.onHistory(count);
    this.socket.write(bytes);
  }

  get backlogBytes(): number {
    return this.socket.writableLength;
  }

  /** How it wants the stream now. */
  get manner(): Manner {
    return { ...(this.excerpt?.manner ?? plainManner), isPaused: this.isPaused };
  }

  send(bytes: Buffer, last: Packet | null): void {
    if (this.isPaused) return;
    if (this.waitsSinceMs !== null) this.countStart(this.waitsSinceMs);
    const own = this.excerpt === null ? bytes : this.excerptOf(bytes, this.excerpt);
    this.options.traffic.bytesOut += own.length;
    if (this.options.isOwnEdge) this.options.traffic.innerBytesOut += own.length;
    else this.options.source.bytesOut += own.length;
    this.last = last ?? this.last;
    if (this.carriage === null) writeTo(this.socket, own);
    else writeMarked(this.socket, own, last, this.carriage);
  }

  /** From now on every write is marked; null: no more. */
  mark(carriage: Carriage | null): void {
    this.carriage = carriage;
    if (carriage !== null) markNow(this.socket, this.last, carriage);
  }

  drop(code: ErrorCode, reason: string): void {
    this.close();
    this.options.owner.onDrop(code, reason);
  }

  onLive(isLive: boolean): void {
    this.options.owner.onLive(isLive);
  }

  /** Stops the media and keeps the seat, so that the stream is still wanted. */
  pause(): void {
    this.isPaused = true;
  }

  /** Goes on after a pause with the next key frame: time only goes forward. */
  resume(): void {
    if (this.seat === null || !this.isPaused) return;
    this.isPaused = false;
    this.options.source.rejoin(this.tap, this.seat);
  }

  /** Leaves a track out, or no longer: sound goes on at once, and pictures with the next key frame. */
  choose(what: "audio" | "video", isWanted: boolean): void {
    const { manner } = this;
    if (this.excerpt?.isOver === true) return;
    if (what === "audio") this.cut({ ...manner, hasAudio: isWanted });
    else if (!isWanted) this.cut({ ...manner, video: "none" });
    else if (manner.video === "none") this.cut({ ...manner, video: "later" });
  }

  /** Gives the seat back; again does nothing. */
  close(): void {
    const seat = this.seat;
    this.seat = null;
    if (seat !== null) this.options.source.remove(this.tap, seat);
  }

  private countStart(sinceMs: number): void {
    this.waitsSinceMs = null;
    countTime(this.options.traffic.tally.firstMedia, firstMediaBoundsMs, Date.now() - sinceMs);
  }

  private get tap(): "rtmp" | "edge" | "prompt" | "patient" {
    const { isOwnEdge, isPackager, isPatient } = this.options;
    if (!isOwnEdge) return "rtmp";
    if (!isPackager) return "edge";
    return isPatient ? "patient" : "prompt";
  }

  private cut(manner: Manner): void {
    const { streamId, source } = this.options;
    const excerpt = new Excerpt(streamId, source.chunkSize, manner);
    this.excerpt = excerpt.isPlain ? null : excerpt;
  }

  private excerptOf(bytes: Buffer, excerpt: Excerpt): Buffer {
    const { owner } = this.options;
    const { sinceMs } = excerpt.manner;
    const wasOver = excerpt.isOver;
    const own = excerpt.take(bytes);
    if (excerpt.manner.sinceMs !== sinceMs) owner.onManner();
    if (excerpt.isOver && !wasOver) setImmediate(() => owner.onPlayed()); // its seat may not be taken away by the hand that serves it
    if (excerpt.isPlain) this.excerpt = null;
    return own;
  }
}
