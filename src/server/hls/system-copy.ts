// A segment as the system can send it by itself: a copy whose pages are lent to sockets, so that nothing is copied once more for each
// viewer, which is a third of all that a segment costs. The pages go through a pipe (vmsplice(2), splice(2)): no file is looked into for
// each of them, as sendfile(2) does, and none on a disk may have to be read again while everybody waits. What lies in a copy is never
// changed: a socket still has pages of it when the copy has gone.
//
//   copy ── vmsplice ─▶ pipe ── splice ─▶ socket
//                         └─ what the socket has no room for ─▶ nowhere
import { openSync } from "node:fs";
import { withLibc, type Libc } from "../../base/libc.js";

/** What is shorter is written as it is. */
export const leastCopiedBytes = 64 << 10;
/** Flags of send(2): what follows goes into the same packet; nobody waits, and nobody is killed. */
const more = 0x8000 | 0x40 | 0x4000;
/** `SPLICE_F_NONBLOCK`, `SPLICE_F_MORE`. */
const [atOnce, moreFollows] = [2, 4];
/** `O_NONBLOCK | O_CLOEXEC`; `F_SETPIPE_SZ`, `F_GETPIPE_SZ`. */
const [pipeFlags, setPipeSize, getPipeSize] = [0x8_0800, 1031, 1032];
/** `PROT_READ | PROT_WRITE`, `MAP_PRIVATE | MAP_ANONYMOUS`, `MAP_FAILED`. */
const [toFill, ofOurOwn, mapFailed] = [3, 0x22, 0xffff_ffff_ffff_ffffn];
/** Where a user may have so large a pipe; it has room for pages, which may be cut at both ends. */
const wantedPipeBytes = 1 << 20;
const largestPageBytes = 64 << 10;

/** One copy. `close` ends it; what sockets have of it stays theirs. */
export interface SystemCopy {
  /**
   * Gives a socket's descriptor a head, and bytes from a place on behind it; tells how many it has taken of both together. 0: it has no
   * room, or is gone.
   */
  send(socketFd: number, head: Buffer, at: number, bytes: number): number;
  close(): void;
}

/** Makes a copy; null: the system gives none. */
export type CopyToSystem = (bytes: Buffer) => SystemCopy | null;

interface Calls {
  mmap(address: null, bytes: number, protection: number, flags: number, fd: number, offset: number): bigint;
  munmap(address: bigint, bytes: number): number;
  pipe2(ends: Int32Array, flags: number): number;
  fcntl(fd: number, command: number, value: number): number;
  vmsplice(to: number, pieces: BigUint64Array, count: number, flags: number): number;
  splice(from: number, fromAt: null, to: number, toAt: null, bytes: number, flags: number): number;
  memcpy(to: bigint, from: Buffer, bytes: number): bigint;
  send(to: number, head: Buffer, bytes: number, flags: number): number;
}

/** Loads it; null where there are no such copies. */
export function loadSystemCopies(): Promise<CopyToSystem | null> {
  return withLibc((libc, native) => {
    const calls = callsOf(libc);
    const lender = new Lender(calls);
    if (!lender.canLend(native.address(new Uint8Array(1)))) throw new Error("the system lends no pages");
    return (bytes) => copyOf(bytes, calls, lender);
  });
}

function callsOf(libc: Libc): Calls {
  return {
    mmap: libc.func("void *mmap(void *, size_t, int, int, int, int64_t)"),
    munmap: libc.func("int munmap(void *, size_t)"),
    pipe2: libc.func("int pipe2(int *, int)"),
    fcntl: libc.func("int fcntl(int, int, int)"),
    vmsplice: libc.func("intptr_t vmsplice(int, const void *, size_t, unsigned int)"),
    splice: libc.func("intptr_t splice(int, void *, int, void *, size_t, unsigned int)"),
    memcpy: libc.func("void *memcpy(void *, const void *, size_t)"),
    send: libc.func("intptr_t send(int, const void *, size_t, int)"),
  };
}

function copyOf(bytes: Buffer, calls: Calls, lender: Lender): SystemCopy | null {
  const address = calls.mmap(null, bytes.length, toFill, ofOurOwn, -1, 0);
  if (address === mapFailed) return null; // there is no memory for it: it is written as it is
  calls.memcpy(address, bytes, bytes.length);
  let isOpen = true;
  return {
    send(socketFd, head, at, count) {
      if (!isOpen) return 0;
      const taken = Math.max(0, calls.send(socketFd, head, head.length, more));
      return taken < head.length ? taken : taken + lender.lend(socketFd, address + BigInt(at), count);
    },
    close() {
      if (isOpen) calls.munmap(address, bytes.length);
      isOpen = false;
    },
  };
}

/** The pipe of the process, which is empty but for the moment in which something goes through it. */
class Lender {
  private readonly calls: Calls;
  private readonly ends = new Int32Array(2);
  private readonly nowhere = openSync("/dev/null", "w");
  private readonly most: number;
  /** `struct iovec`. */
  private readonly piece = new BigUint64Array(2);
  private isStuck = false;

  constructor(calls: Calls) {
    this.calls = calls;
    if (calls.pipe2(this.ends, pipeFlags) < 0) throw new Error("there is no pipe");
    const [, into] = this.ends;
    calls.fcntl(into!, setPipeSize, wantedPipeBytes);
    this.most = Math.max(largestPageBytes / 2, calls.fcntl(into!, getPipeSize, 0) - largestPageBytes);
  }

  /** Whether a byte at an address goes through, and away. */
  canLend(address: bigint): boolean {
    return this.lend(this.nowhere, address, 1) === 1;
  }

  /** Tells how many of the bytes the socket has taken. */
  lend(socketFd: number, address: bigint, bytes: number): number {
    const { calls, piece } = this;
    const [out, into] = this.ends as unknown as readonly [number, number];
    for (let taken = 0; ;) {
      piece[0] = address + BigInt(taken);
      piece[1] = BigInt(Math.min(bytes - taken, this.most));
      const given = this.isStuck ? 0 : calls.vmsplice(into, piece, 1, atOnce);
      if (given <= 0) return taken;
      const isLast = taken + given === bytes;
      const sent = Math.max(0, calls.splice(out, null, socketFd, null, given, isLast ? atOnce : atOnce | moreFollows));
      taken += sent;
      if (sent < given) this.empty(given - sent);
      if (sent < given || isLast) return taken;
    }
  }

  private empty(bytes: number): void {
    const gone = this.calls.splice(this.ends[0]!, null, this.nowhere, null, bytes, atOnce);
    this.isStuck = gone < bytes; // never seen; from then on all is written as it is
  }
}
