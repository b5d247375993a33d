// What the thread for files does, one work after the other, each with all its calls to the system in one go.
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, renameSync, rmSync, unlinkSync, writeSync, writevSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf } from "../../base/errors.js";
import { rest } from "./file-writer.js";

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

/** Lets two files change names, in one step; false where it cannot. */
export type Swap = (one: string, other: string) => boolean;

/** A longer text is a new file each time: who reads it slowly must not find the one after the next in it. */
const longestSwapped = 16 << 10;

/** Does a work. Throws what the system says, and leaves nothing half done but a line. `swap`: null where there is no such call. */
export function perform(work: FileWork, swap: Swap | null): void {
  if (work.do === "write") orNothing(work.path, () => write(work));
  else if (work.do === "replace") orNothing(spareOf(work.path), () => replace(work, swap));
  else add(work);
}

/** Where the next text is written, or the one before is, for as long as it is replaced. */
export function spareOf(path: string): string {
  return `${path}.temp`;
}

function write({ path, pieces, at, name }: Of<"write">): void {
  if (pieces.length > 0 || at === 0) {
    const fd = at === 0 ? make(path) : openSync(path, "r+");
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
}

/**
 * To make a file and to delete one costs more than all else that is done for a list, so the text is written into the file that had the
 * one before the last, and the two change names.
 */
function replace({ path, text }: Of<"replace">, swap: Swap | null): void {
  const spare = spareOf(path);
  const content = Buffer.from(text);
  const isSwapped = swap !== null && content.length <= longestSwapped;
  const fd = (isSwapped ? reopened(spare) : null) ?? make(spare);
  try {
    const bytes = writeSync(fd, content, 0, content.length, 0);
    if (bytes < content.length) throw new Error(`${bytes} of ${content.length} bytes were written`);
    ftruncateSync(fd, content.length);
  } finally {
    closeSync(fd);
  }
  if (!isSwapped || !swap(spare, path)) renameSync(spare, path); // it is the first, or this file system has no such call
}

/** Null: there is none yet, somebody has deleted it, or somebody may still be reading it. */
function reopened(path: string): number | null {
  let fd: number;
  try {
    fd = openSync(path, "r+");
  } catch {
    return null;
  }
  if (fstatSync(fd).size <= longestSwapped) return fd;
  closeSync(fd);
  unlinkSync(path);
  return null;
}

function add({ fd, line }: Of<"add">): void {
  const content = Buffer.from(line);
  const bytes = writeSync(fd, content);
  if (bytes < content.length) throw new Error(`${bytes} of ${content.length} bytes were written`);
}

/** A new file, in a folder that is made where it is missing. */
function make(path: string): number {
  try {
    return openSync(path, "w", 0o644);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, "w", 0o644);
  }
}

function orNothing(path: string, work: () => void): void {
  try {
    work();
  } catch (thrown) {
    try {
      rmSync(path, { force: true });
    } catch {
      // the disk that failed may fail again
    }
    throw thrown;
  }
}
