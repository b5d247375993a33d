// What outputs have to remember beyond their process: one small file of JSON for each, in a folder of the packagers' own. A file is
// replaced as a whole, so that a death at any moment leaves the one before or the one after. What changes with every segment is added to
// it as a further line, for to make a file costs more than all else that is done for a segment. Of rows that come at one end and leave at the
// other, as segments do, a line has only what the one before it has not; what the lines come to by the last whole one counts.
import { createHash } from "node:crypto";
import { open, readdir, readFile, rename, rm, stat, writeFile, type FileHandle } from "node:fs/promises";
import { join } from "node:path";
import type { FileThread } from "./file-thread.js";
import { inFolder } from "./folders.js";

/** What is no state, as one that was cut off, is left for so long. */
const forgottenMs = 3_600_000;
/** A file that has become so long is replaced. */
const longestBytes = 256 << 10;

/** A file that lines are added to. */
interface Growing {
  readonly handle: FileHandle;
  bytes: number;
  /** What it comes to. */
  last: Fields;
}

type Fields = Readonly<Record<string, unknown>>;

/** In a line, in place of a row: so many have left the row before it, and these have come. */
interface Moved {
  readonly left: number;
  readonly came: readonly unknown[];
}

/** The files of one folder. What was added to is released. */
export class StateFiles {
  private readonly folder: string;
  private readonly growing = new Map<string, Growing>();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** All that is remembered; what cannot be read is left out, and what is said to be over by its age is forgotten. */
  async all(isOver: (state: unknown, ageMs: number) => boolean): Promise<unknown[]> {
    const found: unknown[] = [];
    for (const name of await readdir(this.folder).catch(() => [])) {
      const path = join(this.folder, name);
      const state = name.endsWith(".json") ? await this.read(path) : null;
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Date.now() })); // gone in this very moment
      if (state === null ? Date.now() - mtimeMs > forgottenMs : isOver(state, Date.now() - mtimeMs)) await rm(path, { force: true });
      else if (state !== null) found.push(state);
    }
    return found;
  }

  load(key: string): Promise<unknown> {
    return this.read(this.pathOf(key));
  }

  async save(key: string, state: unknown): Promise<void> {
    await this.release(key);
    const temporary = this.temporaryOf(key);
    try {
      await inFolder(temporary, () => writeFile(temporary, JSON.stringify(state)));
      await rename(temporary, this.pathOf(key));
    } catch (thrown) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  /** Whether what is added now is a line more, and written before whatever its thread is asked for behind it. */
  isGrowing(key: string): boolean {
    return this.growing.has(key);
  }

  /** The same in a line more, of one state after the other. */
  async add(files: FileThread, key: string, state: object): Promise<void> {
    const file = this.growing.get(key) ?? (await this.begin(key));
    const line = `${JSON.stringify(changed(file.last, state))}\n`;
    const bytes = Buffer.byteLength(line);
    file.last = copied(state);
    try {
      await files.do({ do: "add", fd: file.handle.fd, line });
      if (file.bytes === 0) await rename(this.temporaryOf(key), this.pathOf(key));
      file.bytes += bytes;
      if (file.bytes + bytes > longestBytes) await this.release(key); // the next line begins another
    } catch (thrown) {
      await this.release(key); // half a line: the next one begins a file
      throw thrown;
    }
  }

  /** Nothing is added any more, for now. */
  async release(key: string): Promise<void> {
    const file = this.growing.get(key);
    this.growing.delete(key);
    await file?.handle.close().catch(() => undefined); // what was written has its answer
  }

  private async begin(key: string): Promise<Growing> {
    const temporary = this.temporaryOf(key);
    const file = { handle: await inFolder(temporary, () => open(temporary, "w")), bytes: 0, last: {} };
    this.growing.set(key, file);
    return file;
  }

  private temporaryOf(key: string): string {
    return `${this.pathOf(key)}.${process.pid}.tmp`;
  }

  private pathOf(key: string): string {
    return join(this.folder, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }

  private async read(path: string): Promise<unknown> {
    const text = await readFile(path, "utf8").catch(() => "");
    let state: Fields | null = null;
    for (const line of text.trimEnd().split("\n")) {
      try {
        state = applied(state ?? {}, JSON.parse(line) as object);
      } catch {
        break; // cut off by a death, or by a machine that lost its power: the one before
      }
    }
    return state;
  }
}

/** Rows are changed in place. */
function copied(state: object): Fields {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, Array.isArray(value) ? [...value] : value]));
}

/** What a line says of a state behind another one. */
function changed(before: Fields, state: object): Fields {
  return Object.fromEntries(Object.entries(state).map(([name, value]) => [name, movedFrom(before[name], value) ?? value]));
}

function movedFrom(before: unknown, row: unknown): Moved | null {
  if (!Array.isArray(before) || !Array.isArray(row) || row.length === 0) return null;
  const left = before.indexOf(row[0]);
  const stayed = before.length - left;
  if (left < 0 || stayed > row.length || !before.every((one, index) => index < left || row[index - left] === one)) return null;
  return { left, came: row.slice(stayed) };
}

function applied(before: Fields, line: object): Fields {
  const fields = Object.entries(line).map(([name, value]: [string, unknown]) => {
    const row = before[name];
    return [name, isMoved(value) && Array.isArray(row) ? [...row.slice(value.left), ...value.came] : value];
  });
  return Object.fromEntries(fields) as Fields;
}

function isMoved(value: unknown): value is Moved {
  return typeof value === "object" && value !== null && "came" in value && "left" in value;
}
