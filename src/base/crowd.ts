// Connections, or whatever else comes and goes, with the news that nobody is left: what a process waits for that takes
// nobody new and leaves when the last one has left.

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
