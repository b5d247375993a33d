// Work with files of one output, one after the other, behind the media: whoever has work goes on at once.

/** A queue of one output. Nothing to close. */
export class WorkQueue {
  private turn: Promise<void> = Promise.resolve();
  private count = 0;
  private readonly failed: (thrown: unknown) => void;

  /** `failed` is told of work that rejects, which costs no other. */
  constructor(failed: (thrown: unknown) => void) {
    this.failed = failed;
  }

  get isIdle(): boolean {
    return this.count === 0;
  }

  run(work: () => Promise<unknown>): void {
    this.count += 1;
    this.turn = this.turn
      .then(work)
      .then(() => undefined, this.failed)
      .finally(() => (this.count -= 1));
  }

  /** Resolves when all work until now is done. */
  async settled(): Promise<void> {
    await this.turn;
  }
}
