// Copies of the connections of all viewers, and of all pairs that proxies move, so that they outlive the process that serves
// them. A child sends a copy when somebody begins to play, or a pair to be moved; when the child is gone, however that came,
// others go on with those whose last write was whole.
//
//   child serves ─▶ parcel ─▶ kept ── over ──▶ closed
//                              │
//                              ├─ the child let it go, or is gone ─▶ orphan ─▶ given to a child that serves ─▶ its word: kept
//                              └─ gone in the middle of a write ──▶ cut
//
// A connection is open until its last copy is closed, so whoever ends one says so, and the copy here follows.
import { closeSync } from "node:fs";
import type { Log } from "../../base/log.js";
import {
  publisherNote,
  type AdoptedNote,
  type CarryNote,
  type GivenNote,
  type PackedSession,
  type SessionHead,
} from "../../ipc/carried.js";
import type { BoxEvent } from "../../ipc/events.js";
import { loadDescriptorLinks, type DescriptorLink, type DescriptorLinks, type Outgoing } from "../../ipc/descriptor-link.js";
import { loadMarks, type Marks, type MarksMaker } from "../../ipc/marks.js";
import type { Position } from "../../base/position.js";
import type { Due } from "../../ipc/dues.js";
import type { FromChild, ToChild } from "../../ipc/messages.js";
import type { Timers } from "../../base/timers.js";

/** How long a connection waits for a process that goes on with it. */
export const orphanMs = 30_000;

/** What a vault is made with. */
export interface VaultParts {
  readonly links: DescriptorLinks;
  readonly marks: MarksMaker;
}

/** Loads what a vault is made with; null where that is not to be had. */
export async function loadVaultParts(): Promise<VaultParts | null> {
  const [links, marks] = await Promise.all([loadDescriptorLinks(), loadMarks()]);
  return links === null || marks === null ? null : { links, marks };
}

/** Processes that may be gone before they have answered for one connection. */
const maxUnanswered = 2;

export interface VaultOptions extends VaultParts {
  readonly timers: Timers;
  readonly log: Log;
  /** Takes what operators follow. */
  tell(event: BoxEvent): void;
  /** Files of this process that copies may be at most: a viewer takes one, a pair two. */
  readonly maxFiles: number;
  send(name: string, message: ToChild): boolean;
  /** Goes on with a publisher, packed, until `ended` is called; the descriptor is its own from now on. */
  adoptPublisher(text: string, fd: number, ended: () => void): void;
  /** The children that can go on with connections now. */
  heirs(): readonly string[];
  /** A child is gone or has let a connection go, which waits for another. */
  left(name: string, session: PackedSession): void;
  /** Those dues that nobody has called. */
  stillDue(dues: readonly Due[]): readonly Due[];
  /** Nobody goes on with a connection that its process had open: with what is due for it. */
  lost(dues: readonly Due[]): void;
  /** What became of a connection that was left: it goes on at this child, or is lost (null). */
  settled(session: PackedSession, name: string | null): void;
}

/** What has become of connections so far. */
export interface CarriedCounts {
  /** Copies that are kept now. */
  readonly kept: number;
  /** Times that a connection went on in another process. */
  readonly carried: number;
  /** Connections that were lost with their process because a write to them was half out. */
  readonly cut: number;
  /** Connections for which no process was there in time. */
  readonly abandoned: number;
  /** Connections that could not be kept, for there were too many. */
  readonly refused: number;
}

interface Kept {
  readonly fds: readonly number[];
  readonly session: PackedSession;
  /** Where its child marks how far it has got; null: it was given to the child, which has not answered yet. */
  readonly row: number | null;
  /** How far it had got when it was given away. */
  readonly from: Position | null;
  /** Processes that were gone before they had answered: a connection that ends them all must not go round. */
  readonly unanswered: number;
}

interface Holder {
  readonly link: DescriptorLink;
  readonly marks: Marks;
  readonly kept: Map<string, Kept>;
}

/** The vault of one box. Close it once; what is in it is closed. */
export class Vault {
  private readonly options: VaultOptions;
  private readonly holders = new Map<string, Holder>();
  private orphans: { readonly kept: Kept; readonly sinceMs: number }[] = [];
  /** The way to the process that takes the place of this one; null: there is none. */
  private successor: { readonly link: DescriptorLink; readonly say: () => void } | null = null;
  /** Copies that it has been sent. */
  private bequeathed: Kept[] = [];
  private files = 0;
  private forgetTimer: () => void = () => undefined;
  private readonly counts = { carried: 0, cut: 0, abandoned: 0, refused: 0 };

  constructor(options: VaultOptions) {
    this.options = options;
  }

  /** Prepares a child that is about to start: the descriptors of its link and its marks, which the caller closes. */
  admit(name: string): readonly [linkFd: number, marksFd: number] {
    const { marks, fd } = this.options.marks.create();
    const { link, otherFd } = this.options.links.pair();
    this.holders.set(name, { link, marks, kept: new Map() });
    return [otherFd, fd];
  }

  /** A child that was prepared under one name has another one from now on. */
  rename(from: string, to: string): void {
    const holder = this.holders.get(from);
    if (holder === undefined) return;
    this.holders.delete(from);
    this.holders.set(to, holder);
  }

  counted(): CarriedCounts {
    return { kept: this.size(), ...this.counts };
  }

  /** Takes what a child said. */
  heard(name: string, message: FromChild): void {
    const holder = this.holders.get(name);
    if (holder === undefined) return;
    if (message.type === "parcels") this.take(name, holder);
    if (message.type === "adopted") for (const note of message.notes) this.confirm(name, holder, note);
    if (message.type === "over") this.end(name, holder, message.tokens);
    if (message.type === "let-go") this.letGo(name, holder, message.tokens);
  }

  /** The keys of all that is due for connections that are kept, or have gone to the process that takes the place of this one. */
  dues(): Set<string> {
    const keys = new Set<string>();
    const add = ({ session: { dues = [] } }: Kept): void => dues.forEach(({ key }) => keys.add(key));
    for (const { kept } of this.holders.values()) kept.forEach(add);
    for (const { kept } of this.orphans) add(kept);
    this.bequeathed.forEach(add);
    return keys;
  }

  /** A child is gone. */
  gone(name: string): void {
    const holder = this.holders.get(name);
    if (holder === undefined) return;
    this.take(name, holder); // what it sent last is still there
    this.holders.delete(name);
    let cut = 0;
    for (const kept of holder.kept.values()) if (!this.orphan(name, holder, kept)) cut += 1;
    holder.link.close();
    holder.marks.close();
    const fields = { event: "connections.carried", child: name, count: holder.kept.size - cut, cut };
    const lost = cut === 0 ? "" : `, ${cut} were lost with it`;
    const { event } = fields;
    if (cut > 0 || holder.kept.size > 0)
      this.options.tell({
        event,
        process: name,
        count: holder.kept.size,
        msg: `${holder.kept.size} connections of ${name} go on${lost}`,
        level: cut > 0 ? "warn" : "info",
      });
    if (cut > 0) this.options.log.warn({ ...fields, code: "CHILD_EXITED" }, `${cut} connections of ${name} were lost with it`);
    else if (holder.kept.size > 0) this.options.log.info(fields, `the connections of ${name} go on`);
    this.place();
  }

  /** From now on everything goes to the process that takes the place of this one; `say` tells it that something has come on the link. */
  bequeath(link: DescriptorLink, say: () => void): void {
    this.successor = { link, say };
    this.place();
  }

  /** Takes what the process before this one has sent on the link. */
  inherit(link: DescriptorLink): void {
    for (const { fds, note, text } of link.receive()) {
      if (note === publisherNote) {
        for (const fd of fds) this.options.adoptPublisher(text, fd, () => undefined);
        continue;
      }
      const { head, from } = note as GivenNote;
      const session = packed(head, text);
      this.files += fds.length;
      this.orphans.push({ kept: { fds, session, row: null, from, unanswered: 0 }, sinceMs: this.options.timers.nowMs() });
    }
    this.place();
  }

  /** Gives a publisher to a child, or to the process that takes the place of this one; false: there is none. The descriptor is its own then. */
  pass(text: string, fd: number): boolean {
    const name = this.options.heirs().find((one) => this.holders.has(one));
    const child = name === undefined ? undefined : this.holders.get(name)?.link;
    const to =
      this.successor ?? (child === undefined ? null : { link: child, say: () => void this.options.send(name!, { type: "parcels" }) });
    if (to === null) return false;
    to.link.send([{ descriptors: () => [fd], note: publisherNote, text }], () => {
      closeSync(fd);
      to.say();
    });
    return true;
  }

  close(): void {
    this.forgetTimer();
    for (const kept of this.bequeathed) this.shut(kept);
    this.bequeathed = [];
    for (const { link, marks, kept } of this.holders.values()) {
      for (const one of kept.values()) this.giveUp(one);
      link.close();
      marks.close();
    }
    for (const { kept } of this.orphans) this.giveUp(kept);
    this.holders.clear();
    this.orphans = [];
  }

  private size(): number {
    return [...this.holders.values()].reduce((sum, { kept }) => sum + kept.size, this.orphans.length);
  }

  private take(name: string, holder: Holder): void {
    const { link, kept } = holder;
    const refused: string[] = [];
    for (const { fds, note, text } of link.receive()) {
      if (note === publisherNote) {
        // Whoever took the publisher in counts it until it ends; a later process of the name does not.
        const ended = (): void => {
          if (this.holders.get(name) === holder) this.options.send(name, { type: "publisher-over" });
        };
        for (const fd of fds) this.options.adoptPublisher(text, fd, ended);
        continue;
      }
      const { head, row } = note as CarryNote;
      const session = packed(head, text);
      this.files += fds.length;
      const before = kept.get(session.token);
      if (before !== undefined) this.shut(before);
      const one: Kept = { fds, session, row, from: null, unanswered: 0 };
      if (this.files > this.options.maxFiles) {
        this.shut(one);
        refused.push(session.token);
      } else kept.set(session.token, one);
    }
    this.counts.refused += refused.length;
    if (refused.length > 0) this.options.send(name, { type: "not-kept", tokens: refused });
  }

  /** A child goes on with what it was given. */
  private confirm(name: string, { kept }: Holder, { token, row, session: changed }: AdoptedNote): void {
    const given = kept.get(token);
    if (given === undefined) return;
    const session = changed ?? given.session;
    kept.set(token, { ...given, session, row, from: null, unanswered: 0 });
    this.counts.carried += 1;
    this.options.settled(session, name);
  }

  private end(name: string, holder: Holder, tokens: readonly string[]): void {
    this.take(name, holder); // of the same turn
    for (const token of tokens) {
      const kept = holder.kept.get(token);
      if (kept === undefined) continue;
      holder.kept.delete(token);
      if (kept.row === null) this.lose(kept); // the heir could not go on with it
      else this.shut(kept);
    }
  }

  private letGo(name: string, holder: Holder, tokens: readonly string[]): void {
    this.take(name, holder);
    for (const token of tokens) {
      const kept = holder.kept.get(token);
      if (kept === undefined) continue;
      holder.kept.delete(token);
      this.orphan(name, holder, kept);
    }
    this.options.log.debug({ event: "connections.carried", child: name, count: tokens.length });
    this.place();
  }

  /** Finds out how far a connection has got, and looks for somebody to go on with it; false: it was cut. */
  private orphan(name: string, { marks }: Holder, kept: Kept): boolean {
    const { fds, session, row, from, unanswered } = kept;
    const at = row === null ? from : marks.read(row);
    const tries = row === null ? unanswered + 1 : 0;
    if (row !== null && at === null) {
      this.giveUp(kept);
      this.counts.cut += 1;
      return false;
    }
    if (tries > maxUnanswered) {
      this.lose(kept);
      this.counts.cut += 1;
      return false;
    }
    if (row !== null) this.options.left(name, session);
    const { dues } = session;
    const rest = dues === undefined ? session : { ...session, dues: this.options.stillDue(dues) };
    this.orphans.push({
      kept: { fds, session: rest, row: null, from: at === "start" ? null : at, unanswered: tries },
      sinceMs: this.options.timers.nowMs(),
    });
    return true;
  }

  /** Closes one that is over with nobody there who knows what is due for it. */
  private giveUp(kept: Kept): void {
    this.shut(kept);
    this.options.lost(kept.session.dues ?? []);
  }

  private shut({ fds }: Kept): void {
    for (const fd of fds) closeSync(fd);
    this.files -= fds.length;
  }

  /** Gives up one that was left. */
  private lose(kept: Kept): void {
    this.giveUp(kept);
    this.options.settled(kept.session, null);
  }

  /** Gives all orphans to those who can go on with them, to each an equal share. To be called when somebody new can. */
  place(): void {
    if (this.successor !== null) {
      const { link, say } = this.successor;
      const leaving = this.orphans.map(({ kept }) => kept);
      this.orphans = [];
      this.bequeathed.push(...leaving); // a copy must be open until it has gone
      this.counts.carried += leaving.length;
      link.send(leaving.map(parcelOf), say);
      return;
    }
    const heirs = this.options.heirs().filter((name) => this.holders.has(name));
    const { orphans } = this;
    if (orphans.length === 0) return;
    if (heirs.length === 0) {
      this.forgetTimer();
      this.forgetTimer = this.options.timers.after(orphanMs, () => this.abandon());
      return;
    }
    this.orphans = [];
    const share = Math.ceil(orphans.length / heirs.length);
    for (const [at, name] of heirs.entries()) {
      const mine = orphans.slice(at * share, (at + 1) * share).map(({ kept }) => kept);
      const { link, kept } = this.holders.get(name)!;
      for (const one of mine) kept.set(one.session.token, one);
      if (mine.length > 0) link.send(mine.map(parcelOf), () => void this.options.send(name, { type: "parcels" }));
    }
  }

  private abandon(): void {
    const untilMs = this.options.timers.nowMs() - orphanMs;
    const late = this.orphans.filter(({ sinceMs }) => sinceMs <= untilMs);
    for (const { kept } of late) this.lose(kept);
    this.orphans = this.orphans.filter(({ sinceMs }) => sinceMs > untilMs);
    this.counts.abandoned += late.length;
    this.place(); // and waits again, for those that came later
  }
}

/** One shape for all, without room for more. */
function packed({ token, kind, dues }: SessionHead, text: string): PackedSession {
  return { token, kind, dues, text };
}

function parcelOf({ fds, session: { text, ...head }, from }: Kept): Outgoing {
  return { descriptors: () => fds, note: { head, from } satisfies GivenNote, text };
}
