// A child's way to the vault in the master: connections that shall outlive this process are sent there, with what they are, a moment
// after they began to play or to be moved, and called back when they are over. One that is over within that moment is nobody's business:
// a crowd that comes at once is told of in few words, and a storm of short connections in none.
//
//   carry ─▶ young ── a look ──▶ parcels ── the next look ──▶ the vault         so each has waited for a whole interval, two at most
import { Deadline } from "../base/deadline.js";
import { loadDescriptorLinks, type DescriptorLink, type Outgoing } from "../ipc/descriptor-link.js";
import {
  pack,
  publisherNote,
  unpack,
  type AdoptedNote,
  type AdoptNote,
  type Carriage,
  type CarriedSession,
  type Carrier,
  type CarryNote,
  type GivenNote,
  type SessionHead,
} from "../ipc/carried.js";
import { loadMarks, type Marks } from "../ipc/marks.js";
import type { Position } from "../base/position.js";
import type { FromChild } from "../ipc/messages.js";
import type { Mover } from "../server/peers/saved-publisher.js";
import { moverOver } from "./mover.js";

/** The environment variable in which the master tells the descriptors of the link and of the marks. */
export const linkVariable = "DOLPHIN_LINK";

/** The longest that a session may be as it travels, in bytes; one that is longer ends with this process. */
const maxSessionBytes = 64 << 10;

/** Between two looks at connections that have begun: each waits for its second one, and who dies within that time takes it along. */
const lookEveryMs = 15;

/** Who goes on with what other processes have left. The descriptors are its own. */
export interface Heir {
  adopt(fds: readonly number[], note: AdoptNote): void;
  adoptPublisher(fds: readonly number[], saved: unknown): void;
  /** So many have come, and nothing more for now. */
  done(count: number): void;
}

/** A connection that has ended. */
interface Over {
  readonly token: string;
  /** Its row; null: it never had one here. */
  readonly at: number | null;
}

/** A copy that is to go to the master, where it is small enough when it goes. */
interface Leaving extends Outgoing {
  readonly note: CarryNote;
  readonly saved: CarriedSession["saved"];
  readonly gone: () => void;
}

/** The carrier of one child, for the life of the process. */
export class ChildCarrier implements Carrier {
  readonly marksFd: number;
  private readonly link: DescriptorLink;
  private readonly marks: Marks;
  private readonly say: (message: FromChild) => void;
  /** Those that have come since the last look, and those that go with the next one. */
  private young: Leaving[] = [];
  private parcels: Leaving[] = [];
  private adopted: AdoptedNote[] = [];
  private over: Over[] = [];
  private letGo: string[] = [];
  private isReceiving = false;
  /** Those that are carried now, by their tokens. */
  private readonly carried = new Map<string, Carried>();
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
    const { token, kind, dues = [] } = session;
    const isGiven = this.given.delete(token);
    const row = this.marks.take(from);
    if (row === null) return null;
    const head: SessionHead = { token, kind, dues: dues.length === 0 ? undefined : dues };
    const carried = new Carried(this, this.marks.words, row, descriptors, head, isGiven);
    this.carried.set(token, carried);
    if (!isGiven) carried.send(session.saved);
    // Told behind the message that it came with.
    else this.adopted.push({ token, row, session: kind === "pair" ? { ...head, text: pack(session.saved) } : null });
    return carried;
  }

  isGiven(token: string): boolean {
    return this.given.has(token);
  }

  /** Sends a copy with others of about the same moment. */
  post(parcel: Leaving): void {
    this.young.push(parcel);
    this.lookSoon();
  }

  flushNow(): void {
    this.flushing.set(0, () => this.flush());
  }

  ended(carried: Carried): void {
    this.carried.delete(carried.token);
    if (carried.isKnown) {
      this.over.push(carried);
      this.lookSoon();
    } else this.marks.giveBack(carried.at);
  }

  leftTo({ token, at }: Carried): void {
    this.marks.settle(at);
    this.carried.delete(token);
    this.letGo.push(token);
    this.flushNow();
  }

  /** Takes publishers to the process that goes on with them. */
  readonly mover: Mover;

  /** The master could not keep the copies of these: they end with this process. */
  refused(tokens: readonly string[]): void {
    for (const token of tokens) this.carried.get(token)?.refuse();
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
    for (const { fds, note, text } of some) {
      if (note === publisherNote) {
        heir.adoptPublisher(fds, unpack(text));
        continue;
      }
      const { head, from } = note as GivenNote;
      const { token } = head;
      this.given.add(token);
      heir.adopt(fds, { session: { ...head, saved: unpack(text) } as CarriedSession, from });
      this.given.delete(token);
      if (!this.carried.has(token)) this.over.push({ token, at: null });
    }
    // The master must know who goes on with them before much has been written to them.
    this.flush();
    setImmediate(() => this.receiveNext(heir, before + some.length));
  }

  /** Tells the master now what it would be told in a moment. */
  flush(): void {
    this.flushing.clear();
    const { adopted, over, letGo } = this;
    const parcels = [...this.parcels, ...this.young].flatMap((parcel) => this.packed(parcel) ?? []);
    [this.young, this.parcels, this.adopted, this.over, this.letGo] = [[], [], [], [], []];
    if (parcels.length > 0) this.link.send(parcels, this.sayParcels);
    if (adopted.length > 0) this.say({ type: "adopted", notes: adopted });
    if (over.length > 0) this.say({ type: "over", tokens: over.map(({ token }) => token) });
    for (const { at } of over) if (at !== null) this.marks.giveBack(at);
    if (letGo.length > 0) this.say({ type: "let-go", tokens: letGo });
  }

  private lookSoon(): void {
    this.flushing.ensure(lookEveryMs, () => this.look());
  }

  private look(): void {
    const { young } = this;
    this.young = [];
    this.flush();
    this.parcels = young;
    if (young.length > 0) this.lookSoon();
  }

  /** A copy as it goes; null: the connection is not there any more, or is too large, and ends with this process. */
  private packed({ descriptors, note, saved, gone }: Leaving): Outgoing | null {
    if (descriptors() === null) return null;
    const text = pack(saved);
    const { token, dues } = note.head;
    const duesBytes = dues === undefined ? 0 : Buffer.byteLength(JSON.stringify(dues));
    if (duesBytes + text.length <= maxSessionBytes) return { descriptors, note, text, gone };
    gone();
    this.carried.get(token)?.refuse();
    return null;
  }

  private readonly sayParcels = (): void => this.say({ type: "parcels" });
}

/** One connection that is carried. It does not hold on to the session, which is the larger part of what a connection would take here. */
class Carried implements Carriage {
  readonly words: Int32Array;
  readonly at: number;
  isOver = false;
  /** Whether the master has heard of it. */
  isKnown: boolean;
  /** Parcels of it that have not gone to the master yet. */
  private unsent = 0;
  /** Whether there is to be a copy of it, as far as is known. */
  private isWanted = true;
  private readonly carrier: ChildCarrier;
  private readonly descriptors: () => readonly number[] | null;
  private readonly head: SessionHead;

  constructor(
    carrier: ChildCarrier,
    words: Int32Array,
    at: number,
    descriptors: () => readonly number[] | null,
    head: SessionHead,
    isKnown: boolean,
  ) {
    this.carrier = carrier;
    this.words = words;
    this.at = at;
    this.descriptors = descriptors;
    this.head = head;
    this.isKnown = isKnown;
  }

  get token(): string {
    return this.head.token;
  }

  get isKept(): boolean {
    if (this.unsent > 0) this.carrier.flush();
    return this.unsent === 0 && this.isWanted;
  }

  send(saved: CarriedSession["saved"]): void {
    this.unsent += 1;
    this.carrier.post({
      // A descriptor that was closed may be another connection's a moment later.
      descriptors: () => (this.isOver ? null : this.descriptors()),
      note: { head: this.head, row: this.at },
      saved,
      gone: () => {
        this.unsent -= 1;
        this.isKnown = true;
      },
    });
  }

  renew(saved: CarriedSession["saved"]): void {
    this.send(saved);
    this.carrier.flushNow();
  }

  /** The master could not keep the copy. */
  refuse(): void {
    this.isWanted = false;
  }

  over(): void {
    this.isOver = true;
    this.isWanted = false;
    this.carrier.ended(this);
  }

  letGo(): void {
    this.isWanted = false;
    this.carrier.leftTo(this);
  }
}
