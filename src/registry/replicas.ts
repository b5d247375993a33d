// What this box has from other boxes of the site, as its processes tell: each stream once, however many of them have it.

/** Those of one box. Nothing to close. */
export class Replicas {
  private readonly onChange: (key: string, from: string | null) => void;
  /** By stream, and by process: from which server it comes. */
  private readonly all = new Map<string, Map<string, string>>();

  /** `onChange` hears from where the box has a stream when that has changed. */
  constructor(onChange: (key: string, from: string | null) => void) {
    this.onChange = onChange;
  }

  /** A process has a stream from this server, or is about to; null: it has it no more. */
  tell(process: string, key: string, from: string | null): void {
    const before = this.from(key);
    const by = this.all.get(key) ?? new Map<string, string>();
    if (from === null) by.delete(process);
    else by.set(process, from);
    if (by.size === 0) this.all.delete(key);
    else this.all.set(key, by);
    const now = this.from(key);
    if (now !== before) this.onChange(key, now);
  }

  /** A process has ended. */
  gone(process: string): void {
    for (const key of this.all.keys()) this.tell(process, key, null);
  }

  /** Where a stream comes from; null: this box has it from nobody. */
  from(key: string): string | null {
    return this.all.get(key)?.values().next().value ?? null;
  }

  /** Streams, each with the server that it comes from. */
  get rows(): readonly (readonly [key: string, from: string])[] {
    return [...this.all].map(([key, by]) => [key, by.values().next().value ?? ""]);
  }
}
