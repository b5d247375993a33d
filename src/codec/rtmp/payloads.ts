// The memory of the messages of one connection that are under way. Three ways, the cheapest first:
//
//   in place    the whole read is laid into a slab (slabs.ts), and the message is a view of it: nothing is copied for it but what
//               stands behind a chunk's header, which moves up
//   reserved    a message that does not fit there, or comes in longer reads, as a key frame does, is copied to a place in a slab
//   its own     what several messages at a time take, what is longer than the largest slab, and everything where nobody knows when it
//               is free again
//
// Messages must leave slabs in the order in which they took them, and what stands between the pieces of one message is another's. So
// one message at a time lies in a slab; when another begins before it is complete, it gets memory of its own.
import { DolphinError } from "../../base/errors.js";
import type { ChunkStream } from "./chunk-stream.js";
import { slabBytes, Slabs, type Holder } from "./slabs.js";

/** Memory that the unfinished messages of one connection may take together. */
export const maxPendingBytes = 16 << 20;

/** A payload gets its whole memory at once up to here, and grows beyond it as bytes really come. */
const eagerBytes = 64 << 10;
const growth = 4;
/** Longer reads are not laid into slabs: they are copied message by message. */
const slabReadBytes = slabBytes / 2;
const none = Buffer.alloc(0);

/** The payloads that are under way on these chunk streams. Nothing to close, but {@link lendTo} ends the use of slabs. */
export class Payloads {
  private readonly streams: ReadonlyMap<number, ChunkStream>;
  /** Null: nobody has kept messages yet, as of players nobody ever does. */
  private slabs: Slabs | null = null;
  private pendingBytes = 0;
  /** The message whose payload is a view of the open slab, and where that begins; null: none that is under way is. */
  private inPlace: ChunkStream | null = null;
  private placeAt = 0;
  /** The message that is copied into a place there; null: none that is under way is. Never beside one in place. */
  private reserved: ChunkStream | null = null;
  /** Whether the read under way lies in a slab. */
  private isSlabRead = false;

  constructor(streams: ReadonlyMap<number, ChunkStream>) {
    this.streams = streams;
  }

  /** Names who keeps the messages from now on (slabs.ts); null: nobody who could tell which of them it needs. */
  lendTo(holder: Holder | null): void {
    this.displaceLodger();
    if (holder !== null) this.slabs ??= new Slabs(() => this.underWay());
    this.slabs?.lendTo(holder);
  }

  /** Where a read lies that was placed. */
  get open(): Buffer {
    return this.slabs?.open ?? none;
  }

  /** Lays a read into the open slab and returns where it begins there; -1: it is to be read where it is. */
  place(bytes: Buffer, current: ChunkStream | null): number {
    const { slabs } = this;
    this.isSlabRead = slabs !== null && this.hasPlaceFor(slabs, bytes.length, current);
    return slabs !== null && this.isSlabRead ? slabs.append(bytes) : -1;
  }

  /** Takes the next bytes of a message, for which the caller counts `received`. Returns its payload. Throws RTMP_MEMORY. */
  take(stream: ChunkStream, bytes: Buffer, at: number, count: number): Buffer {
    if (stream === this.inPlace && bytes !== this.open) this.displace(stream);
    let payload = (stream.payload ??= this.begin(stream, bytes, at));
    if (stream.received + count > payload.length) payload = this.grow(stream, payload, stream.received + count, bytes);
    if (stream !== this.inPlace) bytes.copy(payload, stream.received, at, at + count);
    else if (this.placeAt + stream.received !== at) bytes.copyWithin(this.placeAt + stream.received, at, at + count);
    return payload;
  }

  /** Gives a message that is under way memory, and what has come of it before. */
  reopen(stream: ChunkStream, received: Buffer): void {
    stream.payload = this.takeMemory(Math.min(stream.length, Math.max(eagerBytes, received.length)));
    stream.received = received.copy(stream.payload);
  }

  /** A message is complete, or is not going to be. */
  forget(stream: ChunkStream): void {
    if (stream === this.inPlace) this.inPlace = null;
    else this.pendingBytes -= stream.payload?.length ?? 0;
    if (stream === this.reserved) this.reserved = null;
    stream.payload = null;
  }

  /** Whether a read of so many bytes goes into the open slab, which has room for it then. */
  private hasPlaceFor(slabs: Slabs, bytes: number, current: ChunkStream | null): boolean {
    const { inPlace } = this;
    if (!slabs.isLent || bytes > slabReadBytes) return false;
    if (current !== null && current !== inPlace && current.length - current.received > bytes) return false;
    if (slabs.hasRoomFor(bytes)) return true;
    const begun = inPlace?.payload?.subarray(0, inPlace.received) ?? none;
    if (inPlace !== null && inPlace.length + bytes > slabBytes) this.displace(inPlace);
    slabs.renew();
    if (this.inPlace !== null) {
      this.placeAt = slabs.append(begun);
      this.inPlace.payload = slabs.open.subarray(0, this.inPlace.length);
    }
    return true;
  }

  /** The memory for a payload that begins at a place of a read. */
  private begin(stream: ChunkStream, bytes: Buffer, at: number): Buffer {
    this.displaceLodger();
    if (bytes === this.open && at + stream.length <= bytes.length) {
      this.inPlace = stream;
      this.placeAt = at;
      return bytes.subarray(at, at + stream.length);
    }
    return this.reserve(stream, bytes, Math.min(stream.length, eagerBytes));
  }

  /** A place for a message behind all that lies in the slabs, if it can be had. */
  private reserve(stream: ChunkStream, bytes: Buffer, size: number): Buffer {
    // A slab that is being read is left to what it brings, and must stay the last but one, at most: those before it may be free.
    this.count(size);
    const isBarred = this.isSlabRead && bytes !== this.open;
    const place = isBarred ? null : (this.slabs?.reserve(size, this.isSlabRead) ?? null);
    this.reserved = place === null ? null : stream;
    return place ?? Buffer.allocUnsafe(size);
  }

  private grow(stream: ChunkStream, payload: Buffer, needed: number, bytes: Buffer): Buffer {
    const size = Math.min(stream.length, Math.max(needed, growth * payload.length));
    const grown = stream === this.reserved ? this.reserve(stream, bytes, size) : this.takeMemory(size);
    payload.copy(grown, 0, 0, stream.received);
    this.pendingBytes -= payload.length;
    stream.payload = grown;
    return grown;
  }

  /** Gives the message that is under way in a slab memory of its own. */
  private displaceLodger(): void {
    const stream = this.inPlace ?? this.reserved;
    if (stream !== null) this.displace(stream);
  }

  private displace(stream: ChunkStream): void {
    const begun = stream.payload!;
    if (stream === this.reserved) this.pendingBytes -= begun.length;
    this.inPlace = this.reserved = null;
    stream.payload = this.takeMemory(begun.length);
    begun.copy(stream.payload, 0, 0, stream.received);
  }

  private takeMemory(bytes: number): Buffer {
    this.count(bytes);
    return Buffer.allocUnsafe(bytes);
  }

  /** Counts so much memory of messages under way, before there is any. */
  private count(bytes: number): void {
    if (this.pendingBytes + bytes > maxPendingBytes) {
      throw new DolphinError("RTMP_MEMORY", `unfinished messages of one connection would take more than ${maxPendingBytes} bytes`);
    }
    this.pendingBytes += bytes;
  }

  private *underWay(): Generator<Buffer> {
    for (const { payload } of this.streams.values()) if (payload !== null) yield payload;
  }
}
