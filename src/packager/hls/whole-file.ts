// A file that is there as a whole or not at all: lists, parts, what describes tracks.
import { open, rename, rm, stat, unlink, writeFile } from "node:fs/promises";
import { DolphinError, messageOf } from "../../base/errors.js";
import { withLibc } from "../../base/libc.js";
import type { HlsState } from "./list.js";
import { reserve } from "../media/file-writer.js";
import { inFolder } from "../media/folders.js";

/** Writes it beside its place, and puts it there. Throws PACK_WRITE, and leaves what was there. */
export async function writeWhole(path: string, content: string | Buffer): Promise<void> {
  const temporary = `${path}.tmp`;
  await orNothing(path, temporary, async () => {
    await inFolder(temporary, () => writeFile(temporary, content));
    await rename(temporary, path);
  });
}

async function orNothing(path: string, temporary: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new DolphinError("PACK_WRITE", `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** The same for later: until then the bytes wait within what a packager may have waiting, or the work throws PACK_SLOW. */
export function writingWhole(path: string, content: Buffer): () => Promise<void> {
  const release = reserve(content.length);
  if (release !== null) return () => writeWhole(path, content).finally(release);
  return () => Promise.reject(new DolphinError("PACK_SLOW", `${path}: disks are behind, and nothing more may wait for them`));
}

/** A longer text is a new file each time: who reads it slowly must not find the one after the next in it. */
const longestSwapped = 16 << 10;

/**
 * The same for a text that is replaced again and again. To make a file and to delete one costs more than all else that is done for a
 * list, so it is written into the file that had the text before the last, and the two change names.
 */
export async function replaceText(path: string, text: string): Promise<void> {
  const spare = spareOf(path);
  const content = Buffer.from(text);
  await orNothing(path, spare, async () => {
    const swap = content.length > longestSwapped ? null : await swapping;
    if (swap === null || !(await isFilled(spare, content))) await inFolder(spare, () => writeFile(spare, content));
    if (swap === null || !(await swap(spare, path))) await rename(spare, path); // it is the first, or this file system has no such call
  });
}

/** Where the next text is written, or the one before is, for as long as it is replaced. */
export function spareOf(path: string): string {
  return `${path}.temp`;
}

async function isFilled(path: string, content: Buffer): Promise<boolean> {
  const handle = await open(path, "r+").catch(() => null);
  if (handle === null) return false; // there is none yet, or somebody has deleted it
  try {
    if ((await handle.stat()).size > longestSwapped) {
      await unlink(path);
      return false;
    }
    await handle.write(content, 0, content.length, 0);
    await handle.truncate(content.length);
    return true;
  } finally {
    await handle.close();
  }
}

/** Lets two files change names, in one step; resolves to whether they have. */
type Swap = (one: string, other: string) => Promise<boolean>;

interface Rename {
  async(...values: [number, string, number, string, number, (error: unknown, result: number) => void]): void;
}

/** `AT_FDCWD`, `RENAME_EXCHANGE` of linux/fcntl.h and linux/fs.h. */
const [here, exchange] = [-100, 2];

/** Null where there is no such call. */
const swapping = withLibc((libc): Swap => {
  const call = libc.func("int renameat2(int, const char *, int, const char *, unsigned int)") as unknown as Rename;
  return (one, other) =>
    new Promise((resolve) => call.async(here, one, here, other, exchange, (error, result) => resolve(error === null && result === 0)));
});

/** Leaves out of a list what somebody has deleted, and all before it: a list has no holes. */
export async function dropMissing(state: Pick<HlsState, "segments" | "first" | "discontinuitySequence">): Promise<void> {
  const isThere = await Promise.all(state.segments.map(({ path }) => isFile(path)));
  const gone = state.segments.splice(0, isThere.lastIndexOf(false) + 1);
  state.first += gone.length;
  state.discontinuitySequence += gone.filter(({ isDiscontinuous }) => isDiscontinuous).length;
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
