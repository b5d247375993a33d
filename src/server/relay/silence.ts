// The watch over a connection that must bring something: a peer whose power is gone closes nothing, so that it has gone is told by its
// silence alone. It is looked in steps, and costs nothing for each message.
//
//   watch ─▶ a step ─┬─ `heard` since the last one ─▶ a step …
//                    └─ not: steps that make up the limit ─▶ over, once
import { Deadline } from "../../base/deadline.js";

/** How often it is looked whether something has come: so much longer than its limit a silence may last at most. */
export const silenceStepMs = 1_000;

/** One connection's. `close` ends it. */
export class Silence {
  private readonly step = new Deadline();
  private hasHeard = false;
  private silentMs = 0;

  /** Calls back once when nothing was heard for so long. Begins anew where it runs already. */
  watch(limitMs: () => number, onOver: (limitMs: number) => void): void {
    this.hasHeard = false;
    this.silentMs = 0;
    const look = (): void => {
      this.silentMs = this.hasHeard ? 0 : this.silentMs + silenceStepMs;
      this.hasHeard = false;
      const limit = limitMs();
      if (this.silentMs >= limit) onOver(limit);
      else this.step.set(silenceStepMs, look);
    };
    this.step.set(silenceStepMs, look);
  }

  /** Something has come. */
  heard(): void {
    this.hasHeard = true;
  }

  close(): void {
    this.step.clear();
  }
}
