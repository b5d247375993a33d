// The box's side of a site's backend: the hooks of the master itself, for its origin and for what nobody else can tell any more, and
// the ledger of what is due in all other processes.
import type { Log } from "../base/log.js";
import type { Timers } from "../base/timers.js";
import type { HookSettings } from "../conf/meaning/config.js";
import { Hooks } from "../hooks/hooks.js";
import { Ledger } from "../hooks/ledger.js";
import type { Due } from "../ipc/dues.js";
import type { Identity } from "../ipc/identity.js";

export interface FrontDeskParts {
  readonly identity: Identity;
  readonly settings: HookSettings;
  readonly timers: Timers;
  readonly log: Log;
}

/** One box's. Nothing to close: `hooks.settle` waits for what is under way. */
export class FrontDesk {
  readonly hooks: Hooks;
  readonly ledger: Ledger;
  /** What the vault asks and tells of the dues of its connections. */
  readonly ofVault = {
    stillDue: (dues: readonly Due[]): readonly Due[] => this.ledger.stillDue(dues),
    lost: (dues: readonly Due[]): void => this.ledger.lost(dues),
  };

  constructor({ identity, settings, timers, log }: FrontDeskParts) {
    this.hooks = new Hooks({
      identity,
      settings,
      log,
      // Nobody goes on for the master, so what it could not tell it goes on telling itself.
      tell: (notes) => {
        for (const note of notes) if ("undelivered" in note) this.hooks.resume(note.undelivered);
      },
    });
    this.ledger = new Ledger({
      nowMs: () => timers.nowMs(),
      end: (due) => this.hooks.end(due),
      resume: (undelivered) => this.hooks.resume(undelivered),
    });
  }
}
