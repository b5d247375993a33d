// Files that a crowd asks for at once, as the segments and lists of a live stream: each is read once, whoever asks while it is read waits
// for the same reading, and everybody is written the same memory. What was asked for least lately goes first, so memory is bounded; who
// is being written a file that has gone keeps it to the end.
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { FileHandle } from "node:fs/promises";
import { leastCopiedBytes, type CopyToSystem, type SystemCopy } from "./system-copy.js";

/** What a process keeps of them. */
export const maxHotBytes = 64 << 20;
/** One that is larger is read for each who asks, piece by piece. */
export const maxHotFileBytes = 16 << 20;
/** How often a file that somebody waits for is looked at, and how long before all who wait look round. */
const lookEveryMs = 25;
const lookForMs = 500;
/** So long nobody looks whether there is a newer version; of a segment, which is never another one under its name, longer. */
const freshMs = 40;
const freshSegmentMs = 1_000;
/** So long behind that whoever asks is given what there was, while one looks. */
const graceMs = 1_000;

/** Of a file that changes while it is read. */
const mostReadings = 3;

/** What the disk says of a file. */
export interface FoundFile {
  readonly etag: string;
  readonly modifiedMs: number;
  readonly sizeBytes: number;
}

/** A file in memory. */
export interface HotFile extends FoundFile {
  readonly bytes: Buffer;
  /** Of the same bytes; null, or absent: there is none. */
  readonly copy?: SystemCopy | null;
}

/** A file that is open; whoever was given it closes it. */
interface OpenedFile {
  readonly handle: FileHandle;
  readonly file: FoundFile;
}

/** Where a file is. */
export interface FileSource {
  /** What would be found now, by its name alone; null: nothing. To open it costs ten times as much. */
  etag(): Promise<string | null>;
  open(): Promise<OpenedFile | null>;
}

interface Entry {
  file: HotFile | null;
  /** As whoever asked last would look. */
  source: FileSource;
  checkedAtMs: number;
  /** The look at the disk that is under way. */
  looking: Promise<HotFile | null> | null;
}

const zipped = promisify(gzip);

/** The files of one process. Nothing to close. */
export class HotFiles {
  private readonly entries = new Map<string, Entry>();
  private readonly zips = new WeakMap<Buffer, Promise<Buffer>>();
  private readonly watches = new Map<string, Promise<HotFile | null>>();
  private readonly copyToSystem: CopyToSystem | null;
  private keptBytes = 0;

  constructor(copyToSystem: CopyToSystem | null = null) {
    this.copyToSystem = copyToSystem;
  }

  /** What is known of a segment without a look at the disk, or with one that nobody waits for; null: one has to look. */
  known(key: string): HotFile | null {
    const entry = this.entries.get(key);
    const overMs = entry === undefined ? 0 : performance.now() - entry.checkedAtMs - freshMsOf(key);
    if (entry === undefined || entry.file === null || overMs >= graceMs) return null;
    this.touch(key, entry);
    if (overMs >= 0) this.looking(key, entry).catch(() => undefined); // who waits for the next look hears of it
    return entry.file;
  }

  /** Null: there is none, or it is too large to be kept. `isFresh`: only what the disk says now will do. */
  get(key: string, source: FileSource, isFresh = false): Promise<HotFile | null> {
    const entry: Entry = this.entries.get(key) ?? { file: null, source, checkedAtMs: 0, looking: null };
    entry.source = source;
    this.touch(key, entry);
    if (!isFresh && entry.file !== null && performance.now() - entry.checkedAtMs < freshMsOf(key)) return Promise.resolve(entry.file);
    return this.looking(key, entry);
  }

  /** The last in the map is the one that was asked for last. */
  private touch(key: string, entry: Entry): void {
    this.entries.delete(key);
    this.entries.set(key, entry);
  }

  private looking(key: string, entry: Entry): Promise<HotFile | null> {
    entry.looking ??= this.look(key, entry).finally(() => (entry.looking = null));
    return entry.looking;
  }

  /** Resolves to another version than this one (null: to any), or after a moment to what there is: one look for all who wait. */
  change(key: string, source: FileSource, known: HotFile | null): Promise<HotFile | null> {
    const watch = this.watches.get(key) ?? this.watch(key, source, known).finally(() => this.watches.delete(key));
    this.watches.set(key, watch);
    return watch;
  }

  private async watch(key: string, source: FileSource, known: HotFile | null): Promise<HotFile | null> {
    const untilMs = performance.now() + lookForMs;
    for (;;) {
      await new Promise((done) => setTimeout(done, lookEveryMs));
      const file = await this.get(key, source, true);
      if (file?.bytes !== known?.bytes || performance.now() > untilMs) return file;
    }
  }

  /** A file, made smaller: once for each version. */
  zip({ bytes }: Pick<HotFile, "bytes">): Promise<Buffer> {
    const known = this.zips.get(bytes) ?? zipped(bytes, { level: 6 });
    this.zips.set(bytes, known);
    return known;
  }

  private async look(key: string, entry: Entry): Promise<HotFile | null> {
    const { source } = entry;
    const isSame = entry.file !== null && (await source.etag()) === entry.file.etag;
    if (!isSame) this.keep(entry, await this.read(source));
    entry.checkedAtMs = performance.now();
    const { file } = entry;
    if (file === null || this.entries.get(key) !== entry) this.forget(key, entry); // there is none, or it has had to make room
    else this.makeRoom(entry);
    return file;
  }

  private keep(entry: Entry, file: HotFile | null): void {
    this.keptBytes += memoryOf(file) - memoryOf(entry.file);
    entry.file?.copy?.close();
    entry.file = file;
  }

  /** Whoever else makes files may write over one while it is read here: what was read may be some of both. */
  private async read(source: FileSource): Promise<HotFile | null> {
    for (let left = mostReadings; left > 0; left--) {
      const file = await this.readOnce(source);
      if (file === null) return null;
      if (file !== "shorter" && (left === 1 || (await source.etag()) === file.etag)) return file;
      if (file !== "shorter") file.copy?.close();
    }
    return null;
  }

  private async readOnce(source: FileSource): Promise<HotFile | "shorter" | null> {
    const opened = await source.open();
    try {
      if (opened === null || opened.file.sizeBytes > maxHotFileBytes) return null;
      const bytes = await readWhole(opened);
      if (bytes === null) return "shorter";
      const { file } = opened;
      if (this.copyToSystem === null || bytes.length < leastCopiedBytes) return { ...file, bytes };
      return { ...file, bytes, copy: this.copyToSystem(bytes) };
    } finally {
      await opened?.handle.close().catch(() => undefined); // what it could still say is of no use to anybody
    }
  }

  private makeRoom(but: Entry): void {
    for (const [key, entry] of this.entries) {
      if (this.keptBytes <= maxHotBytes) return;
      if (entry !== but) this.forget(key, entry);
    }
  }

  private forget(key: string, entry: Entry): void {
    this.keep(entry, null);
    if (this.entries.get(key) === entry) this.entries.delete(key);
  }
}

function memoryOf(file: HotFile | null): number {
  if (file === null) return 0;
  return (file.copy ?? null) === null ? file.sizeBytes : 2 * file.sizeBytes;
}

function freshMsOf(key: string): number {
  return /\.(?:ts|m4s)$/i.test(key) ? freshSegmentMs : freshMs;
}

/** Null: it has become shorter meanwhile. */
async function readWhole({ handle, file }: OpenedFile): Promise<Buffer | null> {
  const bytes = Buffer.allocUnsafeSlow(file.sizeBytes);
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, at);
    if (bytesRead === 0) return null;
    at += bytesRead;
  }
  return bytes;
}

/** The file that was made of one: another text under a name of its own. */
export function derived({ modifiedMs }: FoundFile, text: string): HotFile {
  const bytes = Buffer.from(text);
  const etag = `"${createHash("sha1").update(bytes).digest("base64url").slice(0, 16)}"`;
  return { bytes, etag, modifiedMs, sizeBytes: bytes.length };
}
