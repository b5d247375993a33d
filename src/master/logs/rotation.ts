// Keeps the log file within its size and age. All processes of the box append to one file, so one of them, the master, moves
// it away and has every process open the new one; nobody waits for it with a line in hand.
//
//   every 2 s: too large? too old? ─► rename ─► all reopen ─► delete the oldest ─► compress
//                                                 │ somebody did not: it may still write to the renamed file, so that
//                                                 └ is left alone, and all are asked again at the next look
//   rotated-files.ts: what the files that were moved away are called, how they are found, compressed and deleted
//
// What a crash leaves half done is finished after the next start.
import { lstatSync, statSync } from "node:fs";
import { errnoOf, messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { LogSettings } from "../../conf/meaning/config.js";
import { begunAtMs, compress, deleteRotated, deleteUnfinished, listRotated, moveAway } from "./rotated-files.js";
import type { Timers } from "../../base/timers.js";

const lookEveryMs = 2000;
/** So long after somebody else has moved the file away, a limit that nobody asked for does not count: logrotate may come once a month. */
const wayGivenMs = 35 * 86_400_000;

type RotationSettings = Pick<LogSettings, "file" | "maxSizeBytes" | "givesWay" | "maxAgeMs" | "maxFiles" | "isCompressed">;

export interface LogRotationOptions {
  readonly settings: RotationSettings;
  readonly timers: Timers;
  /** The time of day in milliseconds since 1970, for ages and names; by default the system's. */
  readonly wallMs?: () => number;
  readonly log: Log;
  /**
   * Has every process of the box reopen its log, this one included. Rejects, within a bound, when one of them could not or did not
   * answer; one that has died has nothing open. May be asked again before it is done.
   */
  reopenAll(): Promise<void>;
}

/** Looks after the log file from its construction until `close`. Whatever fails is one line of level warn, and the log goes on. */
export class LogRotation {
  private settings: RotationSettings;
  private readonly options: LogRotationOptions;
  private readonly wallMs: () => number;
  private readonly closing = new AbortController();
  private cancelLook: () => void = () => undefined;
  private moving: Promise<void> | null = null;
  /** Compressing takes long and may lag behind; it never begins while a renamed file may still be written to. */
  private tidying: Promise<void> = Promise.resolve();
  /** A file was renamed, and not every process has reopened its log since. */
  private isOwing = false;
  /** What was complained of last, so that a failure that lasts is told once. */
  private complaint: string | null = null;
  /** The file that the processes write to, as far as is known. */
  private inode: string | null;
  /** When somebody else moved it away last; null: nobody has. */
  private movedByOthersMs: number | null = null;

  constructor(options: LogRotationOptions) {
    this.options = options;
    this.settings = options.settings;
    this.wallMs = options.wallMs ?? Date.now;
    const { file, maxSizeBytes, maxAgeMs, givesWay } = this.settings;
    this.inode = inodeOf(file);
    // Where nothing is rotated, or nobody asked for it, files of these names may be somebody else's.
    if (file !== null && !givesWay && (maxSizeBytes !== null || maxAgeMs !== null)) this.tidy();
    this.tellDefault();
    this.awaitLook();
  }

  /** Moves the log away now, and resolves when all is compressed; where one is being moved already, it is that one. Never rejects. */
  async rotate(reason: string): Promise<void> {
    await this.alone(() => this.moveOn(reason));
    await this.tidying;
  }

  /** Has every process reopen its log, for whoever has moved the file away, or has not. Never rejects. */
  async reopen(): Promise<void> {
    const { log } = this.options;
    const { file, givesWay } = this.settings;
    const isMoved = file !== null && inodeOf(file) !== this.inode;
    if (isMoved && this.moving === null && !this.isOwing) this.movedByOthersMs = this.wallMs();
    try {
      await this.options.reopenAll();
      this.inode = inodeOf(file);
      const others = isMoved && givesWay ? ", and leaves its size to whoever moved it away" : "";
      log.info({ event: "log.reopened" }, `every process has reopened its log${others}`);
    } catch (thrown) {
      log.warn({ event: "log.failed", code: "LOG_ROTATE", doing: "reopening", err: thrown }, messageOf(thrown));
    }
  }

  /** Goes by other settings from the next look on. */
  reconfigure(settings: RotationSettings): void {
    this.settings = settings;
    this.complaint = null;
  }

  /** A compression under way is given up; what is left of it is for the next start. */
  close(): void {
    this.cancelLook();
    this.closing.abort();
  }

  private awaitLook(): void {
    this.cancelLook = this.options.timers.after(lookEveryMs, () => {
      this.look();
      this.awaitLook();
    });
  }

  private look(): void {
    if (this.moving !== null) return;
    const reason = this.dueFor();
    if (reason !== null) void this.rotate(reason);
    else if (this.isOwing) void this.alone(() => this.settle());
  }

  /** What nobody asked for is told, with the way to have it otherwise. */
  private tellDefault(): void {
    const { file, maxSizeBytes, maxFiles, givesWay } = this.settings;
    if (file === null || !givesWay || maxSizeBytes === null || !isPlainFile(file)) return;
    const [maxSizeMiB, kept] = [maxSizeBytes / 1024 / 1024, `${maxFiles} rotated files are kept`];
    const other = "dolphin { log_max_size; log_max_files; } change that, and logrotate with USR1 takes its place";
    this.options.log.info(
      { event: "log.limited", file, maxSizeMiB, maxFiles },
      `the log is rotated at ${maxSizeMiB} MiB, ${kept}: ${other}`,
    );
  }

  /** Whether the limit is one that nobody asked for and that has no say now. */
  private hasGivenWay(file: string): boolean {
    if (!this.settings.givesWay) return false;
    const isOthers = this.movedByOthersMs !== null && this.wallMs() - this.movedByOthersMs < wayGivenMs;
    return isOthers || !isPlainFile(file);
  }

  private dueFor(): "size" | "age" | null {
    const { file, maxSizeBytes, maxAgeMs } = this.settings;
    if (file === null || (maxSizeBytes === null && maxAgeMs === null) || this.hasGivenWay(file)) return null;
    try {
      const stat = lstatSync(file);
      if (!stat.isFile()) {
        this.complain("looking", new Error(`${file} is a link or a device and is not rotated: write the path of a plain file`));
        return null;
      }
      if (stat.size === 0) return null;
      if (maxSizeBytes !== null && stat.size > maxSizeBytes) return "size";
      if (maxAgeMs === null) return null;
      const begunMs = begunAtMs(file);
      return begunMs !== null && this.wallMs() - begunMs > maxAgeMs ? "age" : null;
    } catch (thrown) {
      if (errnoOf(thrown) !== "ENOENT") this.complain("looking", thrown);
      return null; // moved away by somebody, who has it reopened next
    }
  }

  private alone(work: () => Promise<void>): Promise<void> {
    this.moving ??= work().finally(() => (this.moving = null));
    return this.moving;
  }

  private async moveOn(reason: string): Promise<void> {
    const { file } = this.settings;
    if (file === null) return;
    let path: string;
    try {
      path = moveAway(file, new Date(this.wallMs()));
    } catch (thrown) {
      this.complain("renaming", thrown);
      return;
    }
    this.isOwing = true;
    await this.settle({ path, reason });
  }

  private async settle(done: { readonly path: string; readonly reason: string } | null = null): Promise<void> {
    try {
      await this.options.reopenAll();
    } catch (thrown) {
      this.complain("reopening", thrown);
      return;
    }
    this.isOwing = false;
    this.inode = inodeOf(this.settings.file);
    if (done !== null)
      this.options.log.info({ event: "log.rotated", file: done.path, reason: done.reason }, "the log goes on in a new file");
    this.tidy();
  }

  private tidy(): void {
    this.tidying = this.tidying.then(() => this.tidyNow());
  }

  private async tidyNow(): Promise<void> {
    const { file, maxFiles, isCompressed } = this.settings;
    if (file === null || this.isOwing || this.closing.signal.aborted) return;
    try {
      deleteUnfinished(file);
      const rotated = listRotated(file);
      const surplus = Math.max(0, rotated.length - maxFiles);
      // First, since a disk that is full may then have room to compress.
      for (const old of rotated.slice(0, surplus)) deleteRotated(old);
      if (isCompressed) {
        for (const { path, isPlain } of rotated.slice(surplus)) if (isPlain) await compress(path, this.closing.signal);
      }
      this.complaint = null;
    } catch (thrown) {
      this.complain("compressing", thrown);
    }
  }

  private complain(doing: "looking" | "renaming" | "reopening" | "compressing", thrown: unknown): void {
    const complaint = `${doing} ${errnoOf(thrown) ?? messageOf(thrown)}`;
    if (this.closing.signal.aborted || complaint === this.complaint) return;
    this.complaint = complaint;
    this.options.log.warn({ event: "log.failed", code: "LOG_ROTATE", doing, err: thrown }, messageOf(thrown));
  }
}

function inodeOf(file: string | null): string | null {
  try {
    const stat = file === null ? undefined : statSync(file, { throwIfNoEntry: false });
    return stat === undefined ? null : `${stat.dev}:${stat.ino}`;
  } catch {
    return null; // a folder of it may not be entered any more; who reopens the log says so
  }
}

/** Whether there is such a file and it is no link and no device. */
function isPlainFile(file: string): boolean {
  try {
    return lstatSync(file).isFile();
  } catch {
    return false;
  }
}
