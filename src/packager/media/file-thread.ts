// A thread for files that are many and small, as segments and lists: each of Node's own calls for one costs a way to another thread and
// back, and that is several times what the call itself takes. Here a message has all calls for a file, and those for others of the same
// moment. Recordings stay with Node's calls: they wait for the disk, and nobody else must wait with them. Nor must the HLS of one disk
// wait for another: each folder that is configured has a thread.
import { Worker } from "node:worker_threads";
import { messageOf } from "../../base/errors.js";
import type { FileWork } from "./file-work.js";
import type { Done } from "./file-worker.js";
import { maxAllWriteBehindBytes } from "./write-behind.js";

/** What one thread may have of pieces that are not written: a disk that hangs leaves as much to others. */
export const maxThreadBytes = maxAllWriteBehindBytes / 2;

interface Asked {
  readonly work: FileWork;
  readonly done: (done: Done) => void;
}

/** It starts with the first work, and keeps its process only while there is some. */
export class FileThread {
  private worker: Worker | null = null;
  /** Of this moment, and those that have been sent, in their order. */
  private young: Asked[] = [];
  private asked: Asked[] = [];
  private bytes = 0;

  /**
   * Does a work behind all before it; resolves to whether its folder was there. Rejects with what the system says. Pieces in memory that
   * is not shared are copied.
   */
  do(work: FileWork): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const bytes = bytesOf(work);
      const done = (what: Done): void => {
        this.bytes -= bytes;
        if (typeof what === "boolean") resolve(what);
        else reject(Object.assign(new Error(what.message), { code: what.code }));
      };
      this.bytes += bytes;
      if (this.bytes > maxThreadBytes) done({ message: `the disk is behind by more than ${maxThreadBytes >> 20} MiB`, code: undefined });
      else if (this.young.push({ work, done }) === 1) queueMicrotask(() => this.send());
    });
  }

  private send(): void {
    const { young } = this;
    this.young = [];
    try {
      const worker = (this.worker ??= this.start());
      const copies: ArrayBuffer[] = [];
      const works = young.map(({ work }) => sendable(work, copies));
      worker.postMessage(works, copies);
      if (this.asked.length === 0) worker.ref();
      this.asked.push(...young);
    } catch (thrown) {
      for (const { done } of young) done({ message: `the thread for files: ${messageOf(thrown)}`, code: undefined });
    }
  }

  private start(): Worker {
    const worker = new Worker(new URL("file-worker.js", import.meta.url), { execArgv: [], name: "files" });
    let reason = "it ended";
    worker.on("message", (all: readonly Done[]) => {
      this.asked.splice(0, all.length).forEach(({ done }, index) => done(all[index]!));
      if (this.asked.length === 0) worker.unref();
    });
    worker.on("error", (error) => (reason = messageOf(error)));
    worker.on("exit", () => {
      this.worker = null;
      for (const { done } of this.asked.splice(0)) done({ message: `the thread for files: ${reason}`, code: undefined });
    });
    return worker;
  }
}

function bytesOf(work: FileWork): number {
  return work.do === "write" ? work.pieces.reduce((sum, { length }) => sum + length, 0) : 0;
}

/** A message takes all the memory that a piece is in: what is not shared is copied, and the copy goes over. */
function sendable(work: FileWork, copies: ArrayBuffer[]): FileWork {
  if (work.do !== "write") return work;
  const pieces = work.pieces.map((piece) => {
    if (piece.buffer instanceof SharedArrayBuffer) return piece;
    const copy = new Uint8Array(piece);
    copies.push(copy.buffer);
    return copy;
  });
  return { ...work, pieces };
}

const threads = new Map<string, FileThread>();

/** That of a folder, as the configuration has it. */
export function threadOf(folder: string): FileThread {
  const known = threads.get(folder) ?? new FileThread();
  threads.set(folder, known);
  return known;
}
