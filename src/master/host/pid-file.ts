// The pid file, as SRS has it: decimal without newline, under a POSIX lock for as long as the process lives, and never
// removed. The lock decides whether somebody runs, not the number: that of a killed process hinders nobody. Where there
// are no locks the number has to do.
import { closeSync, constants, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";
import type { FileLocks } from "./file-lock.js";

/** A pid file that names this process until `close`. */
export class PidFile {
  private fd: number | null;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Opens, locks and writes it, with its folders. Throws CHILD_START when another process has it, or it cannot be written. */
  static create(file: string, locks: FileLocks | null): PidFile {
    let fd: number;
    try {
      mkdirSync(dirname(file), { recursive: true });
      fd = openSync(file, constants.O_WRONLY | constants.O_CREAT, 0o644);
    } catch (thrown) {
      throw cannotWrite(file, thrown);
    }
    try {
      const holder = locks === null ? namedIn(file) : locks.take(fd);
      if (holder !== null) throw new DolphinError("CHILD_START", alreadyRuns(file, holder.pid));
      ftruncateSync(fd);
      writeSync(fd, String(process.pid));
    } catch (thrown) {
      closeSync(fd);
      throw thrown instanceof DolphinError ? thrown : cannotWrite(file, thrown);
    }
    return new PidFile(fd);
  }

  /**
   * Empties the file, so that its number kills no stranger later, and gives the lock up. It is not removed: somebody may have
   * opened it already and lock it next, and would then hold a file that nobody else finds.
   */
  close(): void {
    if (this.fd === null) return;
    ftruncateSync(this.fd);
    closeSync(this.fd);
    this.fd = null;
  }
}

/** The process that runs with a pid file now; null: none. Opens nothing for writing, and must not be asked by the one that runs. */
export function findHolder(file: string, locks: FileLocks | null): { readonly pid: number | null } | null {
  if (locks === null) return namedIn(file);
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY);
  } catch {
    return null; // no file, no holder; one that cannot be read is told by whoever tries to write it
  }
  try {
    return locks.look(fd);
  } finally {
    closeSync(fd);
  }
}

/** The sentence about a pid file that a running process has. */
export function alreadyRuns(file: string, pid: number | null): string {
  const who = pid === null ? "a process that is not visible from here (of another container?)" : `process ${pid}, which is running`;
  const how = pid === null ? "stop it first" : `stop it first (kill ${pid})`;
  return `the pid file ${file} belongs to ${who}: ${how}, or give this one another pid file`;
}

function cannotWrite(file: string, thrown: unknown): DolphinError {
  return new DolphinError("CHILD_START", `cannot write the pid file ${file}: ${messageOf(thrown)}`, { cause: thrown });
}

/** The process whose number stands in the file, if it lives and is another one. */
function namedIn(file: string): { readonly pid: number } | null {
  try {
    const text = readFileSync(file, "utf8").trim();
    const pid = /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
    return pid !== null && pid !== process.pid && isAlive(pid) ? { pid } : null;
  } catch {
    return null; // absent or unreadable: nobody is named; writing it will tell what is wrong
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (thrown) {
    return errnoOf(thrown) === "EPERM";
  }
}
