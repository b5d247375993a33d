// One child process as data, and the table that says what happens to it. Pure: time comes in as a parameter and the
// effect goes out as data; supervisor.ts carries it out and arms the one timer that the effect asks for.
//
//             start     ready    exit      timeout    stop
//   down      fork      –        –         –          –
//   starting  –         up       died      kill       ask
//   up        –         –        died      –          ask
//   stopping  wantUp    –        stopped   kill       kill
//   waiting   fork      –        –         fork       stayDown
//   failed    fork      –        –         –          stayDown
//
// A hung child is asked to stop and at once wanted again: `stop` (with the cause) followed by `start`. Its end then counts as a death.
import type { Config } from "../../conf/meaning/config.js";

/** Where a child is in its life. `waiting` is for the next start, `failed` is for a person. */
export type ChildState = "down" | "starting" | "up" | "stopping" | "waiting" | "failed";

/** What can happen to a child. `stop` with `doom` is our own verdict; without, it is what somebody wants. */
export type ChildEvent =
  | { readonly type: "start" }
  | { readonly type: "ready" }
  | { readonly type: "exit"; readonly cause: string }
  | { readonly type: "timeout" }
  | { readonly type: "stop"; readonly doom?: string };

export type Action = "none" | "fork" | "up" | "died" | "stopped" | "kill" | "ask" | "wantUp" | "stayDown";

/** The table above; every cell is present. */
export const table: Readonly<Record<ChildState, Readonly<Record<ChildEvent["type"], Action>>>> = {
  down: { start: "fork", ready: "none", exit: "none", timeout: "none", stop: "none" },
  starting: { start: "none", ready: "up", exit: "died", timeout: "kill", stop: "ask" },
  up: { start: "none", ready: "none", exit: "died", timeout: "none", stop: "ask" },
  stopping: { start: "wantUp", ready: "none", exit: "stopped", timeout: "kill", stop: "kill" },
  waiting: { start: "fork", ready: "none", exit: "none", timeout: "fork", stop: "stayDown" },
  failed: { start: "fork", ready: "none", exit: "none", timeout: "none", stop: "stayDown" },
};

interface Death {
  readonly atMs: number;
  /** For people: `killed by SIGKILL`, `exit 1`, `hung: …`. */
  readonly cause: string;
  /** Whether it had not been up for `settledMs`. */
  readonly early: boolean;
}

export interface Child {
  readonly state: ChildState;
  /** Whether it shall run; what it does is `state`. */
  readonly wanted: boolean;
  readonly starts: number;
  readonly startedAtMs: number | null;
  /** Since when it serves; null unless it became ready in this life. */
  readonly upAtMs: number | null;
  /** Signals that were sent to end this life. */
  readonly kills: number;
  /** Why we end it, when that was our own verdict. */
  readonly doom: string | null;
  /** The recent deaths, oldest first; the last one stays however old it is. */
  readonly deaths: readonly Death[];
}

/** Times in milliseconds. */
export interface ChildLimits {
  /** Far above what a start takes: on a busy machine a second try would only add to what keeps the first one from being ready. */
  readonly startTimeoutMs: number;
  readonly heartbeatTimeoutMs: number;
  /** From the question to SIGABRT, for a child that answers, and for one that is taken as hung. */
  readonly stopTimeoutMs: number;
  readonly hungStopTimeoutMs: number;
  /** From SIGABRT to SIGKILL. */
  readonly killIntervalMs: number;
  /** Up for so long, a child is taken as sound: its death is not held against the next life. */
  readonly settledMs: number;
  /** So many early deaths in the window, and it is not started again. */
  readonly maxEarlyDeaths: number;
  readonly deathWindowMs: number;
  readonly firstDelayMs: number;
  readonly maxDelayMs: number;
  /** Before a drain ends, those who are left are sent away over so long. */
  readonly drainSpreadMs: number;
}

/** The limits that a configuration stands for. */
export function limitsOf({ dolphin }: Pick<Config, "dolphin">): ChildLimits {
  return {
    startTimeoutMs: 30_000,
    heartbeatTimeoutMs: dolphin.heartbeatTimeoutMs,
    stopTimeoutMs: dolphin.stopTimeoutMs,
    hungStopTimeoutMs: 1000,
    killIntervalMs: 500,
    settledMs: 10_000,
    maxEarlyDeaths: 5,
    deathWindowMs: 60_000,
    firstDelayMs: 1000,
    maxDelayMs: 15_000,
    drainSpreadMs: dolphin.drainSpreadMs,
  };
}

/** What the supervisor has to do. Every effect but `none` replaces the child's timer. */
export type Effect =
  | { readonly type: "none" }
  | { readonly type: "fork"; readonly timeoutMs: number }
  | { readonly type: "serve"; readonly timeoutMs: number }
  | { readonly type: "ask"; readonly timeoutMs: number }
  | { readonly type: "kill"; readonly signal: "SIGABRT" | "SIGKILL"; readonly timeoutMs: number }
  | { readonly type: "wait"; readonly timeoutMs: number }
  | { readonly type: "rest" };

export interface Step {
  readonly child: Child;
  readonly effect: Effect;
}

/** A child before its first start. */
export const newborn: Child = {
  state: "down",
  wanted: false,
  starts: 0,
  startedAtMs: null,
  upAtMs: null,
  kills: 0,
  doom: null,
  deaths: [],
};

/** Applies one event to a child. Total: an event that means nothing in the child's state leaves it as it is. */
export function step(child: Child, event: ChildEvent, nowMs: number, limits: ChildLimits): Step {
  switch (table[child.state][event.type]) {
    case "none":
      return { child, effect: { type: "none" } };
    case "fork":
      return fork(child, nowMs, limits);
    case "up":
      return { child: { ...child, state: "up", upAtMs: nowMs }, effect: { type: "serve", timeoutMs: limits.heartbeatTimeoutMs } };
    case "ask": {
      const doom = event.type === "stop" ? (event.doom ?? null) : null;
      const timeoutMs = doom === null ? limits.stopTimeoutMs : limits.hungStopTimeoutMs;
      return { child: { ...child, state: "stopping", wanted: false, doom }, effect: { type: "ask", timeoutMs } };
    }
    case "kill":
      return kill(child, event, limits);
    case "wantUp":
      return { child: { ...child, wanted: true }, effect: { type: "none" } };
    case "stayDown":
      return { child: { ...child, state: "down", wanted: false }, effect: { type: "rest" } };
    case "died":
    case "stopped":
    default:
      return bury(child, event.type === "exit" ? event.cause : "", nowMs, limits);
  }
}

/** The cause of the last death, or null for a child that never died. */
export function lastCause(child: Child): string | null {
  return child.deaths.at(-1)?.cause ?? null;
}

/** Whether it has no process: what it had is free. */
export function isGone({ state }: { readonly state: string }): boolean {
  return state === "waiting" || state === "down" || state === "failed";
}

/** How long to wait after the n-th early death of the window: not at all after the first of a child that had been ready. */
export function restartDelayMs(earlyDeaths: number, wasReady: boolean, limits: ChildLimits): number {
  if (earlyDeaths <= 1 && wasReady) return 0;
  return Math.min(limits.maxDelayMs, limits.firstDelayMs * 2 ** Math.max(0, earlyDeaths - 2));
}

function fork(child: Child, nowMs: number, limits: ChildLimits): Step {
  // Whoever starts a failed child has mended it: its tally begins anew, its last cause is still told.
  const last = child.deaths.at(-1);
  const deaths = child.state === "failed" && last !== undefined ? [{ ...last, early: false }] : child.deaths;
  const life = { upAtMs: null, kills: 0, doom: null, startedAtMs: nowMs, starts: child.starts + 1 };
  return {
    child: { ...child, ...life, state: "starting", wanted: true, deaths },
    effect: { type: "fork", timeoutMs: limits.startTimeoutMs },
  };
}

function kill(child: Child, event: ChildEvent, limits: ChildLimits): Step {
  const isSecondStop = event.type === "stop";
  const signal = isSecondStop || child.kills > 0 ? "SIGKILL" : "SIGABRT";
  const doom = child.state === "starting" ? `not ready within ${limits.startTimeoutMs / 1000} s` : child.doom;
  const wanted = isSecondStop ? false : child.wanted;
  return { child: { ...child, wanted, doom, kills: child.kills + 1 }, effect: { type: "kill", signal, timeoutMs: limits.killIntervalMs } };
}

function bury(child: Child, exitCause: string, nowMs: number, limits: ChildLimits): Step {
  const over = { ...child, kills: 0, upAtMs: null, doom: null };
  if (child.state === "stopping" && child.doom === null) {
    if (child.wanted) return { child: { ...over, state: "waiting" }, effect: { type: "wait", timeoutMs: 0 } };
    return { child: { ...over, state: "down" }, effect: { type: "rest" } };
  }
  const early = child.upAtMs === null || nowMs - child.upAtMs < limits.settledMs;
  const before = early ? child.deaths.filter((death) => nowMs - death.atMs < limits.deathWindowMs) : [];
  const deaths = [...before, { atMs: nowMs, cause: child.doom ?? exitCause, early }];
  if (!child.wanted) return { child: { ...over, state: "down", deaths }, effect: { type: "rest" } };
  const earlyDeaths = deaths.filter((death) => death.early).length;
  if (earlyDeaths >= limits.maxEarlyDeaths) return { child: { ...over, state: "failed", deaths }, effect: { type: "rest" } };
  const timeoutMs = restartDelayMs(earlyDeaths, child.upAtMs !== null, limits);
  return { child: { ...over, state: "waiting", deaths }, effect: { type: "wait", timeoutMs } };
}
