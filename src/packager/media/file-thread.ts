// A thread for files that are many and small, as segments and lists: each of Node's own calls for one costs a way to another thread and
// back, and that is several times what the call itself takes. Here a message has all calls for a file, and those for others of the same
// moment. Recordings stay with Node's calls: they wait for the disk, and nobody else must wait with them.
import { Worker } from "node:worker_threads";
import type { FileWork } from "./file-work.js";
import type { Failure } from "./file-worker.js";

interface Asked {
  readonly work: FileWork;
  readonly done: (failure: Failure) => void;
}

/** It starts with the first work, and keeps its process only while there is some. */
class FileThread {
  private worker: Worker | null = null;
  /** Of this moment, and those that have been sent, in their order. */
  private young: Asked[] = [];
  private asked: Asked[] = [];

  /** Does a work behind all before it. Rejects with what the system says. Pieces in memory that is not shared are copied. */
  do(work: FileWork): Promise<void> {
    return new Promise((resolve, reject) => {
      const done = (failure: Failure): void => {
        if (failure === null) resolve();
        else reject(Object.assign(new Error(failure.message), { code: failure.code }));
      };
      if (this.young.push({ work, done }) === 1) queueMicrotask(() => this.send());
    });
  }

  private send(): void {
    const worker = (this.worker ??= this.start());
    const { young } = this;
    this.young = [];
    if (this.asked.length === 0) worker.ref();
    this.asked.push(...young);
    const works = young.map(({ work }) => sendable(work));
    worker.postMessage(works, []);
  }

  private start(): Worker {
    const worker = new Worker(new URL("file-worker.js", import.meta.url), { execArgv: [], name: "files" });
    worker.on("message", (failures: readonly Failure[]) => {
      this.asked.splice(0, failures.length).forEach(({ done }, index) => done(failures[index] ?? null));
      if (this.asked.length === 0) worker.unref();
    });
    worker.on("error", () => undefined); // `exit` tells
    worker.on("exit", () => {
      if (this.worker === worker) this.worker = null;
      for (const { done } of this.asked.splice(0)) done({ message: "the thread for files has ended", code: undefined });
    });
    return worker;
  }
}

/** A message takes all the memory that a piece is in, unless that is shared. */
function sendable(work: FileWork): FileWork {
  if (work.do !== "write") return work;
  return { ...work, pieces: work.pieces.map((piece) => (piece.buffer instanceof SharedArrayBuffer ? piece : new Uint8Array(piece))) };
}

/** Of this process. */
export const files = new FileThread();
