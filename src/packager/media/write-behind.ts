// What a live stream brings for files, until they have it. Nothing here is waited for by the stream: what the disk has not taken yet waits in
// memory, up to a bound, and the first failure ends the file and nothing else.
import { DolphinError, messageOf } from "../../base/errors.js";

/** What may wait for a slow disk, of one file. */
export const maxWriteBehindBytes = 32 << 20;
/** The same of all files of a packager, those that are whole and not yet written among them. */
export const maxAllWriteBehindBytes = 256 << 20;

/** What waits of all files; whose that is, apart from what is reserved. */
let allWaitingBytes = 0;
const behind = new Set<WriteBehind>();

/** Room in that bound for bytes that wait elsewhere; null: there is none. The function that it gives gives it back. */
export function reserve(bytes: number): (() => void) | null {
  if (isFull(bytes)) return null;
  allWaitingBytes += bytes;
  return () => void (allWaitingBytes -= bytes);
}

/** Gives up the files of which most can be forgotten, and no less than is asked for, until so many bytes more may wait. */
function makeRoom(bytes: number): void {
  const inOrder = isFull(bytes) ? [...behind].toSorted((one, other) => other.queuedBytes - one.queuedBytes) : [];
  for (const most of inOrder) {
    if (!isFull(bytes) || most.queuedBytes < bytes) return;
    const why = `disks are behind by more than ${maxAllWriteBehindBytes >> 20} MiB in all, and with this file by most`;
    most.fail(new DolphinError("PACK_SLOW", `${most.path}: ${why}`));
  }
}

function isFull(bytes: number): boolean {
  return allWaitingBytes + bytes > maxAllWriteBehindBytes;
}

/** Bytes as they lie in memory, and their place in the file. */
export type Write = (pieces: readonly Buffer[], at: number) => Promise<void>;

export interface WriteBehindOptions {
  readonly path: string;
  /** Of the file that it goes on with; 0: it begins one. */
  readonly sizeBytes: number;
  /** So much is gathered for one write. */
  readonly gatheredBytes: number;
  readonly write: Write;
  /** Is told what kept the file from being whole, once. */
  readonly onError: (error: DolphinError) => void;
  /** Is given all that was appended, once nobody reads it here any more. */
  readonly onWritten?: (bytes: Buffer) => void;
}

/** The bytes of one file. Nothing to close: what it has is over when the file has failed, or all is written. */
export class WriteBehind {
  /** Given to it so far. */
  sizeBytes: number;
  /** What is to be written, and what of that is not being written yet. */
  private waitingBytes = 0;
  queuedBytes = 0;
  private readonly options: WriteBehindOptions;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private readonly waiting: { readonly pieces: readonly Buffer[]; readonly bytes: number; readonly at: number }[] = [];
  private turn: Promise<void> = Promise.resolve();
  private error: DolphinError | null = null;

  constructor(options: WriteBehindOptions) {
    this.options = options;
    this.sizeBytes = options.sizeBytes;
  }

  get path(): string {
    return this.options.path;
  }

  /** What has ended the file. */
  get failure(): DolphinError | null {
    return this.error;
  }

  /** Takes bytes, which nobody changes any more. */
  append(bytes: Buffer): void {
    if (bytes.length === 0 || this.error !== null) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.sizeBytes += bytes.length;
    if (this.waitingBytes + this.pendingBytes > maxWriteBehindBytes) {
      this.fail(new DolphinError("PACK_SLOW", `${this.path}: the disk is behind by more than ${maxWriteBehindBytes >> 20} MiB`));
    } else if (this.pendingBytes >= this.options.gatheredBytes) this.flush();
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.pendingBytes > 0 && this.error === null) void this.write(this.options.write);
  }

  /** Gives what has been gathered to a write of its own, were it nothing. Resolves when that is over; never rejects. */
  write(write: Write): Promise<void> {
    const { pending: pieces, pendingBytes: bytes } = this;
    const at = this.sizeBytes - bytes;
    this.forget();
    makeRoom(bytes);
    if (isFull(bytes)) this.fail(new DolphinError("PACK_SLOW", `${this.path}: disks are behind, and nothing more may wait for them`));
    if (this.error === null) {
      this.waiting.push({ pieces, bytes, at });
      this.queuedBytes += bytes;
      this.count(bytes);
    }
    return this.run(async () => {
      const next = this.waiting.shift()!;
      this.queuedBytes -= next.bytes;
      try {
        await write(next.pieces, next.at);
      } finally {
        this.count(-next.bytes);
      }
      const { onWritten } = this.options;
      if (onWritten !== undefined) next.pieces.forEach(onWritten);
    });
  }

  /** Does something when what was flushed until now is written, if the file has not failed. Never rejects. */
  run(work: () => Promise<unknown>): Promise<void> {
    this.turn = this.turn.then(() => this.guarded(work));
    return this.turn;
  }

  /** Forgets what was gathered and is not yet to be written. */
  forget(): void {
    this.pending = [];
    this.pendingBytes = 0;
  }

  /** Gives the file up: nothing of it waits any more but what is being written. */
  fail(error: DolphinError): void {
    if (this.error !== null) return;
    this.error = error;
    this.forget();
    this.waiting.length = 0;
    this.count(-this.queuedBytes);
    this.queuedBytes = 0;
    this.options.onError(error);
  }

  private count(bytes: number): void {
    this.waitingBytes += bytes;
    allWaitingBytes += bytes;
    if (this.waitingBytes > 0) behind.add(this);
    else behind.delete(this);
  }

  private async guarded(work: () => Promise<unknown>): Promise<void> {
    if (this.error !== null) return;
    try {
      await work();
    } catch (cause) {
      this.fail(new DolphinError("PACK_WRITE", `${this.path}: ${messageOf(cause)}`, { cause }));
    }
  }
}
