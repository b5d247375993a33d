// A file that is there as a whole or not at all: lists, parts, what describes tracks.
import { stat } from "node:fs/promises";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { FileThread } from "../media/file-thread.js";
import type { FileWork } from "../media/file-work.js";
import { reserve } from "../media/write-behind.js";
import type { HlsState } from "./list.js";

/** Writes it beside its place, and puts it there. Throws PACK_WRITE, and leaves what was there. */
export function writeWhole(files: FileThread, path: string, content: Buffer): Promise<void> {
  return told(files, path, { do: "write", path: `${path}.tmp`, pieces: [content], at: 0, from: null, name: path });
}

/** The same for a text that is replaced again and again. */
export function replaceText(files: FileThread, path: string, text: string): Promise<void> {
  return told(files, path, { do: "replace", path, text });
}

async function told(files: FileThread, path: string, work: FileWork): Promise<void> {
  try {
    await files.do(work);
  } catch (cause) {
    throw new DolphinError("PACK_WRITE", `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** The same for later: until then the bytes wait within what a packager may have waiting, or the work throws PACK_SLOW. */
export function writingWhole(files: FileThread, path: string, content: Buffer): () => Promise<void> {
  const release = reserve(content.length);
  if (release !== null) return () => writeWhole(files, path, content).finally(release);
  return () => Promise.reject(new DolphinError("PACK_SLOW", `${path}: disks are behind, and nothing more may wait for them`));
}

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
