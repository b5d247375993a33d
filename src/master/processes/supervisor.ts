// Carries out what child.ts decides: forks, asks, kills, and keeps one timer a child. It owns the processes; it reads
// no configuration, opens no socket and writes no log: what happens is announced, and whoever composes the master acts on it.
//
//   open-files.ts ─▶ plan.ts ─ specs ─▶ supervisor.ts ◀─ event, effect ─▶ child.ts       supervisor.ts ─ spawn ─▶ cluster-spawner.ts
//   worker-limits.ts ─ too large, too old ─▶ the box ─▶ rollout.ts ─ add, retire ─▶ supervisor.ts ─ changed ─▶ log-change.ts
//   questions.ts: what children are asked while they serve, and who has answered
import { spreadOf } from "../../base/crowd.js";
import { messageOf } from "../../base/errors.js";
import type { Timers } from "../../base/timers.js";
import type { FromChild, ToChild } from "../../ipc/messages.js";
import { lastCause, newborn, step, type Child, type ChildEvent, type ChildLimits, type ChildState, type Effect } from "./child.js";
import { afterSilence, ownPauseMs } from "./own-pause.js";
import { isAide, type ProcessSpec } from "./plan.js";

/** A running process, as the supervisor needs it. */
export interface Running {
  readonly pid: number;
  send(message: ToChild): void;
  kill(signal: NodeJS.Signals): void;
}

export interface RunningEvents {
  message(message: FromChild): void;
  /** Once: the process is gone, and nothing of it is left. */
  exit(cause: string): void;
}

/** Starts processes. `spawn` throws when none can be made. */
export interface Spawner {
  spawn(spec: ProcessSpec, events: RunningEvents): Running;
}

/** What is known of a child from outside. */
export interface ChildView {
  readonly spec: ProcessSpec;
  readonly pid: number | null;
  readonly child: Child;
  /** It was let go and still serves what it has. */
  readonly isLeaving: boolean;
}

export interface Change extends ChildView {
  readonly from: ChildState;
  /** The process that this is about, also when it is gone. */
  readonly lastPid: number | null;
  /** How the process ended, when this is its end. */
  readonly ending: string | null;
  /** How long the state left had lasted. */
  readonly lastedMs: number;
  /** For `waiting`: when it is tried again. */
  readonly delayMs: number | null;
}

interface SupervisorEvents {
  changed(change: Change): void;
  heard(view: ChildView, message: FromChild): void;
  /** Once: no process is left. `gaveUp`: because what serves could not be kept alive. */
  ended(how: "stopped" | "gaveUp"): void;
}

export interface SupervisorOptions {
  readonly specs: readonly ProcessSpec[];
  readonly limits: ChildLimits;
  readonly spawner: Spawner;
  readonly timers: Timers;
  /** What a child is told before it starts to serve; called for each start, may throw. A foreign program is told nothing: null. */
  setupFor(spec: ProcessSpec): Setup | null;
  readonly events: SupervisorEvents;
}

type Setup = Extract<ToChild, { setup: unknown }>["setup"];

interface Slot {
  spec: ProcessSpec;
  child: Child;
  /** Told once, when the child serves (null) or why it does not. */
  settle: ((problem: string | null) => void) | null;
  /** It was added and has not served yet: when it dies it is not started again. */
  isOnTrial: boolean;
  /** It serves what it has and takes nothing new; it is forgotten when it has left. */
  isLeaving: boolean;
  forgetLeaving: () => void;
  changedAtMs: number;
  process: Running | null;
  lastPid: number | null;
  /** Why the process said that it cannot serve; its exit follows. */
  refusal: string | null;
  setup: Setup | null;
  saidHello: boolean;
  forgetTimer: () => void;
}

/** Keeps the children of a plan alive. Stopping it is `stop`, then `kill` for the impatient; `ended` follows. */
export class Supervisor {
  private readonly options: SupervisorOptions;
  private limits: ChildLimits;
  private readonly slots = new Map<string, Slot>();
  private stopReason: string | null = null;
  private drainReason: string | null = null;
  private hasGivenUp = false;
  private hasEnded = false;

  constructor(options: SupervisorOptions) {
    this.options = options;
    this.limits = options.limits;
    for (const spec of options.specs) this.open(spec, null);
  }

  /** Starts what waits for nothing; the others follow when what they wait for is ready. */
  start(): void {
    for (const slot of this.slots.values()) if (slot.spec.startsAfter === null) this.deliver(slot, { type: "start" });
  }

  /**
   * Starts one more child. Resolves to null when it serves, or to the reason why it does not: then it is gone again, and was
   * not tried twice. Its name must be new.
   */
  add(spec: ProcessSpec): Promise<string | null> {
    if (this.stopReason !== null || this.drainReason !== null) return Promise.resolve("dolphin is stopping");
    return new Promise((resolve) => this.deliver(this.open(spec, resolve), { type: "start" }));
  }

  /** From its next start on, a child is told what the new spec of its name says. */
  update(spec: ProcessSpec): void {
    const slot = this.slots.get(spec.name);
    if (slot !== undefined) slot.spec = spec;
  }

  /** Ends a child and starts it again under a new spec of the same name. Resolves as `add`, but goes on trying. */
  restart(spec: ProcessSpec): Promise<string | null> {
    const slot = this.slots.get(spec.name);
    if (slot === undefined || this.stopReason !== null) return Promise.resolve(`${spec.name} is not there`);
    slot.spec = spec;
    this.replace(slot, undefined);
    return new Promise((resolve) => (slot.settle = resolve));
  }

  /**
   * Lets a child go: it takes nothing new, serves what it has, and leaves by itself, after `timeoutMs` at the latest (null:
   * however long it takes). A child that does not serve is stopped. It is forgotten when it is gone.
   */
  retire(name: string, reason: string, timeoutMs: number | null, isReplaced = this.drainReason === null): void {
    const slot = this.slots.get(name);
    if (slot === undefined || slot.isLeaving) return;
    slot.isLeaving = true;
    if (slot.child.state !== "up" || !slot.saidHello) {
      this.deliver(slot, { type: "stop" });
      this.forgetWhenGone(slot);
      return;
    }
    slot.child = { ...slot.child, wanted: false };
    slot.process?.send({ type: "drain", reason, isReplaced, spread: spreadOf(timeoutMs, this.limits.drainSpreadMs) });
    if (timeoutMs !== null) slot.forgetLeaving = this.options.timers.after(timeoutMs, () => this.deliver(slot, { type: "stop" }));
  }

  /** Retires all who serve the public addresses, and stops the others when these have left; `ended` follows. */
  drain(reason: string, timeoutMs: number | null): void {
    this.drainReason ??= reason;
    for (const { spec } of this.slots.values()) if (spec.isPublic) this.retire(spec.name, reason, timeoutMs);
    this.stopWhenDrained();
  }

  /** Asks every child to leave; whoever does not in time is killed. A second call changes nothing. */
  stop(reason: string): void {
    if (this.stopReason !== null) return;
    this.stopReason = reason;
    for (const slot of this.slots.values()) this.deliver(slot, { type: "stop" });
    this.endWhenEmpty();
  }

  /** Kills every child at once. */
  kill(reason: string): void {
    this.stop(reason);
    for (const slot of this.slots.values()) if (slot.child.state === "stopping") this.deliver(slot, { type: "stop" });
  }

  /** Sends to a child that has spoken; false when there is none. */
  send(name: string, message: ToChild): boolean {
    const slot = this.slots.get(name);
    if (slot?.process === null || slot?.process === undefined || !slot.saidHello) return false;
    slot.process.send(message);
    return true;
  }

  /** Sends a signal to a child that runs; false when it does not. */
  signal(name: string, signal: NodeJS.Signals): boolean {
    const running = this.slots.get(name)?.process ?? null;
    running?.kill(signal);
    return running !== null;
  }

  /** From now on goes by other limits; timers that run keep theirs. */
  setLimits(limits: ChildLimits): void {
    this.limits = limits;
  }

  /** Takes what was found out about a child that cannot say it: a foreign program does not know us. */
  tell(name: string, message: FromChild): void {
    const slot = this.slots.get(name);
    if (slot !== undefined && slot.process !== null) this.received(slot, message);
  }

  /** Ends a child that serves and is taken as dead, and starts it again. `doom` goes on from its name: `hung: …`. */
  condemn(name: string, doom: string): void {
    const slot = this.slots.get(name);
    if (slot?.child.state === "up") this.replace(slot, doom);
  }

  children(): ChildView[] {
    return [...this.slots.values()].map(view);
  }

  private open(spec: ProcessSpec, settle: Slot["settle"]): Slot {
    const slot: Slot = {
      spec,
      child: newborn,
      settle,
      isOnTrial: settle !== null,
      isLeaving: false,
      forgetLeaving: () => undefined,
      changedAtMs: this.options.timers.nowMs(),
      process: null,
      lastPid: null,
      refusal: null,
      setup: null,
      saidHello: false,
      forgetTimer: () => undefined,
    };
    this.slots.set(spec.name, slot);
    return slot;
  }

  private deliver(slot: Slot, event: ChildEvent): void {
    const { timers, events } = this.options;
    const from = slot.child.state;
    const nowMs = timers.nowMs();
    const { child, effect } = step(slot.child, event, nowMs, this.limits);
    slot.child = child;
    if (effect.type !== "none") this.arm(slot, effect);
    const problem = this.carryOut(slot, effect);
    if (child.state !== from) {
      const lastedMs = nowMs - slot.changedAtMs;
      slot.changedAtMs = nowMs;
      const ending = event.type === "exit" ? event.cause : null;
      const delayMs = effect.type === "wait" ? effect.timeoutMs : null;
      events.changed({ ...view(slot), from, lastPid: slot.lastPid, ending, lastedMs, delayMs });
    }
    if (problem !== null) this.deliver(slot, { type: "exit", cause: problem });
    else this.follow(slot, from);
  }

  /** Does what the table says; returns the cause of death when a process could not even be made. */
  private carryOut(slot: Slot, effect: Effect): string | null {
    if (effect.type === "fork") return this.fork(slot);
    if (effect.type === "ask") this.ask(slot);
    if (effect.type === "kill") slot.process?.kill(effect.signal);
    return null;
  }

  private fork(slot: Slot): string | null {
    slot.saidHello = false;
    slot.refusal = null;
    slot.lastPid = null;
    try {
      slot.setup = this.options.setupFor(slot.spec);
      const running = this.options.spawner.spawn(slot.spec, {
        message: (message) => {
          if (slot.process === running) this.received(slot, message);
        },
        exit: (cause) => {
          if (slot.process !== running) return;
          slot.process = null;
          slot.saidHello = false;
          this.deliver(slot, { type: "exit", cause: slot.refusal === null ? cause : `refused: ${slot.refusal}` });
        },
      });
      slot.process = running;
      slot.lastPid = running.pid;
      return null;
    } catch (thrown) {
      return `not started: ${messageOf(thrown)}`;
    }
  }

  private ask(slot: Slot): void {
    // A child that has not spoken cannot hear yet, but a signal reaches it.
    if (slot.saidHello)
      slot.process?.send({ type: "stop", reason: this.stopReason ?? slot.child.doom ?? "asked to", isReplaced: this.stopReason === null });
    else slot.process?.kill("SIGTERM");
  }

  private arm(slot: Slot, effect: Exclude<Effect, { type: "none" }>): void {
    slot.forgetTimer();
    slot.forgetTimer = () => undefined;
    if (effect.type === "rest") return;
    const { timers } = this.options;
    if (effect.type === "serve") {
      return void (slot.forgetTimer = afterSilence(timers, effect.timeoutMs, () => this.findHung(slot)));
    }
    const dueMs = timers.nowMs() + effect.timeoutMs;
    slot.forgetTimer = timers.after(effect.timeoutMs, () => {
      const isLate = timers.nowMs() - dueMs > ownPauseMs;
      if (isLate && effect.type === "fork") this.arm(slot, { ...effect, timeoutMs: 2 * ownPauseMs });
      else this.deliver(slot, { type: "timeout" });
    });
  }

  private findHung(slot: Slot): void {
    this.replace(slot, `hung: nothing heard for ${this.limits.heartbeatTimeoutMs / 1000} s`);
  }

  private replace(slot: Slot, doom: string | undefined): void {
    this.deliver(slot, doom === undefined ? { type: "stop" } : { type: "stop", doom });
    if (!slot.isLeaving) this.deliver(slot, { type: "start" });
  }

  private received(slot: Slot, message: FromChild): void {
    const { events } = this.options;
    if (message.type === "hello") {
      slot.saidHello = true;
      if (slot.child.state === "starting" && slot.setup !== null) slot.process?.send(configure(slot.setup));
    }
    if (slot.child.state === "up") this.arm(slot, { type: "serve", timeoutMs: this.limits.heartbeatTimeoutMs });
    events.heard(view(slot), message);
    if (message.type === "refused") slot.refusal = message.message;
    if (message.type === "ready") this.deliver(slot, { type: "ready" });
  }

  /** What a change of one child means for the others and for the whole. */
  private follow(slot: Slot, from: ChildState): void {
    const { state } = slot.child;
    if (state === from || this.hasEnded) return;
    this.settle(slot, from);
    this.forgetWhenGone(slot);
    if (state === "up" && this.stopReason === null) {
      for (const next of this.slots.values()) {
        if (next.spec.startsAfter === slot.spec.name && next.child.starts === 0) this.deliver(next, { type: "start" });
      }
    }
    if (state === "failed" && this.stopReason === null && !isAnythingServed([...this.slots.values()])) {
      this.hasGivenUp = true;
      this.stop(`gave up: ${slot.spec.name}: ${lastCause(slot.child) ?? ""}`);
    }
    this.endWhenEmpty();
  }

  /** Whoever added or restarted a child learns how that went. */
  private settle(slot: Slot, from: ChildState): void {
    const { settle, child, isOnTrial } = slot;
    if (settle === null || child.state === "starting" || child.state === "stopping") return;
    if (from === "stopping" && child.state === "waiting") return; // between its end and its new start
    slot.settle = null;
    slot.isOnTrial = false;
    if (child.state !== "up" && isOnTrial) {
      slot.isLeaving = true;
      this.deliver(slot, { type: "stop" });
    }
    settle(child.state === "up" ? null : (lastCause(child) ?? "it was stopped"));
  }

  /** A child that was let go, or that never came to serve after it was added, leaves no trace. */
  private forgetWhenGone(slot: Slot): void {
    const { state } = slot.child;
    if (!slot.isLeaving || (state !== "down" && state !== "failed") || slot.process !== null) return;
    slot.forgetTimer();
    slot.forgetLeaving();
    this.slots.delete(slot.spec.name);
    this.stopWhenDrained();
  }

  private stopWhenDrained(): void {
    if (this.drainReason !== null && ![...this.slots.values()].some(({ spec }) => spec.isPublic)) this.stop(this.drainReason);
  }

  private endWhenEmpty(): void {
    if (this.hasEnded || this.stopReason === null) return;
    if ([...this.slots.values()].some(({ child }) => child.state !== "down" && child.state !== "failed")) return;
    this.hasEnded = true;
    this.options.events.ended(this.hasGivenUp ? "gaveUp" : "stopped");
  }
}

/** Edges are worth nothing without their origin, and an origin nothing without an edge. */
function isAnythingServed(slots: readonly Slot[]): boolean {
  const alive = (isPublic: boolean): boolean => {
    const group = slots.filter(({ spec, isLeaving }) => spec.isPublic === isPublic && !isAide(spec) && !isLeaving);
    return group.length === 0 || group.some(({ child }) => child.state !== "failed");
  };
  return alive(true) && alive(false);
}

function configure(setup: Setup): ToChild {
  if ("stateFolder" in setup) return { type: "configure-packager", setup };
  if ("controlSocket" in setup) return { type: "configure-admin", setup };
  return "isEdge" in setup ? { type: "configure", setup } : { type: "configure-proxy", setup };
}

function view({ spec, process, child, isLeaving }: Slot): ChildView {
  return { spec, pid: process?.pid ?? null, child, isLeaving };
}
