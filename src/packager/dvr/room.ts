// How much room the disk of a recording has: looked at when a stream begins and each few seconds while it lasts. Below what is to stay
// free a recording ends as it is, with one line, and the next begins when there is room again.
import { existsSync, statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { dirname } from "node:path";
import type { Log } from "../../base/log.js";

const lookMs = 5_000;
/** So much more must be free before recording goes on: what comes and goes in the meantime tells nothing. */
const moreByPart = 0.1;

export interface RoomOptions {
  readonly minFreeBytes: number | null;
  readonly log: Log;
}

/** The watch over the disk of one stream's recordings. `end` stops it, and it can begin again. */
export class RoomWatch {
  /** Whether something may be recorded. */
  isThere = true;
  private readonly options: RoomOptions;
  private readonly onFull: () => void;
  private timer: NodeJS.Timeout | null = null;

  constructor({ minFreeBytes, log }: RoomOptions, onFull: () => void) {
    this.options = { minFreeBytes, log };
    this.onFull = onFull;
  }

  begin(pathNow: () => string): void {
    if (this.options.minFreeBytes === null || this.timer !== null) return;
    this.timer = setInterval(() => void this.look(pathNow()), lookMs);
    const path = pathNow();
    this.take(
      path,
      freeOf(() => statfsSync(nearestOf(path))),
    ); // before the first packet is written
  }

  end(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  private async look(path: string): Promise<void> {
    const found = await statfs(nearestOf(path)).catch(() => null);
    this.take(path, found === null ? null : freeOf(() => found));
  }

  private take(path: string, free: number | null): void {
    const { minFreeBytes, log } = this.options;
    if (minFreeBytes === null || free === null || this.timer === null) return;
    const isThere = free >= (this.isThere ? minFreeBytes : minFreeBytes * (1 + moreByPart));
    if (isThere === this.isThere) return;
    this.isThere = isThere;
    if (isThere) {
      log.info({ event: "dvr.room" }, `there is room again below ${dirname(path)}; recording goes on`);
      return;
    }
    const mib = (bytes: number): number => Math.floor(bytes / 1024 / 1024);
    const why = `${dirname(path)} has ${mib(free)} MiB left, less than dvr_min_free (${mib(minFreeBytes)} MiB)`;
    log.error({ event: "dvr.failed", code: "PACK_FULL" }, `${why}; the stream goes on, its recording when there is room`);
    this.onFull();
  }
}

/** What a user may still write; null: that is not to be known. */
function freeOf(look: () => { readonly bavail: number; readonly bsize: number }): number | null {
  try {
    const { bavail, bsize } = look();
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** The folder of a file, or what there is of it yet. */
function nearestOf(path: string): string {
  let there = dirname(path);
  while (!existsSync(there) && dirname(there) !== there) there = dirname(there);
  return there;
}
