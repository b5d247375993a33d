// The pid file: decimal, no newline, as SRS writes it. It tells a second start with the same file that one is running.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { DolphinError, errnoOf, messageOf } from "../base/errors.js";

/** A pid file that names this process until `close`. */
export class PidFile {
  private readonly file: string;
  private isClosed = false;

  private constructor(file: string) {
    this.file = file;
  }

  /** Writes it, with its folders. Throws CHILD_START when it names another process that lives, or cannot be written. */
  static create(file: string): PidFile {
    const other = read(file);
    if (other !== null && other !== process.pid && isAlive(other)) {
      throw new DolphinError(
        "CHILD_START",
        `${file} names process ${other}, which is running: stop it first, or give this one another pid file`,
      );
    }
    try {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, String(process.pid));
    } catch (thrown) {
      throw new DolphinError("CHILD_START", `cannot write the pid file ${file}: ${messageOf(thrown)}`, { cause: thrown });
    }
    return new PidFile(file);
  }

  /** Removes it, unless somebody else's pid stands in it by now. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (read(this.file) === process.pid) rmSync(this.file, { force: true });
  }
}

function read(file: string): number | null {
  try {
    const text = readFileSync(file, "utf8").trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
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
