// What outputs have to remember beyond their process: one small file of JSON for each, in a folder of the packagers' own. A file is
// replaced as a whole, so that a death at any moment leaves the one before or the one after.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** What is no state, as one that was cut off, is left for so long. */
const forgottenMs = 3_600_000;

/** The files of one folder. */
export class StateFiles {
  private readonly folder: string;

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
    const path = this.pathOf(key);
    const temporary = `${path}.${process.pid}.tmp`;
    await mkdir(this.folder, { recursive: true });
    await writeFile(temporary, JSON.stringify(state));
    await rename(temporary, path);
  }

  private pathOf(key: string): string {
    return join(this.folder, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }

  private async read(path: string): Promise<unknown> {
    try {
      return JSON.parse(await readFile(path, "utf8"));
    } catch {
      return null; // none, or cut off by a machine that lost its power
    }
  }
}
