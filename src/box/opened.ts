// What a start has opened so far, so that its end closes it all: an end that was asked for, and a start that fails half-way alike. And
// what of it the processes of the box are made with, and whom they tell of their life: the seam between box.ts and crew.ts.
import type { Log } from "../base/log.js";
import type { Timers } from "../base/timers.js";
import type { Endpoint } from "../conf/meaning/config.js";
import type { Identity } from "../ipc/identity.js";
import type { EventBook } from "../master/control/event-book.js";
import type { Change } from "../master/processes/supervisor.js";
import type { Listeners } from "../master/sockets/listeners.js";
import type { VaultParts } from "../master/vault/vault.js";
import type { Registry } from "../registry/registry.js";
import type { PlanB } from "./plan-b/plan-b.js";

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

/** What the processes of a box are made with. */
export interface CrewParts {
  readonly timers: Timers;
  readonly log: Log;
  readonly listeners: Listeners;
  /** Whether the listening sockets are the master's own; else the cluster module listens and spreads. */
  readonly hasOwnSockets: boolean;
  readonly cores: number;
  readonly maxOpenFiles: number | null;
  /** Where the origin of plan a listens. */
  readonly origin: Endpoint;
  readonly planB: PlanB | null;
  /** What copies of connections are kept with; null: they end with the process that serves them. */
  readonly carrying: VaultParts | null;
  /** The path of the control socket. */
  readonly controlSocket: string;
  /** What operators follow. */
  readonly events: EventBook;
  readonly identity: Identity;
  /** Null: the box is a site of its own. */
  readonly registry: Registry | null;
}

export interface CrewEvents {
  changed(change: Change): void;
  /** Once: no child is left. `couldFork`: one of them had started. */
  childrenEnded(how: "stopped" | "gaveUp", couldFork: boolean): void;
}
