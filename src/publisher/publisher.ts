// A publisher that stays: plays a tape to a server in real time, and when the server goes away asks again until it is back, from the
// tape's beginning. What the connection is made of is its caller's affair. A server that was never there, or says no at the first
// time, is the end; so is a file that cannot be played.
//
//   publisher.ts, for each connection ─▶ playout.ts, when its time has come ─▶ tape.ts ─▶ codec/flv-reader.ts
//                                                                               └ rounds.ts: times that go on over the file's end
//
//   asking ─(started)─▶ playing ─(closed)─▶ waiting ─▶ asking …
//      └ refused at the first time             the file's end, or `close` ─▶ ended
import { asDolphinError, DolphinError } from "../base/errors.js";
import type { Timers } from "../base/timers.js";
import { makeCommand } from "../codec/rtmp/command.js";
import { mediaStreamId } from "../codec/rtmp/message.js";
import { Playout, type Sink } from "./playout.js";
import type { Tape } from "./tape.js";

/** A connection that publishes one stream. */
export interface Connection extends Sink {
  /** Whether it is closed, and nothing of it is under way any more. */
  readonly isGone: boolean;
  close(reason: DolphinError): void;
}

/** What a connection tells. */
export interface ConnectionHandler {
  /** The server has accepted: messages may be sent. */
  onStarted(): void;
  /** What waited has been sent. */
  onDrain(): void;
  /** Another server is asked instead: nothing may be sent until `onStarted`, which may come once more. */
  onRedirected(): void;
  /** It is over; nothing is told after that. */
  onClosed(reason: DolphinError): void;
}

export interface PublisherOptions {
  /** Throws FLV_FILE. */
  readonly openTape: () => Pick<Tape, "next" | "close">;
  readonly connect: (handler: ConnectionHandler) => Connection;
  readonly timers: Timers;
  /** The server has accepted, again where it had before. */
  readonly onStarted: (isAgain: boolean) => void;
  /** The server is gone, or is back and says no; the same cause is told once. */
  readonly onLost: (reason: DolphinError) => void;
  /** Over: with null by `close` or with the end of the tape, else with why it cannot go on. */
  readonly onEnd: (error: DolphinError | null) => void;
}

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;

/** One stream that is published. It begins at once; `close` ends it. */
export class Publisher {
  private readonly options: PublisherOptions;
  private connection: Connection | null = null;
  private playout: Playout | null = null;
  private cancelRetry: () => void = () => undefined;
  private pauseMs = firstPauseMs;
  /** Of what was told since the server accepted last: `away`, or the code of a refusal. */
  private toldLoss: string | null = null;
  private hasStarted = false;
  private isEnded = false;

  constructor(options: PublisherOptions) {
    this.options = options;
    this.connect();
  }

  /** Whether nothing that it has sent is under way any more. */
  get isGone(): boolean {
    return this.connection?.isGone !== false;
  }

  close(): void {
    this.end(null);
  }

  private connect(): void {
    this.connection = this.options.connect({
      onStarted: () => this.started(),
      onDrain: () => this.playout?.resume(),
      onRedirected: () => this.stop(),
      onClosed: (reason) => this.lost(reason),
    });
  }

  private started(): void {
    const { openTape, timers, onStarted } = this.options;
    const sink = this.connection!;
    try {
      this.playout = new Playout({
        tape: openTape(),
        sink,
        timers,
        onEnd: (error) => this.end(error),
        onStalled: (reason) => sink.close(reason),
      });
    } catch (thrown) {
      this.end(asDolphinError(thrown));
      return;
    }
    onStarted(this.hasStarted);
    this.hasStarted = true;
    this.toldLoss = null;
    this.pauseMs = firstPauseMs;
  }

  private lost(reason: DolphinError): void {
    if (this.isEnded) return;
    this.stop();
    if (!this.hasStarted) {
      this.end(reason);
      return;
    }
    const loss = isAway(reason) ? "away" : reason.code;
    if (loss !== this.toldLoss) this.options.onLost(reason);
    this.toldLoss = loss;
    this.cancelRetry = this.options.timers.after(this.pauseMs, () => this.connect());
    this.pauseMs = Math.min(this.pauseMs * 2, longestPauseMs);
  }

  /** The server is told that the stream is over, and not left to guess it from a connection that is. */
  private end(error: DolphinError | null): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.cancelRetry();
    if (this.playout !== null) this.connection?.write([makeCommand(mediaStreamId, "closeStream", 0, null)]);
    this.stop();
    this.connection?.close(new DolphinError("RELAY_CLOSED", "the stream is over"));
    this.options.onEnd(error);
  }

  private stop(): void {
    this.playout?.close();
    this.playout = null;
  }
}

/** Whether a server is not there, rather than saying no. */
function isAway({ code }: DolphinError): boolean {
  return code === "RELAY_CLOSED" || code === "RELAY_CONNECT" || code === "RELAY_TIMEOUT";
}
