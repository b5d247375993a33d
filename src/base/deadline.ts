// What something with a lifetime waits for next, and until when: one timer that moves and ends with its owner.

/** A deadline that can be moved. `clear` ends it. */
export class Deadline {
  private timer: NodeJS.Timeout | null = null;

  /** Calls `run` once, after `ms`, unless it is set or cleared before. */
  set(ms: number, run: () => void): void {
    this.clear();
    this.timer = setTimeout(() => {
      this.timer = null;
      run();
    }, ms);
  }

  /** As `set`, but one that is set already stays as it is. */
  ensure(ms: number, run: () => void): void {
    if (this.timer === null) this.set(ms, run);
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
