// How far each carried session of a child has got, in memory that the master shares: it can be read after the child was
// killed in the middle of a line. The child writes with plain stores, two or three for a batch and viewer, and calls nothing.
//
//   row of a viewer    [ state | timestamp | kind and length of the last packet ]
//   row of a pair      [ state | KiB from the client | KiB from the server ]
//
// `state` is `busy` from before a write until the system has taken all of it: whoever dies then has left half a message
// behind, and nobody can go on from there. A pair's is busy from before a read: what was read is in no connection any more.
import { closeSync } from "node:fs";
import { DolphinError } from "../base/errors.js";
import { withLibc } from "../base/libc.js";
import type { Position } from "../base/position.js";

/** Sessions of one child that can be carried; the memory is taken as it is used. */
export const maxRows = 65_536;
const rowWords = 4;
const tableBytes = maxRows * rowWords * 4;

/** Words of a row. */
export const stateWord = 0;
export const timestampWord = 1;
export const packetWord = 2;
/** Nothing was sent yet. */
export const stateUnused = 0;
/** A write may be half out. */
export const stateBusy = 1;
/** Everything up to the packet of the row is with the system. */
export const stateClean = 2;

interface Calls {
  memfd_create(name: string, flags: number): number;
  ftruncate(fd: number, bytes: number): number;
  mmap(address: null, bytes: number, protection: number, flags: number, fd: number, offset: number): bigint;
  munmap(address: bigint, bytes: number): number;
  view(address: bigint, bytes: number): ArrayBuffer;
}

const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const mapFailed = 0xffff_ffff_ffff_ffffn;

/** Loads what tables are made of, or tells that it is not to be had here. */
export function loadMarks(): Promise<MarksMaker | null> {
  return withLibc(
    (libc, native) =>
      new MarksMaker({
        memfd_create: libc.func("int memfd_create(const char *, unsigned int)"),
        ftruncate: libc.func("int ftruncate(int, int64_t)"),
        mmap: libc.func("void *mmap(void *, size_t, int, int, int, int64_t)"),
        munmap: libc.func("int munmap(void *, size_t)"),
        view: (address, bytes) => native.view(address, bytes),
      }),
  );
}

/** Makes tables, and opens those that another process made. */
export class MarksMaker {
  private readonly calls: Calls;

  constructor(calls: Calls) {
    this.calls = calls;
  }

  /** A new table, and the descriptor to give to a child, which the caller closes. Throws CHILD_START. */
  create(): { readonly marks: Marks; readonly fd: number } {
    const fd = this.calls.memfd_create("dolphin-marks", MFD_CLOEXEC);
    if (fd < 0) throw new DolphinError("CHILD_START", "cannot make shared memory");
    try {
      if (this.calls.ftruncate(fd, tableBytes) !== 0) throw new DolphinError("CHILD_START", "cannot make shared memory");
      return { marks: this.open(fd), fd };
    } catch (thrown) {
      closeSync(fd);
      throw thrown;
    }
  }

  /** The table behind a descriptor, which stays the caller's: another thread opens it again. Throws CHILD_START. */
  open(fd: number): Marks {
    const address = this.calls.mmap(null, tableBytes, PROT_READ_WRITE, MAP_SHARED, fd, 0);
    if (address === mapFailed) throw new DolphinError("CHILD_START", "cannot map shared memory");
    const words = new Int32Array(this.calls.view(address, tableBytes));
    return new Marks(words, () => void this.calls.munmap(address, tableBytes));
  }
}

/** A table of rows. Close it when nobody will look at it any more: looking later would end the process. */
export class Marks {
  /** Four words a row. */
  readonly words: Int32Array;
  private readonly unmap: () => void;
  private readonly free: number[] = [];
  private used = 0;
  private isClosed = false;

  constructor(words: Int32Array, unmap: () => void) {
    this.words = words;
    this.unmap = unmap;
  }

  /** Takes a row for a session that has got so far (null: nothing yet); its first word's index, or null when all are taken. */
  take(from: Position | null): number | null {
    const row = this.free.pop() ?? (this.used < maxRows ? this.used++ : null);
    if (row === null) return null;
    const at = row * rowWords;
    this.words[at + timestampWord] = from?.timestamp ?? 0;
    this.words[at + packetWord] = from?.packet ?? 0;
    this.words[at + stateWord] = from === null ? stateUnused : stateClean;
    return at;
  }

  /** Gives a row back. */
  giveBack(at: number): void {
    this.free.push(at / rowWords);
  }

  /** Everything that was written to the session of a row is with the system. */
  settle(at: number): void {
    if (this.words[at + stateWord] === stateBusy) this.words[at + stateWord] = stateClean;
  }

  /** How far the session of a row has got; null: its last write may be half out. */
  read(at: number): Position | "start" | null {
    const { words } = this;
    if (words[at + stateWord] === stateUnused) return "start";
    if (words[at + stateWord] === stateBusy) return null;
    return { timestamp: words[at + timestampWord]! >>> 0, packet: words[at + packetWord]! };
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.unmap();
  }
}
