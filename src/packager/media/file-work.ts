// What a thread for files does, one work after the other, each with all its calls to the system in one go.
import {
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
  writevSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../../base/errors.js";

export type FileWork =
  /**
   * Pieces at a place of a file, which is made where that is 0, or out of one that is not needed any more. With a name it is whole then,
   * and put there.
   */
  | {
      readonly do: "write";
      readonly path: string;
      readonly pieces: readonly Uint8Array[];
      readonly at: number;
      readonly from: string | null;
      readonly name: string | null;
    }
  /** Another text in place of the one that is there. */
  | { readonly do: "replace"; readonly path: string; readonly text: string }
  /** A line more of a file that is open. */
  | { readonly do: "add"; readonly fd: number; readonly line: string };

type Of<Kind extends FileWork["do"]> = Extract<FileWork, { readonly do: Kind }>;

/** Calls that Node has no words for; null where there are none. */
export interface FileCalls {
  /** Whether nobody but the caller has a file open, on this machine. */
  isAlone(fd: number): boolean;
  /** Gives back what a file has, and leaves its size; false where it cannot. */
  empty(fd: number, bytes: number): boolean;
  /** Lets two files change names, in one step; false where it cannot. */
  swap(one: string, other: string): boolean;
  /** Has what was written go to the disk from now on; nobody waits for it. */
  sendToDisk(fd: number): void;
}

/** No link is followed, and no pipe waited for: whoever may make files in the folder has no say in what is written elsewhere. */
const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_WRONLY } = constants;
const anew = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NONBLOCK;
const again = O_RDWR | O_NOFOLLOW | O_NONBLOCK;
/** File systems on which this machine sees who has a file open, by what statfs(2) calls them: ext4, XFS, Btrfs, F2FS, tmpfs, overlay. */
const localKinds = new Set([0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994, 0x794c_7630]);

/**
 * Does a work, and tells whether its folder was there. Throws what the system says, and leaves nothing half done but a line; what a file
 * was to be made of is gone.
 */
export function perform(work: FileWork, calls: FileCalls | null): boolean {
  if (work.do === "write") return orNothing(work.path, () => write(work, calls));
  if (work.do === "replace") return orNothing(spareOf(work.path), () => replace(work, calls));
  return add(work);
}

/**
 * Where the next text is written, or the one before is, for as long as it is replaced: by a name that no server gives away, and that ends
 * as the text's own does.
 */
export function spareOf(path: string): string {
  return join(dirname(path), `.${basename(path)}`);
}

/** What is left of pieces behind so many bytes. */
export function rest<Piece extends Uint8Array>(pieces: readonly Piece[], bytes: number): readonly Uint8Array[] {
  let left = bytes;
  const first = pieces.findIndex(({ length }) => (left -= length) < 0);
  return first < 0 ? [] : [pieces[first]!.subarray(left + pieces[first]!.length), ...pieces.slice(first + 1)];
}

function write({ path, pieces, at, from, name }: Of<"write">, calls: FileCalls | null): boolean {
  const wasThere = at > 0 || isFolderThere(path);
  const fd = at > 0 ? openSync(path, again) : ((from === null ? null : madeFrom(from, path, calls)) ?? made(path));
  try {
    let to = at;
    for (let left = pieces; left.length > 0;) {
      const bytes = writevSync(fd, left, to);
      left = rest(left, bytes);
      to += bytes;
    }
    if (name !== null && fstatSync(fd).size > to) ftruncateSync(fd, to); // what it was made of was longer
  } finally {
    closeSync(fd);
  }
  if (name !== null) renameSync(path, name);
  return wasThere;
}

/** A new file, in place of whatever has the name. */
function made(path: string): number {
  try {
    return openSync(path, anew);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
  }
  unlinkSync(path);
  return openSync(path, anew);
}

/** Gives an old file a name that nobody reads by, and empties it; null: a new one has to be made. */
function madeFrom(from: string, path: string, calls: FileCalls | null): number | null {
  try {
    renameSync(from, path);
  } catch {
    deleted(from); // it is on another disk, if it is there at all
    return null;
  }
  return calls === null ? null : emptied(path, calls);
}

function deleted(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // the disk may fail again, and nobody is helped by hearing of it
  }
}

/**
 * To make a file and to delete one costs more than all else that is done for a list, so the text is written into the file that had the
 * one before the last, and the two change names. A rename over a file has the system write it out soon; this has to be asked for.
 */
function replace({ path, text }: Of<"replace">, calls: FileCalls | null): boolean {
  const spare = spareOf(path);
  const content = Buffer.from(text);
  const kept = calls === null ? null : emptied(spare, calls);
  const wasThere = kept !== null || isFolderThere(spare);
  const fd = kept ?? made(spare);
  try {
    const bytes = writeSync(fd, content, 0, content.length, 0);
    if (bytes < content.length) throw new Error(`${bytes} of ${content.length} bytes were written`);
    ftruncateSync(fd, content.length);
    calls?.sendToDisk(fd);
  } finally {
    closeSync(fd);
  }
  if (calls?.swap(spare, path) !== true) renameSync(spare, path); // it is the first, or this file system has no such call
  return wasThere;
}

/**
 * Opens a file to be written again, if it is certainly ours alone and nobody has it open. Nothing but its size is left then: what sockets still have of it
 * from sendfile(2), and what the disk has after a power cut, is never half of one and half of the other.
 */
function emptied(path: string, calls: FileCalls): number | null {
  let fd: number | null = null;
  try {
    fd = openSync(path, again);
    const found = fstatSync(fd);
    const isOurs = found.isFile() && found.nlink === 1 && isLocal(path, found.dev) && calls.isAlone(fd);
    if (isOurs && calls.empty(fd, found.size)) return fd;
  } catch {
    // it has gone, or is nothing to be written to: a new one takes its place
  }
  if (fd !== null) closeSync(fd);
  return null;
}

const local = new Map<number, boolean>();

function isLocal(path: string, device: number): boolean {
  const known = local.get(device) ?? localKinds.has(statfsSync(path).type);
  local.set(device, known);
  return known;
}

function add({ fd, line }: Of<"add">): boolean {
  const content = Buffer.from(line);
  const bytes = writeSync(fd, content);
  if (bytes < content.length) throw new Error(`${bytes} of ${content.length} bytes were written`);
  return true;
}

/** False: it is now. */
function isFolderThere(path: string): boolean {
  const folder = dirname(path);
  return statSync(folder, { throwIfNoEntry: false }) !== undefined || mkdirSync(folder, { recursive: true }) === undefined;
}

function orNothing<Result>(path: string, work: () => Result): Result {
  try {
    return work();
  } catch (thrown) {
    deleted(path);
    throw thrown;
  }
}
