// Whether this process has stood still: stopped, swapped out, or moved to another host with its machine. Then others may have taken it for
// dead, and what it reads next may be stale. Sockets are read before timers run, so it is asked by whoever has read, too.

const beatMs = 250;

/** The pulse of one process. `close` ends it. */
export class Pulse {
  private readonly limitMs: number;
  private readonly woke: () => void;
  private readonly timer: NodeJS.Timeout;
  private beatAtMs = performance.now();
  private wallAtMs = Date.now();

  /** `woke` is called once behind each standstill of more than `limitMs`. */
  constructor(limitMs: number, woke: () => void) {
    this.limitMs = limitMs;
    this.woke = woke;
    this.timer = setInterval(() => this.check(), beatMs).unref();
  }

  /** Looks now. */
  check(): void {
    const [nowMs, wallMs] = [performance.now(), Date.now()];
    const stoodMs = nowMs - this.beatAtMs;
    // A machine that sleeps stops the one clock and not the other; a clock that is set looks the same, and costs a question.
    const jumpMs = wallMs - this.wallAtMs;
    this.beatAtMs = nowMs;
    this.wallAtMs = wallMs;
    if (stoodMs > this.limitMs || jumpMs > this.limitMs) this.woke();
  }

  close(): void {
    clearInterval(this.timer);
  }
}
