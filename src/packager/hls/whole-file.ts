// A file that is there as a whole or not at all: lists, parts, what describes tracks.
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { HlsState } from "./list.js";
import { reserve } from "../media/file-writer.js";
import { inFolder } from "../media/folders.js";

/** Writes it beside its place, under a name with this ending, and puts it there. Throws PACK_WRITE, and leaves what was there. */
export async function writeWhole(path: string, content: string | Buffer, ending: ".temp" | ".tmp"): Promise<void> {
  const temporary = `${path}${ending}`;
  try {
    await inFolder(temporary, () => writeFile(temporary, content));
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new DolphinError("PACK_WRITE", `${path}: ${messageOf(cause)}`, { cause });
  }
}

/** The same for later: until then the bytes wait within what a packager may have waiting, or the work throws PACK_SLOW. */
export function writingWhole(path: string, content: Buffer, ending: ".temp" | ".tmp"): () => Promise<void> {
  const release = reserve(content.length);
  if (release !== null) return () => writeWhole(path, content, ending).finally(release);
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
