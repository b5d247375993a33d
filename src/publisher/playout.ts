// A tape in real time: every message is sent when its time has come by this machine's monotonic clock. What takes them may be slow:
// then it is waited for, and given up when it takes nothing at all. Who was held up makes good for a moment of that, and for more
// begins to count anew, for nobody needs minutes of a live stream at once.
import { asDolphinError, DolphinError } from "../base/errors.js";
import type { Timers } from "../base/timers.js";
import type { Message } from "../codec/rtmp/message.js";
import type { Tape } from "./tape.js";

/** Where messages go. */
export interface Sink {
  /** Bytes that it has taken and not passed on. */
  readonly backlogBytes: number;
  write(messages: readonly Message[]): void;
}

/** Bytes that may wait for the server before it is waited for. */
export const maxWaitingBytes = 1 << 20;
/** How long the server may take nothing while so much waits. */
export const stallTimeoutMs = 10_000;
/** How much of what was held up is made good. */
export const maxLateMs = 1_000;

export interface PlayoutOptions {
  readonly tape: Pick<Tape, "next" | "close">;
  readonly sink: Sink;
  readonly timers: Timers;
  /** The tape has ended: with null, or FLV_FILE. */
  readonly onEnd: (error: DolphinError | null) => void;
  /** The sink has taken nothing for too long. */
  readonly onStalled: (reason: DolphinError) => void;
}

/** A tape that plays, from the next turn of the event loop on. `close` ends both. */
export class Playout {
  private readonly options: PlayoutOptions;
  /** When the tape's time 0 was, or would have been. */
  private startMs: number;
  private upcoming: Message | null = null;
  private cancel: () => void = () => undefined;
  private isWaiting = false;

  constructor(options: PlayoutOptions) {
    this.options = options;
    this.startMs = options.timers.nowMs();
    this.cancel = options.timers.after(0, () => this.play());
  }

  /** The sink has passed on what it had. */
  resume(): void {
    if (!this.isWaiting) return;
    this.isWaiting = false;
    this.cancel();
    this.play();
  }

  close(): void {
    this.cancel();
    this.isWaiting = false;
    this.options.tape.close();
  }

  private play(): void {
    const { sink, timers, onEnd, onStalled } = this.options;
    if (sink.backlogBytes > maxWaitingBytes) {
      this.isWaiting = true;
      const reason = new DolphinError("RELAY_TIMEOUT", `the server took nothing for ${stallTimeoutMs} ms`);
      this.cancel = timers.after(stallTimeoutMs, () => onStalled(reason));
      return;
    }
    let waitMs: number | null;
    try {
      waitMs = this.sendDue(timers.nowMs());
    } catch (thrown) {
      onEnd(asDolphinError(thrown));
      return;
    }
    if (waitMs === null) onEnd(null);
    else this.cancel = timers.after(waitMs, () => this.play());
  }

  /** Sends what is due, or as much of it as may wait. Returns how long the next message has to wait; null: there is none. */
  private sendDue(nowMs: number): number | null {
    const { tape, sink } = this.options;
    this.upcoming ??= tape.next();
    if (this.upcoming !== null && nowMs - this.startMs - this.upcoming.timestamp > maxLateMs)
      this.startMs = nowMs - this.upcoming.timestamp;
    const timeMs = nowMs - this.startMs;
    const due: Message[] = [];
    let dueBytes = 0;
    while (this.upcoming !== null && this.upcoming.timestamp <= timeMs && dueBytes <= maxWaitingBytes) {
      due.push(this.upcoming);
      dueBytes += this.upcoming.payload.length;
      this.upcoming = tape.next();
    }
    if (due.length > 0) sink.write(due);
    return this.upcoming === null ? null : Math.max(0, this.upcoming.timestamp - timeMs);
  }
}
