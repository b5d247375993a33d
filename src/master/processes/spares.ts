// A process that waits for the place of one that dies: started, loaded and warm, but told nothing yet. Viewers of the only edge wait
// for a new process then, and most of what it does in its first second is to start and to compile.
//
//   a place is filled ─ a moment ─▶ starting ─ hello ─▶ warming up ─▶ waiting ─ a place is free ─▶ a child like any other
//                            ▲                                └─ it ends ─┐
//                            └──────────────── a while ───────────────────┘
import type { Timers } from "../../base/timers.js";
import type { FromChild } from "../../ipc/messages.js";
import type { ProcessSpec } from "./plan.js";
import type { Running, RunningEvents, Spawner } from "./supervisor.js";

/** What a spare is called until it has a place. */
export const spareName = "spare";

/** How long everybody else has to start first. */
const calmMs = 3000;
/** Until another one is tried, where one has ended by itself. */
const retryMs = 60_000;

export interface SparesOptions {
  /** Starts all processes, spares too. */
  readonly spawner: Spawner;
  readonly timers: Timers;
  /** Whether one shall wait, for a place like this. */
  isFor(spec: ProcessSpec): boolean;
  /** A spare has this name from now on; null: it has ended as a spare. */
  named(name: string | null): void;
}

interface Spare {
  readonly running: Running;
  /** Whether it can hear. */
  saidHello: boolean;
  /** Whom it reports to, once it has a place. */
  events: RunningEvents | null;
}

/** A spawner that has one process ready. `close` ends the one that waits. */
export class Spares implements Spawner {
  private readonly options: SparesOptions;
  private spare: Spare | null = null;
  private forgetTimer: () => void = () => undefined;
  private isClosed = false;

  constructor(options: SparesOptions) {
    this.options = options;
  }

  spawn(spec: ProcessSpec, events: RunningEvents): Running {
    if (!this.options.isFor(spec)) return this.options.spawner.spawn(spec, events);
    const running = this.place(spec, events) ?? this.options.spawner.spawn(spec, events);
    this.prepare(spec, calmMs);
    return running;
  }

  close(): void {
    this.isClosed = true;
    this.forgetTimer();
    this.spare?.running.kill("SIGTERM");
  }

  private place(spec: ProcessSpec, events: RunningEvents): Running | null {
    const { spare } = this;
    if (spare === null || !spare.saidHello) return null;
    this.spare = null;
    spare.events = events;
    this.options.named(spec.name);
    // Not before whoever asks for it has it.
    setImmediate(() => events.message({ type: "hello" }));
    return spare.running;
  }

  private prepare(spec: ProcessSpec, delayMs: number): void {
    this.forgetTimer();
    if (this.isClosed) return;
    this.forgetTimer = this.options.timers.after(delayMs, () => {
      if (this.spare === null) this.start(spec);
    });
  }

  private start(spec: ProcessSpec): void {
    const events: RunningEvents = {
      message: (message) => this.heard(spare, message),
      exit: (cause) => {
        if (spare.events !== null) return spare.events.exit(cause);
        this.spare = null;
        this.options.named(null);
        this.prepare(spec, retryMs);
      },
    };
    let running: Running;
    try {
      running = this.options.spawner.spawn({ ...spec, name: spareName }, events);
    } catch {
      return this.prepare(spec, retryMs); // who needs a place is told why there is none
    }
    const spare: Spare = { running, saidHello: false, events: null };
    this.spare = spare;
  }

  private heard(spare: Spare, message: FromChild): void {
    if (spare.events !== null) return spare.events.message(message);
    if (message.type !== "hello") return;
    spare.saidHello = true;
    spare.running.send({ type: "warm-up" });
  }
}
