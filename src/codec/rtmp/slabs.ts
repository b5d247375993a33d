// Memory for what a publisher sends. It sends some 75 messages a second, and memory of its own for each keeps the system's allocator
// and the garbage collector busier than the parser, because fresh memory is touched for the first time. So reads are laid one behind
// the other into slabs, messages are views of them, and slabs are used again while they are warm.
//
//   read ─▶ open slab, filled from the front ─full─▶ lent ─sweep: nobody holds a view of it─▶ warm (of all connections) ─▶ open
//                                                      └─ the holder is gone, or cannot tell ─▶ left to the garbage collector
//
// Nobody counts references. Messages leave in the order in which they came, so whoever keeps those of a connection, its holder, names
// the oldest that it still needs when a sweep asks: all that came before is free. What a holder forgets to name is overwritten, so
// one that is not sure says so.

/** Bytes of one slab. */
export const slabBytes = 64 << 10;
/** Slabs that wait for use, of all connections together; more of them are left to the garbage collector. */
export const maxWarmSlabs = 64;

/** What is still needed of the slabs of one connection. */
export interface Held {
  /** Names the oldest payload of a list that is still needed. False: it lies in no slab, and the next one has to be named too. */
  add(payload: Buffer): boolean;
}

/** Names what is still needed; false: it cannot tell, and nothing of it may be used again. */
export type Holder = (held: Held) => boolean;

/** Last in, first out: the warmest is used first. */
const warm: Buffer[] = [];
const none: Buffer = Buffer.alloc(0);
let isPoisoned = false;

/** For tests: memory that is free is overwritten, so that whoever still reads it reads nonsense. */
export function poisonFreeSlabs(): void {
  isPoisoned = true;
}

/** The slabs of one connection. Nothing to close: drop it. */
export class Slabs {
  /** The one that is being filled; empty: there is none. */
  open = none;
  /** How far it is filled. */
  used = 0;
  private holder: Holder | null = null;
  /** Those that the holder is asked about. */
  private lent: Buffer[] = [];
  private readonly partial: () => Iterable<Buffer>;

  /** `partial` tells the payloads that are under way, which no holder knows yet. */
  constructor(partial: () => Iterable<Buffer>) {
    this.partial = partial;
  }

  /** Names who keeps the messages from now on; null: nobody who could tell. What was taken before is not used again. */
  lendTo(holder: Holder | null): void {
    this.holder = holder;
    this.lent = [];
    this.open = none;
    this.used = 0;
  }

  /** Whether reads are to be laid here. */
  get isLent(): boolean {
    return this.holder !== null;
  }

  /** Whether so many bytes fit behind the last ones. */
  hasRoomFor(bytes: number): boolean {
    return this.used + bytes <= this.open.length;
  }

  /** Appends bytes, for which there must be room, and returns where they begin. */
  append(bytes: Buffer): number {
    const at = this.used;
    this.open.set(bytes, at);
    this.used = at + bytes.length;
    return at;
  }

  /** Opens another slab. */
  renew(): void {
    this.sweep();
    this.open = warm.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
    this.used = 0;
    this.lent.push(this.open);
  }

  /** Finds the slabs that nobody needs, and leaves them to all connections. */
  private sweep(): void {
    const { lent } = this;
    let oldest = lent.length;
    const add = ({ buffer }: Buffer): boolean => {
      const at = lent.findIndex((slab) => slab.buffer === buffer);
      if (at >= 0 && at < oldest) oldest = at;
      return at >= 0;
    };
    for (const payload of this.partial()) add(payload);
    if (this.holder?.({ add }) !== true) this.lent = [];
    else for (const slab of lent.splice(0, oldest)) giveBack(slab);
  }
}

function giveBack(slab: Buffer): void {
  if (isPoisoned) slab.fill(0xdb);
  if (warm.length < maxWarmSlabs) warm.push(slab);
}
