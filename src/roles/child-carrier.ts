// A child's way to the vault in the master: connections whose viewers shall outlive this process are sent there, with what they
// are, at the end of the event loop's turn in which they begin to play, and called back when they are over.
import { loadDescriptorLinks, type DescriptorLink, type Parcel } from "../ipc/descriptor-link.js";
import type { AdoptNote, CarriedSession, CarryNote, PublisherNote } from "../ipc/carried.js";
import { loadMarks, type Marks } from "../ipc/marks.js";
import type { Position } from "../base/position.js";
import type { FromChild } from "../ipc/messages.js";
import type { Mover } from "../server/rtmp/saved-publisher.js";
import type { Carriage, Carrier } from "../server/carriage.js";

/** The environment variable in which the master tells the descriptors of the link and of the marks. */
export const linkVariable = "DOLPHIN_LINK";

/** The carrier of one child, for the life of the process. */
export class ChildCarrier implements Carrier {
  private readonly link: DescriptorLink;
  private readonly marks: Marks;
  private readonly say: (message: FromChild) => void;
  private parcels: Parcel[] = [];
  private over: { readonly token: string; readonly row: number | null }[] = [];
  /** Those that are carried now. */
  private readonly tokens = new Set<string>();
  private letGo: string[] = [];
  private flushing: NodeJS.Immediate | null = null;

  private constructor(link: DescriptorLink, marks: Marks, say: (message: FromChild) => void) {
    this.link = link;
    this.marks = marks;
    this.say = say;
  }

  /** Null where the master keeps no connections. */
  static async open(variable: string | undefined, say: (message: FromChild) => void): Promise<ChildCarrier | null> {
    const [linkFd, marksFd] = (variable ?? "").split(",").map(Number);
    if (linkFd === undefined || marksFd === undefined) return null;
    const [links, maker] = await Promise.all([loadDescriptorLinks(), loadMarks()]);
    return links === null || maker === null ? null : new ChildCarrier(links.open(linkFd), maker.open(marksFd), say);
  }

  carry(fd: number, session: CarriedSession, from: Position | null): Carriage | null {
    const row = this.marks.take(from);
    if (row === null) return null;
    const { token } = session;
    this.tokens.add(token);
    const note: CarryNote = { session, row };
    const parcel: Parcel = { fd, note };
    this.parcels.push(parcel);
    this.flushSoon();
    const take = (): void => {
      // Its descriptor is closed next, and may be another's before the parcel goes.
      this.parcels = this.parcels.filter((one) => one !== parcel);
      this.link.withdraw(parcel);
      this.flushSoon();
    };
    return {
      words: this.marks.words,
      at: row,
      over: () => {
        take();
        this.tokens.delete(token);
        this.over.push({ token, row });
      },
      letGo: () => {
        if (this.parcels.includes(parcel)) this.flush(); // the copy must be there before ours is closed
        this.letGo.push(token);
        this.flushSoon();
      },
    };
  }

  /** Takes publishers to the origin in the master. */
  readonly mover: Mover = (publisher, fd) =>
    new Promise((resolve) => {
      this.link.send([{ fd, note: { publisher } satisfies PublisherNote }], () => {
        this.say({ type: "parcels" });
        resolve();
      });
    });

  /** Hands over the connections that this process is to go on with. The copy of one that it does not carry on is given up. */
  receive(adopt: (fd: number, note: AdoptNote) => void): void {
    for (const { fd, note } of this.link.receive()) {
      const adopted = note as AdoptNote;
      const { token } = adopted.session;
      adopt(fd, adopted);
      if (!this.tokens.has(token)) this.over.push({ token, row: null });
    }
    this.flushSoon();
  }

  private flushSoon(): void {
    this.flushing ??= setImmediate(() => this.flush());
  }

  private flush(): void {
    if (this.flushing !== null) clearImmediate(this.flushing);
    this.flushing = null;
    const { parcels, over, letGo } = this;
    [this.parcels, this.over, this.letGo] = [[], [], []];
    if (parcels.length > 0) this.link.send(parcels, () => this.say({ type: "parcels" }));
    if (over.length > 0) this.say({ type: "over", tokens: over.map(({ token }) => token) });
    for (const { row } of over) if (row !== null) this.marks.giveBack(row);
    if (letGo.length > 0) this.say({ type: "let-go", tokens: letGo });
  }
}
