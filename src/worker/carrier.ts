// A child's way to the vault in the master: connections that shall outlive this process are sent there, with what they are, a moment
// after they began to play or to be moved, and called back when they are over. One that is over within that moment is nobody's business:
// a crowd that comes at once is told of in few words, and a storm of short connections in none.
import { Deadline } from "../base/deadline.js";
import { loadDescriptorLinks, type DescriptorLink, type Outgoing } from "../ipc/descriptor-link.js";
import {
  isPublisherNote,
  type AdoptedNote,
  type AdoptNote,
  type Carriage,
  type CarriedSession,
  type Carrier,
  type CarryNote,
} from "../ipc/carried.js";
import { loadMarks, type Marks } from "../ipc/marks.js";
import type { Position } from "../base/position.js";
import type { FromChild } from "../ipc/messages.js";
import type { Mover } from "../server/peers/saved-publisher.js";
import { moverOver } from "./mover.js";

/** The environment variable in which the master tells the descriptors of the link and of the marks. */
export const linkVariable = "DOLPHIN_LINK";

/** The longest that a session may be as JSON; one that is longer ends with this process. */
const maxSessionBytes = 64 << 10;

/** How long connections that have begun wait for others that begin: who dies within that time takes them along. */
const gatherMs = 30;

/** Who goes on with what other processes have left. The descriptors are its own. */
export interface Heir {
  adopt(fds: readonly number[], note: AdoptNote): void;
  adoptPublisher(fds: readonly number[], saved: unknown): void;
  /** So many have come, and nothing more for now. */
  done(count: number): void;
}

/** The carrier of one child, for the life of the process. */
export class ChildCarrier implements Carrier {
  readonly marksFd: number;
  private readonly link: DescriptorLink;
  private readonly marks: Marks;
  private readonly say: (message: FromChild) => void;
  private parcels: Outgoing[] = [];
  private adopted: AdoptedNote[] = [];
  private over: { readonly token: string; readonly row: number | null; readonly isKnown: () => boolean }[] = [];
  private letGo: string[] = [];
  private isReceiving = false;
  /** Those that are carried now; false: the master could not keep the copy. */
  private readonly tokens = new Map<string, boolean>();
  /** Those that this process was given and has not gone on with yet: the master has its copies of them. */
  private readonly given = new Set<string>();
  private readonly flushing = new Deadline();

  private constructor(link: DescriptorLink, marks: Marks, marksFd: number, say: (message: FromChild) => void) {
    this.link = link;
    this.marks = marks;
    this.marksFd = marksFd;
    this.say = say;
    this.mover = moverOver(link, this.sayParcels);
  }

  /** Null where the master keeps no connections. */
  static async open(variable: string | undefined, say: (message: FromChild) => void): Promise<ChildCarrier | null> {
    const [linkFd, marksFd] = (variable ?? "").split(",").map(Number);
    if (linkFd === undefined || marksFd === undefined) return null;
    const [links, maker] = await Promise.all([loadDescriptorLinks(), loadMarks()]);
    return links === null || maker === null ? null : new ChildCarrier(links.open(linkFd), maker.open(marksFd), marksFd, say);
  }

  carry(descriptors: () => readonly number[] | null, session: CarriedSession, from: Position | null): Carriage | null {
    const { token, kind, dues } = session;
    const isGiven = this.given.delete(token);
    if (!isGiven && Buffer.byteLength(JSON.stringify(session)) > maxSessionBytes) return null;
    const row = this.marks.take(from);
    if (row === null) return null;
    let isOver = false;
    /** Parcels of it that have not gone to the master yet. */
    let unsent = 0;
    /** Whether the master has heard of it. */
    let isKnown = isGiven;
    this.tokens.set(token, true);
    // Nothing below holds on to the session: it is the larger part of what a connection would take here.
    const isKept = (): boolean => {
      if (unsent > 0) this.flush();
      return unsent === 0 && this.tokens.get(token) === true;
    };
    const send = (saved: CarriedSession["saved"]): void => {
      unsent += 1;
      this.parcels.push({
        // A descriptor that was closed may be another connection's a moment later.
        descriptors: () => (isOver ? null : descriptors()),
        note: { session: { token, dues, kind, saved } as CarriedSession, row } satisfies CarryNote,
        gone: () => {
          unsent -= 1;
          isKnown = true;
        },
      });
      this.flushing.ensure(gatherMs, () => this.flush());
    };
    const dueNow = (): void => this.flushing.set(0, () => this.flush());
    if (!isGiven) send(session.saved);
    else {
      this.adopted.push({ token, row, session: session.kind === "pair" ? session : null });
      dueNow();
    }
    return {
      words: this.marks.words,
      at: row,
      get isOver() {
        return isOver;
      },
      get isKept() {
        return isKept();
      },
      renew(saved) {
        send(saved);
        dueNow();
      },
      over: () => {
        isOver = true;
        this.tokens.delete(token);
        this.over.push({ token, row, isKnown: () => isKnown });
        this.flushing.ensure(gatherMs, () => this.flush());
      },
      letGo: () => {
        this.marks.settle(row);
        this.tokens.delete(token);
        this.letGo.push(token);
        dueNow();
      },
    };
  }

  /** Takes publishers to the process that goes on with them. */
  readonly mover: Mover;

  /** The master could not keep the copies of these: they end with this process. */
  refused(tokens: readonly string[]): void {
    for (const token of tokens) if (this.tokens.has(token)) this.tokens.set(token, false);
  }

  /**
   * Hands over the connections that this process is to go on with, some at a time, so that what all of them wait for is heard in
   * between. The copy of a viewer's that it does not carry on is given up.
   */
  receive(heir: Heir): void {
    if (this.isReceiving) return; // all that has been sent is on the link already
    this.isReceiving = true;
    this.receiveNext(heir, 0);
  }

  private receiveNext(heir: Heir, before: number): void {
    const some = this.link.receiveSome();
    if (some === null) {
      this.isReceiving = false;
      if (before > 0) heir.done(before);
      return;
    }
    for (const { fds, note } of some) {
      if (isPublisherNote(note)) {
        heir.adoptPublisher(fds, note.publisher);
        continue;
      }
      const adopted = note as AdoptNote;
      const { token } = adopted.session;
      this.given.add(token);
      heir.adopt(fds, adopted);
      this.given.delete(token);
      if (!this.tokens.has(token)) this.over.push({ token, row: null, isKnown: () => true });
    }
    // The master must know who goes on with them before much has been written to them.
    this.flush();
    setImmediate(() => this.receiveNext(heir, before + some.length));
  }

  /** Tells the master now what it would be told in a moment. */
  flush(): void {
    this.flushing.clear();
    const { parcels, adopted, over, letGo } = this;
    [this.parcels, this.adopted, this.over, this.letGo] = [[], [], [], []];
    if (parcels.length > 0) this.link.send(parcels, this.sayParcels);
    if (adopted.length > 0) this.say({ type: "adopted", notes: adopted });
    const known = over.filter(({ isKnown }) => isKnown());
    if (known.length > 0) this.say({ type: "over", tokens: known.map(({ token }) => token) });
    for (const { row } of over) if (row !== null) this.marks.giveBack(row);
    if (letGo.length > 0) this.say({ type: "let-go", tokens: letGo });
  }

  private readonly sayParcels = (): void => this.say({ type: "parcels" });
}
