// The box's side of a site's backend: the hooks of the master itself, for its origin and for what nobody else can tell any more, and
// the ledger of what is due in all other processes, who are told how many play their streams elsewhere; and all of it on disk.
import { closeSync } from "node:fs";
import { messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Timers } from "../base/timers.js";
import type { HookSettings } from "../conf/meaning/config.js";
import { Hooks } from "../hooks/hooks.js";
import { duesIn, Journal } from "../hooks/journal.js";
import { Ledger } from "../hooks/ledger.js";
import type { Due, Sitting } from "../ipc/dues.js";
import type { Identity } from "../ipc/identity.js";
import type { FromChild, ToChild } from "../ipc/messages.js";
import { duesOf, type SavedPublisher } from "../server/peers/saved-publisher.js";

const tellEveryMs = 1000;

export interface FrontDeskParts {
  readonly identity: Identity;
  readonly settings: HookSettings;
  readonly timers: Timers;
  readonly log: Log;
  readonly send: (name: string, message: ToChild) => void;
}

/** One box's. `close` tells what is left to tell. */
export class FrontDesk {
  readonly hooks: Hooks;
  /** What the vault asks and tells of the dues of its connections. */
  readonly ofVault = {
    stillDue: (dues: readonly Due[]): readonly Due[] => this.ledger.stillDue(dues),
    lost: (dues: readonly Due[]): void => this.ledger.lost(dues),
  };
  private readonly ledger: Ledger;
  private readonly journal: Journal;
  private readonly parts: FrontDeskParts;
  /** Servers that may let players in. */
  private readonly servers = new Set<string>();
  private isToTell = false;

  constructor(parts: FrontDeskParts) {
    this.parts = parts;
    const { identity, settings, timers, log } = parts;
    this.journal = new Journal((thrown) => log.warn({ event: "hook.unwritten", code: "HOOK_JOURNAL", err: messageOf(thrown) }, unwritten));
    this.hooks = new Hooks({
      identity,
      settings,
      log,
      // Nobody goes on for the master, so what it could not tell it goes on telling itself.
      tell: (notes) => {
        this.journal.take(notes);
        for (const note of notes) if ("undelivered" in note) this.hooks.resume(note.undelivered);
      },
    });
    this.ledger = new Ledger({
      nowMs: () => timers.nowMs(),
      end: (due) => this.hooks.end(due),
      resume: (undelivered) => this.hooks.resume(undelivered),
      answer: (owner, id, goesOn) => parts.send(owner, { type: "sitting", id, goesOn }),
    });
  }

  /** Writes down what is due from now on. `isFirst`: no master goes on there, so what one has left there is closed or goes on. */
  writeDown(path: string, isFirst: boolean): void {
    const left = isFirst ? duesIn(path) : [];
    const dues = left.flatMap((note) => ("open" in note ? [note.open] : []));
    this.journal.take(left);
    this.journal.begin(path);
    this.ledger.lost(dues);
    if (isFirst) this.inheritSittings(left.flatMap((note) => ("sitting" in note ? [note.sitting] : [])));
    if (dues.length > 0)
      this.parts.log.info({ event: "hook.left", count: dues.length }, "telling the ends of those whose master was killed");
  }

  /** The sittings of the master before this one, which has them still. */
  borrowSittings(sittings: readonly Sitting[]): void {
    this.ledger.borrow(sittings);
  }

  /** Those that it leaves. */
  inheritSittings(sittings: readonly Sitting[]): void {
    this.ledger.inherit(sittings);
    this.journal.take(this.ledger.allSittings().map((sitting) => ({ sitting })));
    if (sittings.length > 0) this.tellSoon();
  }

  /** For a master that starts to take the place of this one. */
  shareSittings(): Sitting[] {
    return this.ledger.shareSittings();
  }

  /** Leaves them to it. */
  takeSittings(): Sitting[] {
    return this.ledger.takeSittings();
  }

  /** The other master is gone. */
  keepSittings(): void {
    this.ledger.keepSittings();
    this.tellSoon();
  }

  /** The box ends. Resolves when all has been told that can be. */
  async close(withinMs: number): Promise<void> {
    this.ledger.endSittings();
    await this.hooks.settle(withinMs, true);
    this.journal.close();
  }

  /** Takes what a child said. */
  heard(name: string, message: FromChild): void {
    if (message.type !== "dues") return;
    if (!this.servers.has(name)) this.ledger.changeAll(); // it knows of nobody yet
    this.servers.add(name);
    this.journal.take(message.notes);
    this.ledger.heard(name, message.notes);
    this.tellSoon();
  }

  /** A server serves: it is told who plays elsewhere, where anybody is known. */
  came(name: string): void {
    this.servers.add(name);
    this.ledger.changeAll();
    if (this.ledger.size > 0) this.tellSoon();
  }

  /** A child is gone: what it had open is over, but for what goes on elsewhere. */
  gone(name: string, whatGoesOn: () => ReadonlySet<string>): void {
    this.servers.delete(name);
    this.ledger.gone(name, whatGoesOn);
    if (this.ledger.size > 0) this.tellSoon();
  }

  /** A publisher that was on its way to another process has found none. */
  dropped(saved: SavedPublisher, fd: number): void {
    closeSync(fd);
    this.ledger.lost(duesOf(saved));
  }

  private tellSoon(): void {
    if (this.isToTell) return;
    this.isToTell = true;
    this.parts.timers.after(tellEveryMs, () => {
      this.isToTell = false;
      this.ledger.sweep();
      if (this.ledger.hasSittings) this.tellSoon();
      const changed = this.ledger.takeChanges();
      if (changed.length === 0 || this.servers.size < 2) return;
      for (const name of this.servers) {
        const counts = changed.map((stream) => [stream, this.ledger.playersElsewhere(stream, name)] as const);
        this.parts.send(name, { type: "players-elsewhere", counts });
      }
    });
  }
}

const unwritten = "should the master be killed, nobody tells the ends of those who are here";
