// A file that grows by what a live stream brings. Nothing here is waited for by the stream: what the disk has not taken yet waits in
// memory, up to a bound, and the first failure ends the file and nothing else.
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { DolphinError, messageOf } from "../../base/errors.js";
import { inFolder } from "./folders.js";

/** What may wait for a slow disk, of one file. */
export const maxWriteBehindBytes = 32 << 20;
/** The same of all files of a packager, those that are closed and not yet written among them. */
export const maxAllWriteBehindBytes = 256 << 20;
/** So much is gathered for one write. */
const gatheredBytes = 128 << 10;

/** What waits of all files; whose that is, apart from what is reserved. */
let allWaitingBytes = 0;
const behind = new Set<FileWriter>();

/** Room in that bound for bytes that wait elsewhere; null: there is none. The function that it gives gives it back. */
export function reserve(bytes: number): (() => void) | null {
  if (isFull(bytes)) return null;
  allWaitingBytes += bytes;
  return () => void (allWaitingBytes -= bytes);
}

/** What is left of pieces behind so many bytes. */
function rest(pieces: readonly Buffer[], bytes: number): readonly Buffer[] {
  let left = bytes;
  const first = pieces.findIndex(({ length }) => (left -= length) < 0);
  return first < 0 ? [] : [pieces[first]!.subarray(left + pieces[first]!.length), ...pieces.slice(first + 1)];
}

/** Gives up the files that wait with most, until so many bytes more may wait. */
function makeRoom(bytes: number): void {
  const inOrder = isFull(bytes) ? [...behind].toSorted((one, other) => other.waitingBytes - one.waitingBytes) : [];
  for (const most of inOrder) {
    if (!isFull(bytes)) return;
    const why = `disks are behind by more than ${maxAllWriteBehindBytes >> 20} MiB in all, and with this file by most`;
    most.fail(new DolphinError("PACK_SLOW", `${most.path}: ${why}`));
  }
}

function isFull(bytes: number): boolean {
  return allWaitingBytes + bytes > maxAllWriteBehindBytes;
}

export interface FileWriterOptions {
  /** It goes on behind so many bytes of a file that is there: what is behind them is cut off. Null: it begins. */
  readonly keptBytes?: number | null;
  /** Whoever had the name before has let go of it then. */
  readonly after?: Promise<void>;
  /** Is given all that was appended, once nobody reads it here any more. */
  readonly onWritten?: ((bytes: Buffer) => void) | null;
}

/** A file under way. `finish` or `discard` ends it. */
export class FileWriter {
  readonly path: string;
  /** Given to it so far. */
  sizeBytes: number;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  /** What is gathered and not yet written. */
  waitingBytes = 0;
  private readonly waiting: { readonly pieces: readonly Buffer[]; readonly bytes: number; readonly at: number }[] = [];
  private turn: Promise<void>;
  private handle: FileHandle | null = null;
  private error: DolphinError | null = null;
  private readonly onError: (error: DolphinError) => void;
  private readonly onWritten: ((bytes: Buffer) => void) | null;

  /** Begins a file. Throws nothing: what fails is told to `onError`, once. */
  constructor(path: string, onError: (error: DolphinError) => void, options: FileWriterOptions = {}) {
    const { keptBytes = null, after = Promise.resolve(), onWritten = null } = options;
    this.path = path;
    this.onError = onError;
    this.onWritten = onWritten;
    this.sizeBytes = keptBytes ?? 0;
    this.turn = this.guarded(async () => {
      await after;
      this.handle = await inFolder(path, () => open(path, keptBytes === null ? "w" : "r+", 0o644));
      if (keptBytes !== null) await this.handle.truncate(keptBytes);
    });
  }

  get hasFailed(): boolean {
    return this.error !== null;
  }

  /** Takes bytes, which nobody changes any more. */
  append(bytes: Buffer): void {
    if (bytes.length === 0 || this.error !== null) return;
    this.pending.push(bytes);
    this.pendingBytes += bytes.length;
    this.sizeBytes += bytes.length;
    if (this.waitingBytes + this.pendingBytes > maxWriteBehindBytes) {
      this.fail(new DolphinError("PACK_SLOW", `${this.path}: the disk is behind by more than ${maxWriteBehindBytes >> 20} MiB`));
    } else if (this.pendingBytes >= gatheredBytes) this.flush();
  }

  /** Writes what has been gathered. */
  flush(): void {
    if (this.pendingBytes === 0 || this.error !== null) return;
    const { pending: pieces, pendingBytes: bytes } = this;
    const at = this.sizeBytes - bytes;
    this.pending = [];
    this.pendingBytes = 0;
    makeRoom(bytes);
    if (this.hasFailed) return;
    this.waiting.push({ pieces, bytes, at });
    this.count(bytes);
    this.turn = this.turn.then(() =>
      this.guarded(async () => {
        const next = this.waiting.shift()!;
        await this.writeAt(next.pieces, next.at);
        if (!this.hasFailed) this.count(-next.bytes);
        if (this.onWritten !== null) next.pieces.forEach(this.onWritten);
      }),
    );
  }

  private count(bytes: number): void {
    this.waitingBytes += bytes;
    allWaitingBytes += bytes;
    if (this.waitingBytes > 0) behind.add(this);
    else behind.delete(this);
  }

  /** Writes bytes over others, when all that was appended until now is written. */
  patch(bytes: Buffer, at: number): void {
    this.flush();
    this.turn = this.turn.then(() => this.guarded(() => this.writeAt([bytes], at)));
  }

  /** Resolves when what was appended until now is with the system. Never rejects. */
  async written(): Promise<void> {
    this.flush();
    await this.turn;
  }

  /** The same, and with the disk: it outlives the machine. A file that somebody has deleted has failed. Never rejects. */
  async sync(): Promise<void> {
    this.flush();
    this.turn = this.turn.then(() =>
      this.guarded(async () => {
        const { handle, path } = this;
        if (handle === null) return;
        await handle.datasync();
        const [own, there] = [await handle.stat(), await stat(path)];
        if (own.ino !== there.ino) throw new Error("another file has its name");
      }),
    );
    await this.turn;
  }

  /** Ends the file under another name. Throws what kept it from being whole; then it is gone. */
  async finish(name: string): Promise<void> {
    await this.close();
    if (this.error === null) await this.guarded(() => rename(this.path, name));
    if (this.error === null) return;
    await rm(this.path, { force: true }).catch(() => undefined); // the disk that failed may fail again
    throw this.error;
  }

  /** Ends the writing, and leaves the file as it is. Never rejects. */
  async close(): Promise<void> {
    this.flush();
    this.turn = this.turn.then(async () => {
      const { handle } = this;
      this.handle = null;
      if (this.hasFailed) await handle?.close().catch(() => undefined); // it was told of what kept it from being whole
      else await this.guarded(async () => handle?.close());
    });
    await this.turn;
  }

  /** Ends the file, and there is none. Never rejects. */
  async discard(): Promise<void> {
    this.pending = [];
    this.pendingBytes = 0;
    await this.close();
    await rm(this.path, { force: true }).catch(() => undefined);
  }

  private async writeAt(pieces: readonly Buffer[], at: number): Promise<void> {
    for (let [left, to] = [pieces, at]; left.length > 0;) {
      const { bytesWritten } = await this.handle!.writev(left, to);
      left = rest(left, bytesWritten);
      to += bytesWritten;
    }
  }

  private async guarded(work: () => Promise<unknown>): Promise<void> {
    if (this.error !== null) return;
    try {
      await work();
    } catch (cause) {
      this.fail(new DolphinError("PACK_WRITE", `${this.path}: ${messageOf(cause)}`, { cause }));
    }
  }

  /** Gives the file up: nothing of it waits any more. */
  fail(error: DolphinError): void {
    if (this.error !== null) return;
    this.error = error;
    this.pending = [];
    this.pendingBytes = 0;
    this.waiting.length = 0;
    this.count(-this.waitingBytes);
    this.onError(error);
  }
}
