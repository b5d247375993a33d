// Asks the children what streams they have, and waits for their answers no longer than a deadline. One question is on its way
// for however many people ask at once.
import type { StreamReport } from "../ipc/messages.js";
import type { Timers } from "./supervisor.js";

export interface ReportsOptions {
  readonly timers: Timers;
  readonly deadlineMs: number;
  /** The children that can be asked now. */
  names(): readonly string[];
  ask(name: string, id: number): boolean;
  answered(name: string, streams: readonly StreamReport[]): void;
  silent(name: string): void;
}

/** The questions that are on their way. */
export class Reports {
  private readonly options: ReportsOptions;
  private readonly missing = new Set<string>();
  private id = 0;
  private round: Promise<void> | null = null;
  private finish: () => void = () => undefined;

  constructor(options: ReportsOptions) {
    this.options = options;
  }

  /** Resolves when every child has answered or the deadline has passed. */
  collect(): Promise<void> {
    this.round ??= this.askAll();
    return this.round;
  }

  answer(name: string, id: number, streams: readonly StreamReport[]): void {
    this.options.answered(name, streams);
    if (id === this.id && this.missing.delete(name) && this.missing.size === 0) this.finish();
  }

  /** A child is gone; nobody waits for it any more. */
  gone(name: string): void {
    if (this.missing.delete(name) && this.missing.size === 0) this.finish();
  }

  private askAll(): Promise<void> {
    const { options } = this;
    this.id += 1;
    return new Promise((resolve) => {
      const forget = options.timers.after(options.deadlineMs, () => {
        for (const name of this.missing) options.silent(name);
        this.missing.clear();
        this.finish();
      });
      this.finish = () => {
        forget();
        this.round = null;
        resolve();
      };
      for (const name of options.names()) if (options.ask(name, this.id)) this.missing.add(name);
      if (this.missing.size === 0) this.finish();
    });
  }
}
