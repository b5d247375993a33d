// What is told of one client is told in order: each thing begins when the one before it is through. Different clients do not wait
// for each other.

/** Tasks in order, lane by lane. */
export class Lanes {
  private readonly tails = new Map<string, Promise<void>>();
  private readonly failed: (thrown: unknown) => void;

  /** `failed` is told of a task that rejects, which costs no other. */
  constructor(failed: (thrown: unknown) => void) {
    this.failed = failed;
  }

  /** Runs a task when those before it in its lane are through, at once if there are none. */
  run(lane: string, task: () => Promise<void>): void {
    const before = this.tails.get(lane);
    const done = (before === undefined ? task() : before.then(task)).catch(this.failed);
    this.tails.set(lane, done);
    void done.then(() => {
      if (this.tails.get(lane) === done) this.tails.delete(lane);
    });
  }

  /** Resolves when what is in the lane now is through; null: nothing is. */
  through(lane: string): Promise<void> | null {
    return this.tails.get(lane) ?? null;
  }

  /** Resolves when nothing is under way in any lane. */
  async settled(): Promise<void> {
    while (this.tails.size > 0) await Promise.all(this.tails.values());
  }
}
