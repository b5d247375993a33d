// A program that is to run until it is not wanted any more: started anew with growing pauses when it ends, its output in the log, and
// ended by TERM, after a moment by KILL. Nothing of it outlives this process (base/programs/tied.ts).
//
//   running ─(it ended)─▶ pausing 1, 2, 4 … 15 s ─▶ running      close ─▶ TERM ─(3 s)─▶ KILL ─▶ gone
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { Deadline } from "../../base/deadline.js";
import { messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { isProgram } from "../../base/programs/find.js";
import type { OrphanGuard } from "../../base/programs/orphan-guard.js";
import { runTied, type Tied } from "../../base/programs/tied.js";
import type { ProgramReport } from "../../ipc/lists.js";
import type { Command } from "./commands.js";

const firstPauseMs = 1_000;
const longestPauseMs = 15_000;
/** What has run for so long is started again as if it were for the first time. */
const settledMs = 10_000;
/** Of its last line so much is kept to be shown. */
const shownLineLength = 500;
/** How long a program may take to leave. */
const leaveWithinMs = 3_000;

export interface JobOptions {
  readonly command: Command;
  /** Whose it is; the vhost alone for an ingest. */
  readonly of: { readonly vhost: string; readonly app: string; readonly stream: string };
  readonly guard: OrphanGuard;
  readonly log: Log;
}

/** One program. `close` ends it. */
export class Job {
  private readonly options: JobOptions;
  private readonly log: Log;
  private readonly timer = new Deadline();
  private tied: Tied | null = null;
  private starts = 0;
  private sinceMs = 0;
  private pauseMs = firstPauseMs;
  private lastEnd = "";
  private lastLine = "";
  private isWarned = false;
  private isClosed = false;
  private onGone: () => void = () => undefined;

  constructor(options: JobOptions) {
    this.options = options;
    const { command, of, log } = options;
    this.log = log.child({ ...of, program: `${command.kind} ${command.name}` });
    this.start();
  }

  report(): ProgramReport {
    const { command, of } = this.options;
    const { kind, name, input, output, argv } = command;
    return {
      ...of,
      kind,
      name,
      input,
      output,
      argv,
      pid: this.tied?.pid ?? null,
      sinceMs: this.tied === null ? null : this.sinceMs,
      restarts: Math.max(0, this.starts - 1),
      lastEnd: this.lastEnd,
      lastLine: this.lastLine,
    };
  }

  /** Resolves when it is gone. */
  async close(reason: string): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    this.timer.clear();
    const { tied } = this;
    if (tied === null) return;
    const gone = new Promise<void>((resolve) => (this.onGone = resolve));
    tied.kill("SIGTERM");
    this.timer.set(leaveWithinMs, () => tied.kill("SIGKILL"));
    await gone;
    this.timer.clear();
    this.log.info({ event: "program.ended", childPid: tied.pid, reason });
  }

  private start(): void {
    const { command, guard } = this.options;
    const { argv } = command;
    if (!isProgram(argv[0] ?? "")) {
      this.wait(`${argv[0] ?? ""} is no program here: install it, or write its path`);
      return;
    }
    const files: number[] = [];
    try {
      const outputs = filesOf(command, files);
      this.starts += 1;
      this.sinceMs = Date.now();
      this.tied = runTied({
        argv,
        guard,
        outputs,
        line: (text) => this.printed(text),
        dropped: (count) => this.log.warn({ event: "program.output-dropped", count }, "it printed faster than is kept"),
        gone: (cause) => this.gone(cause),
      });
      this.log.info({ event: "program.started", childPid: this.tied.pid, argv });
    } catch (thrown) {
      this.wait(messageOf(thrown));
    } finally {
      for (const file of files) closeSync(file);
    }
  }

  private printed(text: string): void {
    this.log.info({ event: "program.output" }, text);
    this.lastLine = text.slice(0, shownLineLength);
  }

  private gone(cause: string): void {
    const { tied } = this;
    this.tied = null;
    this.lastEnd = cause;
    if (this.isClosed) {
      this.onGone();
      return;
    }
    if (Date.now() - this.sinceMs >= settledMs) this.pauseMs = firstPauseMs;
    const line = { event: "program.exited", code: "PACK_PROGRAM", childPid: tied?.pid, reason: cause, durMs: Date.now() - this.sinceMs };
    this.log[cause === "exit 0" ? "info" : "warn"](line, `it ended (${cause}), and is started again in ${this.pauseMs / 1000} s`);
    this.pause();
  }

  /** It cannot be run now: told once, and tried again. */
  private wait(why: string): void {
    this.lastEnd = why;
    if (!this.isWarned) this.log.error({ event: "program.failed", code: "PACK_PROGRAM" }, why);
    this.isWarned = true;
    this.pause();
  }

  private pause(): void {
    this.timer.set(this.pauseMs, () => this.start());
    this.pauseMs = Math.min(2 * this.pauseMs, longestPauseMs);
  }
}

/** Opens the files that the output goes to. */
function filesOf({ stdout, stderr }: Command, opened: number[]): [number | null, number | null] {
  const open = (path: string | null): number | null => {
    if (path === null) return null;
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(path, "a", 0o644);
    opened.push(file);
    return file;
  };
  const first = open(stdout);
  return [first, stderr === stdout ? first : open(stderr)];
}
