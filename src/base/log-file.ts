// The file that a process appends its log to. Each line is one write to a descriptor in append mode, so that the processes of
// a box share one file, and is out when `write` returns. Not pino's own destination: that one throws out of the logging call
// when the disk is full, closes a descriptor twice after a reopening that failed, and calls fsync on each close.
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { errnoOf, messageOf } from "./errors.js";

/** What waits in memory while the file takes nothing; lines beyond it are lost, and counted. */
const maxWaitingBytes = 256 * 1024;

const nothing = Buffer.alloc(0);

/** One log file, open for the life of the process. */
export class LogFile {
  private readonly file: string;
  private readonly recovered: (lostLines: number, reason: string) => void;
  private fd: number;
  private waiting: Buffer = nothing;
  private lostLines = 0;
  private failure: string | null = null;

  /**
   * Opens it, made with its folders when missing. `recovered` is told when lines can be written again after they could not
   * (a full disk): how many were lost meanwhile, and why. Throws the system's error (ENOENT, EACCES).
   */
  constructor(file: string, recovered: (lostLines: number, reason: string) => void) {
    this.file = file;
    this.recovered = recovered;
    this.fd = open(file);
  }

  /** Appends lines that end with their newlines. Throws nothing: a log that cannot be written ends no stream. */
  write(lines: string): void {
    const bytes = Buffer.from(lines);
    if (this.waiting.length === 0) this.waiting = bytes;
    else if (this.waiting.length + bytes.length <= maxWaitingBytes) this.waiting = Buffer.concat([this.waiting, bytes]);
    else this.lostLines += lines.split("\n").length - 1;
    this.flush();
  }

  /** Goes on in whatever has the file's name now. Throws what opening it throws, and then goes on where it was. */
  reopen(): void {
    const fd = open(this.file);
    closeSync(this.fd);
    this.fd = fd;
    this.flush();
  }

  private flush(): void {
    try {
      while (this.waiting.length > 0) this.waiting = this.waiting.subarray(writeSync(this.fd, this.waiting));
    } catch (thrown) {
      this.failure = errnoOf(thrown) ?? messageOf(thrown);
      return;
    }
    if (this.failure === null) return;
    const { lostLines, failure } = this;
    this.lostLines = 0;
    this.failure = null;
    this.recovered(lostLines, failure);
  }
}

function open(file: string): number {
  mkdirSync(dirname(file), { recursive: true });
  return openSync(file, "a");
}
