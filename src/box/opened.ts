// What a start has opened so far, so that its end closes it all: an end that was asked for, and a start that fails half-way alike.

/** Something with a lifetime. */
export interface Closable {
  close(): void | Promise<void>;
}

/** Things that are open. Close it once or more. */
export class Opened {
  private parts: Closable[] = [];

  /** Takes something that was opened, and gives it back. */
  add<Part extends Closable>(part: Part): Part {
    this.parts.push(part);
    return part;
  }

  /** Closes all, the last first. Resolves when those are done that take a while. */
  async close(): Promise<void> {
    const parts = this.parts.toReversed();
    this.parts = [];
    const ends = parts.map(async (part) => part.close());
    await Promise.all(ends);
  }
}
