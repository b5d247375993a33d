// The bytes of segments: on the disk, and the newest in memory as well, where viewers get them from. A disk that takes nothing costs a
// restart its segments and no viewer anything: memory has them while they are watched.
//
//   put ─▶ memory, the newest of so many bytes
//     └──▶ SEGMENTS/ID.tmp ─▶ SEGMENTS/ID            read ─▶ memory ─▶ disk
import { createHash } from "node:crypto";
import { open, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { isSegmentId } from "./names.js";

export interface StoreOptions {
  readonly folder: string;
  /** What segments may take of memory and of the disk. */
  readonly memoryBytes: number;
  readonly diskBytes: number;
  /** A segment could not be written; told for each. */
  readonly onError: (error: unknown) => void;
  /** A segment was written. */
  readonly onWritten?: () => void;
}

/** The segments of one node. */
export class Store {
  private readonly options: StoreOptions;
  /** In the order in which they were put or read; the oldest leaves first. */
  private readonly memory = new Map<string, Buffer>();
  private readonly disk = new Map<string, number>();
  private readonly reading = new Map<string, Promise<Buffer | null>>();
  /** Those that are on their way to the disk: nobody knows of them before they are there. */
  private readonly writing = new Set<string>();
  memoryBytes = 0;
  diskBytes = 0;

  private constructor(options: StoreOptions) {
    this.options = options;
  }

  /** Finds what is on the disk. What is not in use, or was being written when the process before ended, is deleted. */
  static async open(options: StoreOptions, isInUse: (id: string) => boolean): Promise<Store> {
    const store = new Store(options);
    await mkdir(options.folder, { recursive: true });
    for (const name of await readdir(options.folder)) {
      const path = join(options.folder, name);
      const found = isSegmentId(name) && isInUse(name) ? await stat(path).catch(() => null) : null;
      if (found === null) await rm(path, { force: true });
      else store.count(name, found.size);
    }
    return store;
  }

  has(id: string): boolean {
    return this.memory.has(id) || this.disk.has(id);
  }

  /** Keeps bytes, which nobody changes any more. Resolves when they are on the disk, or cannot be. Never rejects. */
  async put(id: string, bytes: Buffer): Promise<void> {
    this.remember(id, bytes);
    if (this.disk.has(id) || this.writing.has(id)) return;
    this.writing.add(id);
    const path = join(this.options.folder, id);
    try {
      if (this.diskBytes + bytes.length > this.options.diskBytes) throw new Error(`the ${this.options.diskBytes} bytes of --disk are used`);
      const handle = await open(`${path}.tmp`, "w");
      try {
        await handle.writeFile(bytes);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await rename(`${path}.tmp`, path);
      this.count(id, bytes.length);
      this.options.onWritten?.();
    } catch (thrown) {
      await rm(`${path}.tmp`, { force: true }).catch(() => undefined); // the disk that failed may fail again
      this.options.onError(thrown);
    } finally {
      this.writing.delete(id);
    }
  }

  /** The bytes; null: they are not here. One reading of a file at a time, whoever asks. */
  read(id: string): Promise<Buffer | null> {
    const known = this.memory.get(id);
    if (known !== undefined) return Promise.resolve(known);
    if (!this.disk.has(id)) return Promise.resolve(null);
    let reading = this.reading.get(id);
    if (reading === undefined) {
      reading = this.load(id).finally(() => this.reading.delete(id));
      this.reading.set(id, reading);
    }
    return reading;
  }

  /** Deletes what is not in use now. What comes while a slow disk deletes was not asked about, and stays. */
  async sweep(isInUse: (id: string) => boolean): Promise<void> {
    for (const [id, bytes] of this.memory) if (!this.writing.has(id) && !isInUse(id)) this.forget(id, bytes);
    const over = [...this.disk.keys()].filter((id) => !isInUse(id));
    for (const id of over) {
      this.diskBytes -= this.disk.get(id) ?? 0;
      this.disk.delete(id);
    }
    for (const id of over) {
      if (this.disk.has(id) || this.writing.has(id)) continue;
      await rm(join(this.options.folder, id), { force: true }).catch((thrown: unknown) => this.options.onError(thrown));
    }
  }

  private async load(id: string): Promise<Buffer | null> {
    try {
      const bytes = await readFile(join(this.options.folder, id));
      // A machine that lost its power may have kept a name without its bytes.
      if (!id.endsWith(`_${sha256Of(bytes).slice(0, 16)}`)) throw new Error(`${id} is not what was written`);
      this.remember(id, bytes);
      return bytes;
    } catch (thrown) {
      this.diskBytes -= this.disk.get(id) ?? 0;
      this.disk.delete(id);
      this.options.onError(thrown);
      return null;
    }
  }

  private count(id: string, sizeBytes: number): void {
    this.diskBytes += sizeBytes - (this.disk.get(id) ?? 0);
    this.disk.set(id, sizeBytes);
  }

  private remember(id: string, bytes: Buffer): void {
    if (this.memory.has(id)) return;
    this.memory.set(id, bytes);
    this.memoryBytes += bytes.length;
    for (const [oldest, its] of this.memory) {
      if (this.memoryBytes <= this.options.memoryBytes || oldest === id) break;
      this.forget(oldest, its);
    }
  }

  private forget(id: string, bytes: Buffer): void {
    this.memory.delete(id);
    this.memoryBytes -= bytes.length;
  }
}

/** In hexadecimal digits. */
export function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
