// What outputs have to remember beyond their process: one small file of JSON for each, in a folder of the packagers' own. A file is
// replaced as a whole, so that a death at any moment leaves the one before or the one after.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The files of one folder. */
export class StateFiles {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** All that is remembered; what cannot be read is left out. */
  async all(): Promise<unknown[]> {
    const names = await readdir(this.folder).catch(() => []);
    const found = await Promise.all(names.filter((name) => name.endsWith(".json")).map((name) => this.read(join(this.folder, name))));
    return found.filter((one) => one !== null);
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
