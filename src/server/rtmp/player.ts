// A viewer over RTMP: the last stop of a byte's way through a server. It takes the fan-out's shared buffers and writes
// each with one call; all that it keeps of its own is its seat.
import type { Socket } from "node:net";
import type { ErrorCode } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import { markNow, writeMarked } from "../peers/carriage.js";
import type { Traffic } from "../peers/traffic.js";

export interface PlayerOptions {
  readonly socket: Socket;
  readonly source: Source;
  /** Whether the player is one of the box's own edges: it gets packets at once. */
  readonly isOwnEdge: boolean;
  readonly traffic: Traffic;
  /** Where it goes on, if another process has served it; null: from the stream's start. */
  readonly from: Position | null;
  /** Called when the player was too slow for too long. */
  readonly onDrop: (code: ErrorCode, reason: string) => void;
  /** Called, for an own edge only, before so many packets are written that came before the stream's start. */
  readonly onHistory: (count: number) => void;
  /** Called with every begin and end of the stream, and for an own edge at once where it runs already. Null: it is not told. */
  readonly onLive: ((isLive: boolean) => void) | null;
}

/** One playing connection. `close` gives its seat back; the socket stays its session's. */
export class RtmpPlayer implements Consumer {
  private readonly options: PlayerOptions;
  private readonly socket: Socket;
  private seat: Seat | null;
  private isPaused = false;
  private last: Packet | null = null;
  /** Null: the connection ends with this process. */
  private carriage: Carriage | null = null;

  constructor(options: PlayerOptions) {
    this.options = options;
    this.socket = options.socket;
    const { source, from, isOwnEdge, onHistory, onLive } = options;
    if (isOwnEdge && source.isLive) onLive?.(true);
    const history = isOwnEdge ? source.history() : null;
    if (history !== null) {
      onHistory(history.count);
      this.socket.write(history.bytes);
    }
    this.seat = from === null ? source.add(this.tap, this) : source.readmit(this.tap, this, from);
  }

  get backlogBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Buffer, last: Packet | null): void {
    if (this.isPaused) return;
    this.options.traffic.bytesOut += bytes.length;
    this.last = last ?? this.last;
    if (this.carriage === null) this.socket.write(bytes);
    else writeMarked(this.socket, bytes, last, this.carriage);
  }

  /** From now on every write is marked. */
  mark(carriage: Carriage): void {
    this.carriage = carriage;
    markNow(this.socket, this.last, carriage);
  }

  drop(code: ErrorCode, reason: string): void {
    this.close();
    this.options.onDrop(code, reason);
  }

  onLive(isLive: boolean): void {
    this.options.onLive?.(isLive);
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

  /** Gives the seat back; again does nothing. */
  close(): void {
    const seat = this.seat;
    this.seat = null;
    if (seat !== null) this.options.source.remove(this.tap, seat);
  }

  private get tap(): "rtmp" | "prompt" {
    return this.options.isOwnEdge ? "prompt" : "rtmp";
  }
}
