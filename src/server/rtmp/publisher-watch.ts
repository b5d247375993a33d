// Watches whether a publisher still sends, and whether what it sends still goes on: a stream whose publisher has vanished
// would otherwise be busy for ever.
import { Deadline } from "../../base/deadline.js";
import type { ErrorCode } from "../../base/errors.js";
import type { Vhost } from "../../conf/meaning/config.js";

export interface PublisherWatchOptions {
  readonly timeouts: Vhost["publish"];
  /** Whether reading from the publisher is paused, so that the silence is not its own. */
  readonly isPaused: () => boolean;
  /** Called once, when it has been silent for too long. */
  readonly onSilent: (reason: string, code: ErrorCode) => void;
}

/** A timer that fires so late shows that this process was stopped or starved: what was sent meanwhile lies unread, and is waited for. */
const lateMs = 100;
/** The last of each wait is a timer of its own, so that a standstill that ends just in time is followed by reading, too. */
const lastMs = 300;
const ownPauseMs = 2_000;

/** The watch over one publisher. `close` ends it. */
export class PublisherWatch {
  private readonly options: PublisherWatchOptions;
  private readonly deadline = new Deadline();
  private lastMediaAtMs = Date.now();
  private hasMedia = false;

  constructor(options: PublisherWatchOptions) {
    this.options = options;
    this.await();
  }

  /** Media has come, or may come again after a pause of ours. */
  heard(): void {
    this.lastMediaAtMs = Date.now();
    if (this.hasMedia) return;
    this.hasMedia = true;
    this.await();
  }

  close(): void {
    this.deadline.clear();
  }

  private get limitMs(): number {
    const { firstPacketTimeoutMs, normalTimeoutMs } = this.options.timeouts;
    return this.hasMedia ? normalTimeoutMs : firstPacketTimeoutMs;
  }

  /** One timer a period, not one a packet. */
  private await(dueAtMs = Infinity): void {
    const nowMs = Date.now();
    const restMs = this.limitMs - (nowMs - this.lastMediaAtMs);
    if (restMs > 0) this.wait(restMs > lastMs ? restMs - lastMs : lastMs);
    else if (nowMs - dueAtMs > lateMs) this.wait(ownPauseMs);
    else if (this.options.isPaused()) this.options.onSilent(`the way to the origin took nothing for ${this.limitMs} ms`, "RELAY_TIMEOUT");
    else this.options.onSilent(`the publisher sent no media for ${this.limitMs} ms`, "RTMP_IDLE");
  }

  private wait(ms: number): void {
    const dueAtMs = Date.now() + ms;
    this.deadline.set(ms, () => this.await(dueAtMs));
  }
}
