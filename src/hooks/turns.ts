// Work that comes all at once, done a few milliseconds at a time, so that whatever else the process serves goes on in between.

/** How long the work of one turn may take before the rest waits for the next one, in milliseconds. */
const turnMs = 5;

/** Tasks in the order in which they came. A task must not throw. */
export class Turns {
  private tasks: (() => void)[] = [];
  private isRunning = false;

  /** Runs a task soon: at once where nothing waits, and there has been no other in this turn. */
  run(task: () => void): void {
    this.tasks.push(task);
    if (this.isRunning) return;
    this.isRunning = true;
    this.work();
  }

  private readonly work = (): void => {
    const untilMs = performance.now() + turnMs;
    let done = 0;
    while (done < this.tasks.length && performance.now() < untilMs) this.tasks[done++]!();
    this.tasks.splice(0, done);
    setImmediate(this.tasks.length > 0 ? this.work : this.rest);
  };

  private readonly rest = (): void => {
    if (this.tasks.length > 0) this.work();
    else this.isRunning = false;
  };
}
