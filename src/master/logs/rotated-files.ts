// The files beside a log that were rotated away: `srs.log.20261121-085200`, with a number where the name was taken, and `.gz`
// once compressed. Only names of exactly this form are ours to compress and to delete; whatever else lies there is not touched.
import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { basename, dirname } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

/** One rotated file, in whichever forms it exists: both for a moment, when it has just been compressed. */
export interface RotatedFile {
  /** Its path without `.gz`. */
  readonly path: string;
  readonly isPlain: boolean;
  readonly isCompressed: boolean;
}

const rotatedName = /^\.(\d{8}-\d{6})(?:\.(\d{1,6}))?(\.gz)?$/;
const unfinished = ".gz.tmp";

/** The rotated files of a log, the oldest first. Throws the system's error. */
export function listRotated(file: string): RotatedFile[] {
  const found = new Map<string, RotatedFile & { readonly stamp: string; readonly turn: number }>();
  for (const rest of restsOf(file)) {
    const [, stamp = "", turn = "0", gz] = rotatedName.exec(rest) ?? [];
    if (stamp === "") continue;
    const path = file + (gz === undefined ? rest : rest.slice(0, -gz.length));
    const known = found.get(path) ?? { path, stamp, turn: Number(turn), isPlain: false, isCompressed: false };
    found.set(path, gz === undefined ? { ...known, isPlain: true } : { ...known, isCompressed: true });
  }
  return [...found.values()].sort((a, b) => (a.stamp === b.stamp ? a.turn - b.turn : a.stamp < b.stamp ? -1 : 1));
}

/**
 * Gives the log file the name of a rotated one, never that of another, and puts an empty one with the same mode in its place.
 * The name tells the local time, like SRS's lines and logrotate. Returns the new path; throws the system's error.
 */
export function moveAway(file: string, at: Date): string {
  const { mode } = statSync(file);
  const stamp = [at.getFullYear(), at.getMonth() + 1, at.getDate(), "-", at.getHours(), at.getMinutes(), at.getSeconds()]
    .map((part) => String(part).padStart(part === "-" ? 1 : 2, "0"))
    .join("");
  let path = `${file}.${stamp}`;
  for (let turn = 1; existsSync(path) || existsSync(`${path}.gz`); turn++) path = `${file}.${stamp}.${turn}`;
  renameSync(file, path);
  try {
    closeSync(openSync(file, "a", mode & 0o777));
  } catch {
    // The processes open it next, and they say what is wrong.
  }
  return path;
}

/** Replaces a rotated file by its compressed form, which has its name only when it is whole. Throws the system's error. */
export async function compress(path: string, signal: AbortSignal): Promise<void> {
  const temporary = path + unfinished;
  try {
    const { mode } = statSync(path);
    await pipeline(createReadStream(path), createGzip(), createWriteStream(temporary, { mode: mode & 0o777 }), { signal });
    renameSync(temporary, `${path}.gz`);
  } catch (thrown) {
    rmSync(temporary, { force: true });
    throw thrown;
  }
  rmSync(path);
}

/** Deletes a rotated file in every form. Throws the system's error. */
export function deleteRotated({ path }: RotatedFile): void {
  for (const form of [path, `${path}.gz`]) rmSync(form, { force: true });
}

/** Deletes what a compression left that was cut short. Throws the system's error. */
export function deleteUnfinished(file: string): void {
  for (const rest of restsOf(file)) {
    if (rest.endsWith(unfinished) && rotatedName.test(rest.slice(0, -unfinished.length))) rmSync(file + rest, { force: true });
  }
}

const firstTime = /^(?:\[(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d\.\d{3})\]|\{[^\n]*?"time":"([^"\n]+)")/;

/**
 * When a log file was begun, in milliseconds since 1970: the time of its first line, which outlives restarts and copies; the
 * file's own birth where the line has none, or null where the file system does not know it. Throws the system's error.
 */
export function begunAtMs(file: string): number | null {
  const start = Buffer.alloc(1024);
  const fd = openSync(file, "r");
  const length = readSync(fd, start);
  closeSync(fd);
  const [, day, clock, time = `${day}T${clock}`] = firstTime.exec(start.toString("utf8", 0, length)) ?? [];
  const atMs = Date.parse(time);
  if (!Number.isNaN(atMs)) return atMs;
  const { birthtimeMs } = statSync(file);
  return birthtimeMs > 0 ? birthtimeMs : null;
}

/** What follows the log's name in the names of the plain files beside it. */
function restsOf(file: string): string[] {
  const name = basename(file);
  const entries = readdirSync(dirname(file), { withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && entry.name.startsWith(name)).map((entry) => entry.name.slice(name.length));
}
