// The clock and the timers of this machine, for everything that takes them as `Timers` so that tests can bring their own.
import type { Timers } from "./supervisor.js";

/** Monotonic milliseconds since the process began, and Node's timers. */
export const systemTimers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};
