// Which refusals get a line in the log: whoever knocks a thousand times a second is told of now and then, with how often. Pure but for what
// it counts.

/** Lines about refused questions within a minute, of all addresses. */
export const maxRefusalLinesPerMinute = 30;

/** The lines of one admin. */
export class RefusalLines {
  private sinceMs = -Infinity;
  private lines = 0;
  private untold = 0;

  /** How many were left out before this one, which is told; null: it is left out as well. */
  next(nowMs: number): number | null {
    if (nowMs - this.sinceMs > 60_000) {
      this.sinceMs = nowMs;
      this.lines = 0;
    }
    if (this.lines >= maxRefusalLinesPerMinute) {
      this.untold += 1;
      return null;
    }
    this.lines += 1;
    const { untold } = this;
    this.untold = 0;
    return untold;
  }
}
