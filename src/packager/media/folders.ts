// Folders are made when a file is to be in one that is not there, and files deleted that may have gone: each is one call to the system where
// all is as it nearly always is.
import { mkdir, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../../base/errors.js";

/** Makes a file by `make`, once more behind its folder where that was not there. */
export async function inFolder<T>(path: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
    await mkdir(dirname(path), { recursive: true });
    return make();
  }
}

/** Deletes a file, if it is there. */
export async function deleteFile(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
}
