// Reads publishers in step: after a read, a publisher's socket is left alone until the next tick, so that one read brings
// all that came meanwhile. A publisher sends 50 to 75 small pieces a second, and what a read costs hardly depends on how much
// it brings; the delay is a fraction of what players' batches take anyway. Where the system call can be made directly, the tick
// makes it: to have Node watch a socket for one read and leave it alone again costs more than the read. Measured:
// docs/decisions/0004-reading.md.
//
//   Node's first read ─▶ add ─▶ tick: read ─▶ take ─┬─ there is more: again ─┐
//                                 ▲                  └─ nothing now ──────────┴─▶ the next tick
//                                 └ the end or an error: back to Node, which finds the same and says it
import type { Socket } from "node:net";
import { constants } from "node:os";
import { Deadline } from "../../base/deadline.js";
import { withLibc } from "../../base/libc.js";
import { descriptorOf, readBufferBytes, type Take } from "../../wire/shared-read.js";

/** How long a publisher's socket is left alone at least: what batches take away from anybody's sight begins here. */
export const mergeMs = 80;
/** How many ticks one waits for a read whom nobody watches. */
export const mostTicks = 3;
/** Between two reads of such a one, and so how long its end may go unnoticed. */
export const patientMs = mostTicks * mergeMs;
/** A read of this size is no longer one of little: the socket's own memory must not fill. */
const mostPatientBytes = 32 << 10;
/** Reads of one socket in one tick; who sends more than that is read again in the next. */
const maxReads = 8;

/** Reads what has come, without waiting: how many bytes, 0 for the end of the stream, -1 for an error, null for nothing now. */
export type DirectRead = (fd: number, into: Buffer) => number | null;

/** Loads it; null where Node has to read. */
export function loadDirectRead(): Promise<DirectRead | null> {
  return withLibc((libc, native) => {
    const read = libc.func("intptr_t read(int, void *, size_t)") as (fd: number, into: Buffer, bytes: number) => number;
    const { EAGAIN, EINTR } = constants.errno;
    return (fd, into) => {
      const count = read(fd, into, into.length);
      if (count >= 0) return count;
      const errno = native.errno();
      return errno === EAGAIN || errno === EINTR ? null : -1;
    };
  });
}

/** Who is read. */
export interface MergedReader {
  /** Takes what a read brought, valid until it returns, and tells whether Node is to read on. */
  readonly take: Take;
  /**
   * How many ticks it may wait for its next read: 1 to {@link mostTicks}. Asked once a read: at each tick it would be the dearest that
   * there is, for it looks at much that has left the processor's caches since.
   */
  readonly ticks: number;
}

interface Waiting {
  readonly reader: MergedReader;
  /** Ticks that are left out before the next read. */
  rest: number;
}

/** The sockets that are read together. `close` stops it. */
export class MergedReads {
  private readonly direct: DirectRead | null;
  private readonly buffer: Buffer;
  private readonly waiting = new Map<Socket, Waiting>();
  private added = 0;
  private readonly next = new Deadline();

  constructor(direct: DirectRead | null) {
    this.direct = direct;
    this.buffer = Buffer.allocUnsafe(direct === null ? 0 : readBufferBytes);
  }

  /** Reads the socket at the ticks from now on. Node's reading must have stopped. */
  add(socket: Socket, reader: MergedReader): void {
    if (!this.waiting.has(socket)) this.waiting.set(socket, { reader, rest: this.added++ % reader.ticks });
    this.next.ensure(mergeMs, this.tick);
  }

  /** Leaves a socket to whoever stops or resumes it otherwise. */
  remove(socket: Socket): void {
    this.waiting.delete(socket);
  }

  close(): void {
    this.next.clear();
    this.waiting.clear();
  }

  private readonly tick = (): void => {
    for (const [socket, waiting] of this.waiting) {
      if (waiting.rest > 0) {
        waiting.rest -= 1;
        continue;
      }
      waiting.rest = waiting.reader.ticks - 1;
      if (this.direct !== null && this.readsOn(socket, waiting, this.direct)) continue;
      this.waiting.delete(socket);
      socket.resume();
    }
    if (this.waiting.size > 0) this.next.ensure(mergeMs, this.tick);
  };

  /** Whether the socket is still one of these, or somebody else's by now; false: it goes back to Node. */
  private readsOn(socket: Socket, waiting: Waiting, read: DirectRead): boolean {
    const isHere = (): boolean => this.waiting.get(socket) === waiting;
    for (let reads = 0; reads < maxReads; reads++) {
      const fd = descriptorOf(socket);
      const count = fd === null ? -1 : read(fd, this.buffer);
      if (count === null) return true;
      if (count <= 0) return false;
      const isFull = count === this.buffer.length;
      const isNodes = waiting.reader.take(this.buffer.subarray(0, count)) && !isFull;
      if (count > mostPatientBytes) waiting.rest = 0;
      if (!isHere()) return true; // what was read has ended it
      if (isNodes) return false;
      if (!isFull) return true;
    }
    return true;
  }
}
