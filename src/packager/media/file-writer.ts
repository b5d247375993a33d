// A file that grows by what a live stream brings. Nothing here is waited for by the stream: what the disk has not taken yet waits in
// memory, up to a bound, and the first failure ends the file and nothing else.
import { mkdir, open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { DolphinError, messageOf } from "../../base/errors.js";

/** What may wait for a slow disk, of one file. */
export const maxWriteBehindBytes = 32 << 20;
/** So much is gathered for one write. */
const gatheredBytes = 128 << 10;

/** A file under way. `finish` or `discard` ends it. */
export class FileWriter {
  readonly path: string;
  /** Given to it so far. */
  sizeBytes: number;
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private waitingBytes = 0;
  private turn: Promise<void>;
  private handle: FileHandle | null = null;
  private error: DolphinError | null = null;
  private readonly onError: (error: DolphinError) => void;

  /** Begins a file, or goes on behind so many bytes of one that is there: what is behind them is cut off. */
  constructor(path: string, onError: (error: DolphinError) => void, keptBytes: number | null = null) {
    this.path = path;
    this.onError = onError;
    this.sizeBytes = keptBytes ?? 0;
    this.turn = this.guarded(async () => {
      await mkdir(dirname(path), { recursive: true });
      this.handle = await open(path, keptBytes === null ? "w" : "r+", 0o644);
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
    const bytes = this.pending.length === 1 ? this.pending[0]! : Buffer.concat(this.pending);
    const at = this.sizeBytes - this.pendingBytes;
    this.pending = [];
    this.pendingBytes = 0;
    this.waitingBytes += bytes.length;
    this.turn = this.turn.then(() =>
      this.guarded(async () => {
        await this.writeAt(bytes, at);
        this.waitingBytes -= bytes.length;
      }),
    );
  }

  /** Writes bytes over others, when all that was appended until now is written. */
  patch(bytes: Buffer, at: number): void {
    this.flush();
    this.turn = this.turn.then(() => this.guarded(() => this.writeAt(bytes, at)));
  }

  /** Resolves when what was appended until now is with the system. Never rejects. */
  async written(): Promise<void> {
    this.flush();
    await this.turn;
  }

  /** The same, and with the disk: it outlives the machine. Never rejects. */
  async sync(): Promise<void> {
    await this.written();
    await this.guarded(async () => this.handle?.datasync());
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
    await this.written();
    const { handle } = this;
    this.handle = null;
    await this.guarded(async () => handle?.close());
  }

  /** Ends the file, and there is none. Never rejects. */
  async discard(): Promise<void> {
    this.pending = [];
    this.pendingBytes = 0;
    await this.close();
    await rm(this.path, { force: true }).catch(() => undefined);
  }

  private async writeAt(bytes: Buffer, at: number): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const { bytesWritten } = await this.handle!.write(bytes, from, bytes.length - from, at + from);
      from += bytesWritten;
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

  private fail(error: DolphinError): void {
    if (this.error !== null) return;
    this.error = error;
    this.pending = [];
    this.pendingBytes = 0;
    this.onError(error);
  }
}
