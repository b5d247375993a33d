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
import type { Listeners } from "../master/sockets/listeners.js";
import type { Crew } from "./crew.js";
import type { Service } from "./service.js";

/** How long the processes that were killed may take to be gone. */
const killedWithinMs = 1000;

/** How long an end may take. */
export interface EndingLimits {
  readonly grace: Config["grace"];
  readonly dolphin: Pick<Config["dolphin"], "drainTimeoutMs" | "stopTimeoutMs">;
}

/** What is there to end. */
export interface EndingParts {
  readonly log: Log;
  readonly timers: Timers;
  /** Told once, first. */
  readonly service: Pick<Service, "ending">;
  readonly listeners: Pick<Listeners, "close">;
  readonly crew: Pick<Crew, "drain" | "stop" | "kill" | "close">;
  /** What is left when no process is: files, sockets, timers. */
  release(): void;
}

type Stage = "running" | "quitting" | "stopping" | "killing";

/** The end of one box. */
export class Ending {
  /** Resolves to the exit code when nothing is left. */
  readonly ended: Promise<number>;
  /** Ends whoever is about to take the place of this process, and has not yet; null: there is nobody. */
  endHeir: (() => void) | null = null;
  private readonly parts: EndingParts;
  private limits: EndingLimits;
  private finish: (code: number) => void = () => undefined;
  private stage: Stage = "running";
  private beganAtMs = 0;
  private hasLeft = false;
  private forgetStart: () => void = () => undefined;
  private skipOrigin: () => void = () => undefined;

  constructor(limits: EndingLimits, parts: EndingParts) {
    this.limits = limits;
    this.parts = parts;
    this.ended = new Promise((resolve) => (this.finish = resolve));
  }

  /** Goes by other limits, as far as it has not begun. */
  reconfigure(limits: EndingLimits): void {
    this.limits = limits;
  }

  get hasBegun(): boolean {
    return this.stage !== "running";
  }

  /** One of the signals that end a box. */
  signal(signal: "SIGTERM" | "SIGINT" | "SIGQUIT"): void {
    const isGraceful = signal === "SIGQUIT" || (signal === "SIGTERM" && this.limits.grace.isForced && this.stage === "running");
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
    const { startWaitMs } = this.limits.grace;
    parts.log.info({ event: "dolphin.quitting", reason }, `quitting: connections are taken for another ${startWaitMs / 1000} s`);
    this.forgetStart = parts.timers.after(startWaitMs, () => {
      parts.log.info({ event: "dolphin.draining", reason }, "draining: waiting for the last connection to leave");
      parts.listeners.close();
      parts.crew.drain(reason, this.limits.dolphin.drainTimeoutMs);
    });
  }

  /** Ends every connection, within `stop_timeout`. */
  stop(reason: string): void {
    this.begin("stopping");
    this.forgetStart();
    this.parts.log.info({ event: "dolphin.stopping", reason }, "stopping");
    this.parts.listeners.close();
    this.endHeir?.();
    this.parts.crew.stop(reason);
  }

  /** Does so in a moment. */
  stopLater(reason: string, afterMs: number): void {
    this.parts.timers.after(afterMs, () => this.stop(reason));
  }

  /** Told by the supervisor: no child is left. */
  async childrenEnded(how: "stopped" | "gaveUp", couldFork: boolean): Promise<void> {
    const { parts } = this;
    const isQuiet = this.stage === "quitting" && how === "stopped";
    if (!this.hasBegun) this.begin("stopping");
    parts.listeners.close();
    const { stopTimeoutMs } = this.limits.dolphin;
    const left = this.stage === "killing" ? 0 : Math.max(0, this.beganAtMs + stopTimeoutMs - parts.timers.nowMs());
    const patience = new Promise<void>((resolve) => {
      this.skipOrigin = resolve;
      parts.timers.after(isQuiet ? stopTimeoutMs : left, resolve);
    });
    await Promise.race([parts.crew.close(), patience]);
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
    this.parts.crew.kill(reason);
  }

  private begin(stage: Stage): void {
    const isFirst = !this.hasBegun;
    // A stop that follows a graceful one has its whole time.
    if (isFirst || this.stage === "quitting") this.beganAtMs = this.parts.timers.nowMs();
    this.stage = stage;
    if (isFirst) this.parts.service.ending();
  }

  /** Cut short by a stop. */
  private finalWait(): Promise<void> {
    return new Promise((resolve) => {
      const forget = this.parts.timers.after(this.limits.grace.finalWaitMs, resolve);
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
    this.finish(code);
  }
}
