// What is remembered of streams over the lives of a node: one file of JSON for each, replaced as a whole and on the disk before players
// are told of it. So a number that a player has seen is never given to another segment, whatever ends the process or the machine.
import { createHash } from "node:crypto";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { isListPath, isSegmentId } from "./names.js";
import { readRoll } from "./report.js";
import type { OwnSegment, StreamState } from "./stream.js";

/** The files of one folder. */
export class States {
  private readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** All that is remembered; what cannot be read is left out. Throws when there can be no such folder. */
  async all(): Promise<StreamState[]> {
    await mkdir(this.folder, { recursive: true });
    const found: StreamState[] = [];
    for (const name of await readdir(this.folder)) {
      if (!name.endsWith(".json")) continue;
      const state = stateOf(await readFile(join(this.folder, name), "utf8").catch(() => ""));
      if (state !== null) found.push(state);
    }
    return found;
  }

  /** Rejects when the disk does not take it; what was remembered before still is. */
  async save(state: StreamState): Promise<void> {
    const path = this.pathOf(state.path);
    const handle = await open(`${path}.tmp`, "w");
    try {
      await handle.writeFile(JSON.stringify(state));
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(`${path}.tmp`, path);
  }

  async forget(path: string): Promise<void> {
    await rm(this.pathOf(path), { force: true });
  }

  private pathOf(path: string): string {
    return join(this.folder, `${createHash("sha256").update(path).digest("hex").slice(0, 32)}.json`);
  }
}

/** Our own words, but a disk may have lost some of them. */
function stateOf(text: string): StreamState | null {
  try {
    const state = JSON.parse(text) as StreamState;
    const isWhole = isListPath(state.path) && readRoll(state.roll) !== null && state.own.every(isOwn) && Array.isArray(state.expiring);
    return isWhole && [state.told, state.endMs, state.programMs, state.savedMs].every(Number.isFinite) ? state : null;
  } catch {
    return null;
  }
}

function isOwn({ id, durationMs, endMs }: OwnSegment): boolean {
  return isSegmentId(id) && Number.isFinite(durationMs) && Number.isFinite(endMs);
}
