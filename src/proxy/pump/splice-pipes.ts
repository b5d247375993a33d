// The pipes of the splice loop: made when a far side is slow, kept for the next one, emptied where their bytes go nowhere.
import { NONBLOCK_CLOEXEC, type SpliceCalls } from "./splice-calls.js";

export type Pipe = readonly [read: number, write: number];

/** What a pipe of the usual size takes. */
export const pipeBytes = 64 << 10;

const keptPipes = 64;

/** Pipes that nobody uses. A pipe that was taken is its taker's to give back or to close. */
export class PipePool {
  private readonly calls: SpliceCalls;
  private readonly free: Pipe[] = [];
  private readonly scratch = new Uint8Array(pipeBytes);

  constructor(calls: SpliceCalls) {
    this.calls = calls;
  }

  /** An empty pipe; null: the system gives no more descriptors. */
  take(): Pipe | null {
    const kept = this.free.pop();
    if (kept !== undefined) return kept;
    const ends = new Int32Array(2);
    return this.calls.pipe2(ends, NONBLOCK_CLOEXEC) < 0 ? null : [ends[0]!, ends[1]!];
  }

  /** Takes an empty pipe back. */
  giveBack(pipe: Pipe): void {
    if (this.free.length < keptPipes) this.free.push(pipe);
    else this.close(pipe);
  }

  /** Drops what is in a pipe. */
  empty(pipe: Pipe, count: number): void {
    for (let left = count; left > 0;) {
      const got = this.calls.read(pipe[0], this.scratch, Math.min(left, pipeBytes));
      if (got <= 0) return;
      left -= got;
    }
  }

  close(pipe: Pipe): void {
    for (const fd of pipe) this.calls.close(fd);
  }

  /** Closes those that nobody uses. */
  closeAll(): void {
    for (const pipe of this.free.splice(0)) this.close(pipe);
  }
}
