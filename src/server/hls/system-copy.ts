// A segment as the system can send it by itself: a copy in memory that has a descriptor, from which sendfile(2) gives pages to a socket.
// What is written from the process's own memory is copied once more for each viewer, which is a third of all that a segment costs. A file
// on a disk would do for that as well, but it may have to be read again while everybody waits; this memory is always there.
import { closeSync, writeSync } from "node:fs";
import { withLibc } from "../../base/libc.js";

/** What is shorter is written as it is. */
export const leastCopiedBytes = 64 << 10;
const closeOnExec = 1;
/** Flags of send(2): what follows goes into the same packet; nobody waits, and nobody is killed. */
const more = 0x8000 | 0x40 | 0x4000;

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

/** Loads it; null where there are no such copies. */
export function loadSystemCopies(): Promise<CopyToSystem | null> {
  return withLibc((libc) => {
    const create = libc.func("int memfd_create(const char *, unsigned int)") as (name: string, flags: number) => number;
    type Send = (to: number, from: number, at: BigInt64Array, bytes: number) => number;
    const sendfile = libc.func("intptr_t sendfile(int, int, int64_t *, size_t)") as Send;
    const sendHead = libc.func("intptr_t send(int, const void *, size_t, int)") as (
      to: number,
      head: Buffer,
      bytes: number,
      flags: number,
    ) => number;
    const place = new BigInt64Array(1);
    return (bytes) => {
      let fd = create("dolphin-segment", closeOnExec);
      if (fd < 0) return null;
      const copy: SystemCopy = {
        send(socketFd, head, at, count) {
          if (fd < 0) return 0;
          const taken = Math.max(0, sendHead(socketFd, head, head.length, more));
          if (taken < head.length) return taken;
          place[0] = BigInt(at);
          return taken + Math.max(0, sendfile(socketFd, fd, place, count));
        },
        close() {
          if (fd >= 0) closeSync(fd);
          fd = -1;
        },
      };
      try {
        for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
        return copy;
      } catch {
        copy.close(); // there is no memory for it: it is written as it is
        return null;
      }
    };
  });
}
