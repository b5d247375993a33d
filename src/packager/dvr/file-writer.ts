// The file of a recording, as it grows. Its turns wait for the disk, and so they go by the system's threads, of which others have some too.
import { open, stat, type FileHandle } from "node:fs/promises";
import type { DolphinError } from "../../base/errors.js";
import { rest } from "../media/file-work.js";
import { inFolder } from "../media/folders.js";
import { WriteBehind } from "../media/write-behind.js";

/** So much is gathered for one write. */
const gatheredBytes = 128 << 10;

/** A file under way. `close` ends it. */
export class FileWriter {
  private readonly behind: WriteBehind;
  private handle: FileHandle | null = null;

  /**
   * Begins a file, or goes on behind so many bytes of one that is there: what is behind them is cut off. Throws nothing: what fails is
   * told to `onError`, once.
   */
  constructor(path: string, onError: (error: DolphinError) => void, keptBytes: number | null = null) {
    const write = (pieces: readonly Buffer[], at: number): Promise<void> => this.writeAt(pieces, at);
    this.behind = new WriteBehind({ path, sizeBytes: keptBytes ?? 0, gatheredBytes, write, onError });
    void this.behind.run(async () => {
      this.handle = await inFolder(path, () => open(path, keptBytes === null ? "w" : "r+", 0o644));
      if (keptBytes !== null) await this.handle.truncate(keptBytes);
    });
  }

  get hasFailed(): boolean {
    return this.behind.failure !== null;
  }

  get sizeBytes(): number {
    return this.behind.sizeBytes;
  }

  /** Takes bytes, which nobody changes any more. */
  append(bytes: Buffer): void {
    this.behind.append(bytes);
  }

  /** Writes what has been gathered. */
  flush(): void {
    this.behind.flush();
  }

  /** Resolves when what was appended until now is with the system. Never rejects. */
  written(): Promise<void> {
    this.flush();
    return this.behind.run(() => Promise.resolve());
  }

  /** The same, and with the disk: it outlives the machine. A file that somebody has deleted has failed. Never rejects. */
  sync(): Promise<void> {
    this.flush();
    return this.behind.run(async () => {
      const { handle } = this;
      if (handle === null) return;
      await handle.datasync();
      const [own, there] = [await handle.stat(), await stat(this.behind.path)];
      if (own.ino !== there.ino) throw new Error("another file has its name");
    });
  }

  /** Ends the writing, and leaves the file as it is. Never rejects. */
  async close(): Promise<void> {
    this.flush();
    await this.behind.run(async () => {
      const { handle } = this;
      this.handle = null;
      await handle?.close();
    });
    const { handle } = this;
    this.handle = null;
    await handle?.close().catch(() => undefined); // it has failed, and was told of what kept it from being whole
  }

  private async writeAt(pieces: readonly Buffer[], at: number): Promise<void> {
    for (let [left, to]: [readonly Uint8Array[], number] = [pieces, at]; left.length > 0;) {
      const { bytesWritten } = await this.handle!.writev(left, to);
      left = rest(left, bytesWritten);
      to += bytesWritten;
    }
  }
}
