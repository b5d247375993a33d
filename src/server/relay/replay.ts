// What an edge remembers of a publisher so that the stream goes on when the box's own origin is another process: the clock, which the
// edge keeps and the origin follows, the headers, and the last moments, since what the dead origin had not passed on is lost with it.
//
//   messages ─▶ get their time ─▶ sent ─▶ the origin
//                                  └ the last second ─(another origin)─▶ headers, then that second again, with the same times
//
// Viewers' edges leave out what they have had (edge-pull.ts).
import type { Clock } from "../../codec/rtmp/clock.js";
import type { Message } from "../../codec/rtmp/message.js";
import { advance, makeTimelineBehind, present, type Timeline } from "../../stream/timeline.js";
import { isHeader, SentHeaders } from "./headers.js";
import { messageOverhead, type Sink } from "./outlet.js";

/** How far back an origin that dies may not have passed on what it was sent. */
export const replayMs = 1000;
/** Most bytes of one publisher that are remembered. */
export const maxReplayBytes = 1 << 20;

interface Sent {
  readonly message: Message;
  readonly atMs: number;
}

/** The memory of one push. It stands before the upstream's connection: `begin` gives it each new one. */
export class Replay implements Sink {
  /** The number of the clock that it keeps, to ask for; 0: none, or none yet. */
  clockId = 0;
  private readonly mode: Timeline["mode"];
  private sink: Sink | null = null;
  /** Null while times are not ours to give: upstream has no source of its own, or we have not asked yet. */
  private timeline: Timeline | null = null;
  /** Those that are no longer in `sent`. */
  private readonly headers = new SentHeaders();
  private readonly sent: Sent[] = [];
  private sentBytes = 0;

  /** `mode` is what the stream's times are to be corrected by. */
  constructor(mode: Timeline["mode"]) {
    this.mode = mode;
  }

  get backlogBytes(): number {
    return this.sink?.backlogBytes ?? 0;
  }

  /** Goes on with an upstream that has accepted, which is sent first what it needs to go on. */
  begin(sink: Sink, told: Clock | null): void {
    this.sink = sink;
    if (told === null || told.id !== this.clockId) this.restart(told);
    const rest = this.sent.map(({ message }) => message).filter(({ timestamp }) => isAfter(timestamp, told?.timeMs ?? null));
    const headers = this.headers.at((type) => this.timeBefore(rest, type));
    if (headers.length + rest.length > 0) sink.write([...headers, ...rest]);
  }

  write(messages: readonly Message[]): void {
    const stamped = messages.map((message) => ({ ...message, timestamp: this.timeOf(message) }));
    this.keep(stamped, Date.now());
    this.sink?.write(stamped);
  }

  /** Upstream has another clock, or none: only the headers are of use to it. */
  private restart(told: Clock | null): void {
    this.clockId = told?.id ?? 0;
    this.timeline = told === null ? null : makeTimelineBehind(this.mode, told.timeMs);
    while (this.sent.length > 0) this.forgetFirst();
  }

  private timeOf(message: Message): number {
    const { type, timestamp, payload } = message;
    if (this.timeline === null) return timestamp;
    // An empty message only keeps the line open: no source looks at its time.
    if (payload.length === 0) return present(this.timeline, type) >>> 0;
    return advance(this.timeline, type, timestamp, isHeader(message)) >>> 0;
  }

  /** A time for something of this type that is sent before these messages, and before what comes behind them. */
  private timeBefore(messages: readonly Message[], type: number): number {
    const first = messages.find((message) => message.type === type)?.timestamp;
    return first ?? (this.timeline === null ? 0 : present(this.timeline, type) >>> 0);
  }

  /** By this machine's time: an encoder may send faster than its own, or jump. */
  private keep(messages: readonly Message[], nowMs: number): void {
    for (const message of messages) {
      this.sent.push({ message, atMs: nowMs });
      this.sentBytes += message.payload.length + messageOverhead;
    }
    while (this.sent.length > 1 && (this.sentBytes > maxReplayBytes || nowMs - this.sent[0]!.atMs > replayMs)) this.forgetFirst();
  }

  private forgetFirst(): void {
    const { message } = this.sent.shift()!;
    this.sentBytes -= message.payload.length + messageOverhead;
    this.headers.note(message);
  }
}

function isAfter(timestamp: number, timeMs: number | null): boolean {
  return timeMs === null || ((timestamp - timeMs) | 0) > 0;
}
