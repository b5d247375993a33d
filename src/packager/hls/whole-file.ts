// A file that is there as a whole or not at all: lists, parts, what describes tracks.
import { rename, rm, stat, writeFile } from "node:fs/promises";
import { DolphinError, messageOf } from "../../base/errors.js";
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

export function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
