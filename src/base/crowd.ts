// Connections, or whatever else comes and goes, with the news that nobody is left: what a process waits for that takes
// nobody new and leaves when the last one has left; and how those who do not leave are sent away one after the other, evenly, until its
// time is over: else the last moment would send all of them at once to whoever serves them next.
import type { Timers } from "./timers.js";

/** A set that tells when it is empty. */
export class Crowd<T> {
  private readonly members = new Set<T>();
  private waiting: (() => void)[] = [];

  get size(): number {
    return this.members.size;
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.members.values();
  }

  add(member: T): void {
    this.members.add(member);
  }

  /** Takes a member out; again does nothing. */
  delete(member: T): void {
    this.members.delete(member);
    if (this.members.size > 0) return;
    const { waiting } = this;
    this.waiting = [];
    for (const go of waiting) go();
  }

  /** Resolves as soon as nobody is in it. */
  async gone(): Promise<void> {
    if (this.members.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }
}

/** When it begins, and how long it takes (ms). */
export interface Spread {
  readonly afterMs: number;
  readonly overMs: number;
}

/** Between two looks at how many are left. */
const everyMs = 50;

/** Of a drain that may take `timeoutMs`, its last part; null: it has no end. */
export function spreadOf(timeoutMs: number | null, spreadMs: number): Spread | null {
  if (timeoutMs === null) return null;
  const overMs = Math.min(timeoutMs, spreadMs);
  return { afterMs: timeoutMs - overMs, overMs };
}

export interface Dispersing {
  /** How many are there. */
  left(): number;
  /** Sends so many of them away. */
  sendAway(count: number): void;
}

/** Those of one process. `close` ends it. */
export class Dispersal {
  private readonly timers: Timers;
  private readonly who: Dispersing;
  private readonly endsAtMs: number;
  private forget: () => void;
  /** Fractions of those who are due. */
  private due = 0;

  constructor({ afterMs, overMs }: Spread, timers: Timers, who: Dispersing) {
    this.timers = timers;
    this.who = who;
    this.endsAtMs = timers.nowMs() + afterMs + overMs;
    this.forget = timers.after(afterMs, () => this.look());
  }

  close(): void {
    this.forget();
  }

  private look(): void {
    const left = this.who.left();
    const restMs = this.endsAtMs - this.timers.nowMs();
    this.due = Math.min(left, this.due + (restMs <= everyMs ? left : (left * everyMs) / restMs));
    const count = Math.floor(this.due);
    this.due -= count;
    if (count > 0) this.who.sendAway(count);
    if (restMs > everyMs) this.forget = this.timers.after(everyMs, () => this.look());
  }
}
