// asprocess on: a box that belongs to another program ends when that does. The system tells nobody of the death of a parent, but
// gives its children another one, so who the parent is gets asked twice a second.
import { DolphinError } from "../../base/errors.js";
import type { Timers } from "../../base/timers.js";

const everyMs = 500;

export interface ParentWatchOptions {
  readonly timers: Timers;
  /** The pid of the parent now. */
  parent(): number;
  /** It is another one than at the start. Told once. */
  gone(parent: number): void;
}

/** Watches the parent of this process until `close`. */
export class ParentWatch {
  private readonly options: ParentWatchOptions;
  private readonly parent: number;
  private cancel: () => void = () => undefined;

  /** Throws CONF_VALUE when there is no parent to follow. */
  constructor(options: ParentWatchOptions) {
    this.options = options;
    this.parent = options.parent();
    if (this.parent <= 1) {
      throw new DolphinError(
        "CONF_VALUE",
        "asprocess on follows the program that starts dolphin, but its parent is process 1: start it from that program, or write asprocess off",
      );
    }
    this.lookLater();
  }

  close(): void {
    this.cancel();
  }

  private lookLater(): void {
    this.cancel = this.options.timers.after(everyMs, () => {
      if (this.options.parent() === this.parent) this.lookLater();
      else this.options.gone(this.parent);
    });
  }
}
