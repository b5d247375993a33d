// A clock for tests of whatever waits.
import type { Timers } from "../../src/base/timers.js";

/** Time that passes only when told to. */
export class FakeTimers implements Timers {
  private now = 0;
  private readonly timers = new Set<{ dueMs: number; run: () => void }>();

  nowMs(): number {
    return this.now;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { dueMs: this.now + delayMs, run };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }

  /** Runs everything that falls due, in its order, each at its time. */
  pass(ms: number): void {
    const endMs = this.now + ms;
    for (;;) {
      const due = [...this.timers].filter(({ dueMs }) => dueMs <= endMs).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (due === undefined) break;
      this.timers.delete(due);
      this.now = Math.max(this.now, due.dueMs);
      due.run();
    }
    this.now = endMs;
  }

  /** As if this process had been stopped: time has gone by, and all timers fire late. */
  freeze(ms: number): void {
    this.now += ms;
    this.pass(0);
  }
}
