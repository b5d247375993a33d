// Hooks that undo what was started, where node:test's own per-test hooks do not reach: boxes that a whole file shares, benches.

/** Collects hooks; `stopAll` runs them, the last one first, and all of them even when one throws. */
export class Cleanups {
  private readonly hooks: (() => void | Promise<void>)[] = [];

  after(hook: () => void | Promise<void>): void {
    this.hooks.push(hook);
  }

  async stopAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const hook of this.hooks.splice(0).toReversed()) {
      try {
        await hook();
      } catch (thrown) {
        failures.push(thrown);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
