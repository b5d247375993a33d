// The clock and the timers of this machine, for everything that takes them as `Timers` so that tests can bring their own.

/** Monotonic time and timers; the tests bring their own. */
export interface Timers {
  nowMs(): number;
  /** Runs once after the delay; the returned function forgets it. */
  after(delayMs: number, run: () => void): () => void;
}

/** Monotonic milliseconds since the process began, and Node's timers. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
