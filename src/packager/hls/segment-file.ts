// A segment as it grows: under another name until it is whole.
import { rm } from "node:fs/promises";
import type { DolphinError } from "../../base/errors.js";
import type { FileThread } from "../media/file-thread.js";
import { WriteBehind } from "../media/write-behind.js";

/** So much is gathered for one write: most segments are one. */
const gatheredBytes = 256 << 10;

export interface SegmentFileOptions {
  readonly files: FileThread;
  /** Until it has its name. */
  readonly path: string;
  /** Is asked, before the first write, for a file that is not needed any more, to be written over; null: there is none. */
  readonly from: () => string | null;
  /** Whoever had that before has let go of it then. */
  readonly after: Promise<void>;
  /** Is told what kept it from being whole, once. */
  readonly onError: (error: DolphinError) => void;
  /** Is given all that was appended, once nobody reads it here any more. */
  readonly onWritten: (bytes: Buffer) => void;
}

/** A segment under way. `finish` or `discard` ends it. */
export class SegmentFile {
  readonly path: string;
  /** That file, from the first write on: it is no more. */
  usedUp: string | null = null;
  /** Somebody has deleted what was there before it. */
  foundNoFolder = false;
  private readonly files: FileThread;
  private readonly from: () => string | null;
  private readonly behind: WriteBehind;

  constructor({ files, path, from, after, ...events }: SegmentFileOptions) {
    this.files = files;
    this.path = path;
    this.from = from;
    const write = (pieces: readonly Buffer[], at: number): Promise<void> => this.writeAt(pieces, at, null);
    this.behind = new WriteBehind({ path, sizeBytes: 0, gatheredBytes, write, ...events });
    void this.behind.run(() => after);
  }

  get sizeBytes(): number {
    return this.behind.sizeBytes;
  }

  /** Takes bytes, which nobody changes any more. */
  append(bytes: Buffer): void {
    this.behind.append(bytes);
  }

  /** Ends the file under another name. Resolves to what kept it from being whole; then it is gone. */
  async finish(name: string): Promise<DolphinError | null> {
    await this.behind.write((pieces, at) => this.writeAt(pieces, at, name));
    const { failure } = this.behind;
    if (failure !== null) await this.remove();
    return failure;
  }

  /** Ends the file, and there is none. Never rejects. */
  async discard(): Promise<void> {
    this.behind.forget();
    await this.behind.run(() => Promise.resolve());
    await this.remove();
  }

  private async writeAt(pieces: readonly Buffer[], at: number, name: string | null): Promise<void> {
    if (at === 0) this.usedUp = this.from();
    const wasThere = await this.files.do({ do: "write", path: this.path, pieces, at, from: this.usedUp, name });
    if (!wasThere) this.foundNoFolder = true;
  }

  private remove(): Promise<void> {
    return rm(this.path, { force: true }).catch(() => undefined); // the disk that failed may fail again
  }
}
