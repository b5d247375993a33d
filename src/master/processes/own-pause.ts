// How long a child may be silent, by a clock of a process that may have been stopped itself: then what the child has said lies unread, and
// its silence proves nothing.
//
//   listening ─▶ the last of it, anew ─┬─ in time ─▶ over
//                     ▲                └─ late: this process was stopped in it
//                     └───────────────────┘
import type { Timers } from "../../base/timers.js";

/** A timer that fires so late shows that this process itself was stopped. */
export const ownPauseMs = 1000;

/** Calls back once, after so long, unless what it returns is called before. */
export function afterSilence(timers: Timers, timeoutMs: number, over: () => void): () => void {
  const lastMs = Math.min(2 * ownPauseMs, timeoutMs / 2);
  let forget = timers.after(timeoutMs - lastMs, waitForLast);
  function waitForLast(): void {
    const dueMs = timers.nowMs() + lastMs;
    forget = timers.after(lastMs, () => (timers.nowMs() - dueMs > ownPauseMs ? waitForLast() : over()));
  }
  return () => forget();
}
