// Memory for what a publisher sends. It sends some 75 messages a second, and memory of its own for each keeps the system's allocator
// and the garbage collector busier than the parser, because fresh memory is touched for the first time. So reads are laid one behind
// the other into slabs, messages are views of them, and slabs are used again while they are warm.
//
//   read ─▶ open slab, filled from the front ─full─▶ lent ─sweep: nobody holds a view of it─▶ warm (of all connections) ─▶ open
//                                                      └─ the holder is gone, or cannot tell ─▶ left to the garbage collector
//
// A message that comes in longer reads, as a key frame does, is copied into a place of its own there, in a slab of its size.
//
// Nobody counts references. Messages leave in the order in which they came, so whoever keeps those of a connection, its holder, names
// the oldest that it still needs when a sweep asks: all that came before is free. What a holder forgets to name is overwritten, so
// one that is not sure says so.

/** Bytes of one slab. */
export const slabBytes = 64 << 10;
/** Slabs of messages that are longer than half of one; what is longer than these has memory of its own. */
const longSlabBytes = [256 << 10, 1 << 20];
export const maxSlabBytes = 1 << 20;
/**
 * Memory that waits for use, of all connections together, may be this much, or as much as was lent lately beyond what is; what is more is
 * left to the garbage collector. GOPs that end together give most of theirs back at once, and want it again a moment later.
 */
export const minWarmBytes = 4 << 20;
/** Lately: since so many times what is lent was taken, or in the turn before. A GOP takes less than once. */
const timesATurn = 4;

/** What is still needed of the slabs of one connection. */
export interface Held {
  /** Names the oldest payload of a list that is still needed. False: it lies in no slab, and the next one has to be named too. */
  add(payload: Buffer): boolean;
}

/** Names what is still needed; false: it cannot tell, and nothing of it may be used again. */
export type Holder = (held: Held) => boolean;

/** By size; last in, first out: the warmest is used first. */
const warm = new Map<number, ArrayBufferLike[]>([slabBytes, ...longSlabBytes].map((bytes) => [bytes, []]));
let warmBytes = 0;
let lentBytes = 0;
/** The most that was lent at a time: in this turn, and in the one before. */
let most = 0;
let mostBefore = 0;
let takenBytes = 0;
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
  private lent: ArrayBufferLike[] = [];
  private readonly partial: () => Iterable<Buffer>;

  /** `partial` tells the payloads that are under way, which no holder knows yet. */
  constructor(partial: () => Iterable<Buffer>) {
    this.partial = partial;
  }

  /** Names who keeps the messages from now on; null: nobody who could tell. What was taken before is not used again. */
  lendTo(holder: Holder | null): void {
    this.holder = holder;
    this.forget();
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
  renew(size = slabBytes): void {
    this.sweep();
    const memory = take(size);
    this.open = Buffer.from(memory);
    this.used = 0;
    this.lent.push(memory);
  }

  /** A place for so many bytes behind everything that was taken before, in the open slab or another one; null: they are too many. */
  reserve(bytes: number, isElsewhere: boolean): Buffer | null {
    if (!this.isLent || bytes > maxSlabBytes) return null;
    if (isElsewhere || !this.hasRoomFor(bytes)) this.renew(sizeFor(bytes));
    const at = this.used;
    this.used = at + bytes;
    return this.open.subarray(at, this.used);
  }

  /** Finds the slabs that nobody needs, and leaves them to all connections. */
  private sweep(): void {
    const { lent } = this;
    turn();
    let oldest = Math.max(0, lent.length - 1); // the last one is perhaps being read
    const add = ({ buffer }: Buffer): boolean => {
      const at = lent.indexOf(buffer);
      if (at >= 0 && at < oldest) oldest = at;
      return at >= 0;
    };
    for (const payload of this.partial()) add(payload);
    if (this.holder?.({ add }) !== true) this.forget();
    else for (const slab of lent.splice(0, oldest)) giveBack(slab);
  }

  private forget(): void {
    for (const { byteLength } of this.lent) lentBytes -= byteLength;
    this.lent = [];
  }
}

/** Forgets what was lent two turns ago, and leaves what waits because of it to the garbage collector. */
function turn(): void {
  if (takenBytes < timesATurn * Math.max(minWarmBytes, lentBytes)) return;
  takenBytes = 0;
  mostBefore = most;
  most = lentBytes;
  for (const slabs of warm.values()) while (slabs.length > 0 && warmBytes > maxWarmBytes()) warmBytes -= slabs.pop()!.byteLength;
}

function maxWarmBytes(): number {
  return Math.max(minWarmBytes, Math.max(most, mostBefore) - lentBytes);
}

/** Of the slab for a message of so many bytes. Those that would fill most of a short one share a longer one: each slab is a sweep. */
function sizeFor(bytes: number): number {
  return bytes <= slabBytes / 2 ? slabBytes : longSlabBytes.find((one) => one >= bytes)!;
}

function take(size: number): ArrayBufferLike {
  lentBytes += size;
  takenBytes += size;
  if (lentBytes > most) most = lentBytes;
  const slab = warm.get(size)?.pop();
  if (slab === undefined) return Buffer.allocUnsafeSlow(size).buffer;
  warmBytes -= size;
  return slab;
}

function giveBack(slab: ArrayBufferLike): void {
  const { byteLength } = slab;
  lentBytes -= byteLength;
  if (isPoisoned) Buffer.from(slab).fill(0xdb);
  if (warmBytes + byteLength > maxWarmBytes()) return;
  warmBytes += byteLength;
  warm.get(byteLength)?.push(slab);
}
