// The one timer of a connection: what is awaited now, and until when. Setting it again forgets what was awaited before.

/** A deadline that can be moved. `clear` ends it. */
export class Deadline {
  private timer: NodeJS.Timeout | null = null;

  /** Calls `run` once, after `ms`, unless it is set or cleared before. */
  set(ms: number, run: () => void): void {
    this.clear();
    this.timer = setTimeout(run, ms);
  }

  clear(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }
}
