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
  statSync,
  unlinkSync,
  writeSync,
  writevSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../../base/errors.js";

export type FileWork =
  /** Pieces at a place of a file, which is made where that is 0. With a name it is whole then, and put there. */
  | {
      readonly do: "write";
      readonly path: string;
      readonly pieces: readonly Uint8Array[];
      readonly at: number;
      readonly name: string | null;
    }
  /** Another text in place of the one that is there. */
  | { readonly do: "replace"; readonly path: string; readonly text: string }
  /** A line more of a file that is open. */
  | { readonly do: "add"; readonly fd: number; readonly line: string };

type Of<Kind extends FileWork["do"]> = Extract<FileWork, { readonly do: Kind }>;

/** Calls that Node has no words for; null where there are none. */
export interface FileCalls {
  /** Lets two files change names, in one step; false where it cannot. */
  swap(one: string, other: string): boolean;
  /** Has what was written go to the disk from now on; nobody waits for it. */
  sendToDisk(fd: number): void;
}

/** A longer text is a new file each time: who reads it slowly must not find the one after the next in it. */
const longestSwapped = 16 << 10;
/** So long whoever opened a text has for reading it, before another is written over it. */
const readingMs = 900;
/** No link is followed, and no pipe waited for: whoever may make files in the folder has no say in what is written elsewhere. */
const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR, O_TRUNC, O_WRONLY } = constants;
const anew = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK;
const again = O_RDWR | O_NOFOLLOW | O_NONBLOCK;

/**
 * Does a work, and tells whether its folder was there. Throws what the system says, and leaves nothing half done but a line.
 */
export function perform(work: FileWork, calls: FileCalls | null): boolean {
  if (work.do === "write") return orNothing(work.path, () => write(work));
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

function write({ path, pieces, at, name }: Of<"write">): boolean {
  const wasThere = at > 0 || isFolderThere(path);
  if (pieces.length > 0 || at === 0) {
    const fd = openSync(path, at === 0 ? anew : again);
    try {
      for (let [left, to] = [pieces, at]; left.length > 0;) {
        const bytes = writevSync(fd, left, to);
        left = rest(left, bytes);
        to += bytes;
      }
    } finally {
      closeSync(fd);
    }
  }
  if (name !== null) renameSync(path, name);
  return wasThere;
}

/**
 * To make a file and to delete one costs more than all else that is done for a list, so the text is written into the file that had the
 * one before the last, and the two change names. A rename over a file has the system write it out soon; this has to be asked for.
 */
function replace({ path, text }: Of<"replace">, calls: FileCalls | null): boolean {
  const spare = spareOf(path);
  const content = Buffer.from(text);
  const swaps = calls !== null && content.length <= longestSwapped;
  const kept = swaps ? reopened(spare) : null;
  const wasThere = kept !== null || isFolderThere(spare);
  const fd = kept ?? openSync(spare, anew);
  try {
    const bytes = writeSync(fd, content, 0, content.length, 0);
    if (bytes < content.length) throw new Error(`${bytes} of ${content.length} bytes were written`);
    ftruncateSync(fd, content.length);
    calls?.sendToDisk(fd);
  } finally {
    closeSync(fd);
  }
  if (!swaps || !calls.swap(spare, path)) renameSync(spare, path); // it is the first, or this file system has no such call
  return wasThere;
}

/** Null: there is none of which it is certain that it is ours alone, and that nobody reads it any more. */
function reopened(path: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, again);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") unlinkSync(path);
    return null;
  }
  const found = fstatSync(fd); // it changed its name last when it ceased to be the text
  if (found.isFile() && found.nlink === 1 && found.size <= longestSwapped && Date.now() - found.ctimeMs >= readingMs) return fd;
  closeSync(fd);
  unlinkSync(path);
  return null;
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
    try {
      rmSync(path, { force: true });
    } catch {
      // the disk that failed may fail again
    }
    throw thrown;
  }
}
