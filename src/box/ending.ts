// How a box ends: which wish follows which, and in what order things are let go.
//
//             QUIT       TERM, INT    the last child left
//   running   quitting   stopping     –
//   quitting  –          stopping     leaves after grace_final_wait         connections are still taken for grace_start_wait,
//   stopping  –          killing      leaves                                then the public processes drain, however long it takes
//   killing   –          –            leaves
//
// The children end first and the origin last, so that edges end by being asked and not by losing it.
import type { Log } from "../base/log.js";
import type { Config } from "../conf/meaning/config.js";
import type { Timers } from "../base/timers.js";
import { exitCodes } from "../base/exit-codes.js";

/** How long the processes that were killed may take to be gone. */
const killedWithinMs = 1000;

/** What is there to end. */
export interface EndingParts {
  readonly log: Log;
  readonly timers: Timers;
  /** As it is now: a reload may have changed it. */
  config(): Pick<Config, "grace" | "dolphin">;
  /** Told once, first. */
  began(): void;
  closeListeners(): void;
  /** As the supervisor's `drain`, `stop` and `kill`. */
  drain(reason: string, timeoutMs: number | null): void;
  stop(reason: string): void;
  kill(reason: string): void;
  /** Ends what the master serves itself. */
  closeOrigin(): Promise<void>;
  /** What is left when no process is: files, sockets, timers. */
  release(): void;
  /** Told once, last. */
  finish(exitCode: number): void;
}

type Stage = "running" | "quitting" | "stopping" | "killing";

/** The end of one box. */
export class Ending {
  private readonly parts: EndingParts;
  private stage: Stage = "running";
  private beganAtMs = 0;
  private hasLeft = false;
  private forgetStart: () => void = () => undefined;
  private skipOrigin: () => void = () => undefined;

  constructor(parts: EndingParts) {
    this.parts = parts;
  }

  get hasBegun(): boolean {
    return this.stage !== "running";
  }

  /** One of the signals that end a box. */
  signal(signal: "SIGTERM" | "SIGINT" | "SIGQUIT"): void {
    const isGraceful = signal === "SIGQUIT" || (signal === "SIGTERM" && this.parts.config().grace.isForced && this.stage === "running");
    if (isGraceful) this.quit(signal);
    else if (this.stage === "running" || this.stage === "quitting") this.stop(signal);
    else if (this.stage === "stopping") this.kill(signal);
  }

  /** The program that it belongs to has ended. */
  orphaned(parent: number): void {
    this.parts.log.warn({ event: "parent.gone", parent }, "the program that started this one has ended (asprocess on)");
    this.stop("the parent process is gone");
  }

  /** Ends when the last connection has left. */
  quit(reason: string): void {
    if (this.stage !== "running") return;
    this.begin("quitting");
    const { parts } = this;
    const { startWaitMs } = parts.config().grace;
    parts.log.info({ event: "dolphin.quitting", reason }, `quitting: connections are taken for another ${startWaitMs / 1000} s`);
    this.forgetStart = parts.timers.after(startWaitMs, () => {
      parts.log.info({ event: "dolphin.draining", reason }, "draining: waiting for the last connection to leave");
      parts.closeListeners();
      parts.drain(reason, parts.config().dolphin.drainTimeoutMs);
    });
  }

  /** Ends every connection, within `stop_timeout`. */
  stop(reason: string): void {
    this.begin("stopping");
    this.forgetStart();
    this.parts.log.info({ event: "dolphin.stopping", reason }, "stopping");
    this.parts.closeListeners();
    this.parts.stop(reason);
  }

  /** Told by the supervisor: no child is left. */
  async childrenEnded(how: "stopped" | "gaveUp", couldFork: boolean): Promise<void> {
    const { parts } = this;
    const isQuiet = this.stage === "quitting" && how === "stopped";
    if (!this.hasBegun) this.begin("stopping");
    parts.closeListeners();
    const { stopTimeoutMs } = parts.config().dolphin;
    const left = this.stage === "killing" ? 0 : Math.max(0, this.beganAtMs + stopTimeoutMs - parts.timers.nowMs());
    const patience = new Promise<void>((resolve) => {
      this.skipOrigin = resolve;
      parts.timers.after(isQuiet ? stopTimeoutMs : left, resolve);
    });
    await Promise.race([parts.closeOrigin(), patience]);
    if (isQuiet) await this.finalWait();
    if (how === "stopped") return this.leave(exitCodes.ok, "stopped");
    const why = "gave up: the processes that serve died too often in a minute; their last causes of death stand above";
    parts.log.fatal({ event: "dolphin.gave-up", code: "CHILD_GAVE_UP" }, why);
    return this.leave(couldFork ? exitCodes.gaveUp : exitCodes.cannotFork, "gave up");
  }

  private kill(reason: string): void {
    this.begin("killing");
    this.parts.log.warn({ event: "dolphin.killing", reason }, "killing what is left");
    this.skipOrigin();
    this.parts.timers.after(killedWithinMs, () => this.leave(exitCodes.ok, "left behind what did not die"));
    this.parts.kill(reason);
  }

  private begin(stage: Stage): void {
    const isFirst = !this.hasBegun;
    // A stop that follows a graceful one has its whole time.
    if (isFirst || this.stage === "quitting") this.beganAtMs = this.parts.timers.nowMs();
    this.stage = stage;
    if (isFirst) this.parts.began();
  }

  /** Cut short by a stop. */
  private finalWait(): Promise<void> {
    return new Promise((resolve) => {
      const forget = this.parts.timers.after(this.parts.config().grace.finalWaitMs, resolve);
      this.forgetStart = () => {
        forget();
        resolve();
      };
    });
  }

  private leave(code: number, how: string): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.parts.release();
    this.parts.log.info({ event: "dolphin.stopped", durMs: Math.round(this.parts.timers.nowMs() - this.beganAtMs) }, how);
    this.parts.finish(code);
  }
}
