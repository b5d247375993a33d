import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defaultConfig } from "../../../../src/conf/load.js";
import {
  lastCause,
  limitsOf,
  newborn,
  restartDelayMs,
  step,
  table,
  type Action,
  type Child,
  type ChildEvent,
  type ChildState,
  type Effect,
} from "../../../../src/master/processes/child.js";

const limits = limitsOf(defaultConfig());

const events: Readonly<Record<ChildEvent["type"], ChildEvent>> = {
  start: { type: "start" },
  ready: { type: "ready" },
  exit: { type: "exit", cause: "exit 1" },
  timeout: { type: "timeout" },
  stop: { type: "stop" },
};

/** A child that lives in the state, up since 1000 where that applies. */
function childIn(state: ChildState): Child {
  const isWanted = state === "starting" || state === "up" || state === "waiting";
  const upAtMs = state === "up" || state === "stopping" ? 1000 : null;
  return { ...newborn, state, wanted: isWanted, starts: 1, startedAtMs: 900, upAtMs };
}

interface Cell {
  readonly action: Action;
  readonly next: ChildState;
  readonly effect: Effect;
}

const none: Effect = { type: "none" };
const rest: Effect = { type: "rest" };
const forks: Cell = { action: "fork", next: "starting", effect: { type: "fork", timeoutMs: 30_000 } };
const asks: Cell = { action: "ask", next: "stopping", effect: { type: "ask", timeoutMs: 5000 } };
const keeps = (next: ChildState): Cell => ({ action: "none", next, effect: none });
const kills = (next: ChildState, signal: "SIGABRT" | "SIGKILL"): Cell => ({
  action: "kill",
  next,
  effect: { type: "kill", signal, timeoutMs: 500 },
});
const staysDown: Cell = { action: "stayDown", next: "down", effect: rest };

const cells: Readonly<Record<ChildState, Readonly<Record<ChildEvent["type"], Cell>>>> = {
  down: { start: forks, ready: keeps("down"), exit: keeps("down"), timeout: keeps("down"), stop: keeps("down") },
  starting: {
    start: keeps("starting"),
    ready: { action: "up", next: "up", effect: { type: "serve", timeoutMs: 10_000 } },
    exit: { action: "died", next: "waiting", effect: { type: "wait", timeoutMs: 1000 } },
    timeout: kills("starting", "SIGABRT"),
    stop: asks,
  },
  up: {
    start: keeps("up"),
    ready: keeps("up"),
    exit: { action: "died", next: "waiting", effect: { type: "wait", timeoutMs: 0 } },
    timeout: keeps("up"),
    stop: asks,
  },
  stopping: {
    start: { action: "wantUp", next: "stopping", effect: none },
    ready: keeps("stopping"),
    exit: { action: "stopped", next: "down", effect: rest },
    timeout: kills("stopping", "SIGABRT"),
    stop: kills("stopping", "SIGKILL"),
  },
  waiting: { start: forks, ready: keeps("waiting"), exit: keeps("waiting"), timeout: forks, stop: staysDown },
  failed: { start: forks, ready: keeps("failed"), exit: keeps("failed"), timeout: keeps("failed"), stop: staysDown },
};

describe("the table of a child", () => {
  for (const [state, row] of Object.entries(cells) as [ChildState, (typeof cells)[ChildState]][]) {
    for (const [type, cell] of Object.entries(row) as [ChildEvent["type"], Cell][]) {
      it(`${state} × ${type} is ${cell.action} and leads to ${cell.next}`, () => {
        assert.equal(table[state][type], cell.action);
        const { child, effect } = step(childIn(state), events[type], 2000, limits);
        assert.equal(child.state, cell.next);
        assert.deepEqual(effect, cell.effect);
      });
    }
  }

  it("has no cell that this test does not know", () => {
    const shape = Object.fromEntries(Object.entries(table).map(([state, row]) => [state, Object.keys(row).sort()]));
    const known = Object.fromEntries(Object.entries(cells).map(([state, row]) => [state, Object.keys(row).sort()]));
    assert.deepEqual(shape, known);
  });
});

/** Applies events in a row: the time in milliseconds, and what happens. */
function live(child: Child, ...happenings: readonly (readonly [number, ChildEvent])[]): { child: Child; effect: Effect } {
  let last: { child: Child; effect: Effect } = { child, effect: none };
  for (const [atMs, event] of happenings) last = step(last.child, event, atMs, limits);
  return last;
}

const { start, ready, timeout, stop } = events;
const killed: ChildEvent = { type: "exit", cause: "killed by SIGKILL" };

describe("the end of a child", () => {
  it("restarts at once when it had been up, however short", () => {
    const { child, effect } = live(newborn, [0, start], [100, ready], [150, killed]);
    assert.deepEqual(effect, { type: "wait", timeoutMs: 0 });
    assert.equal(lastCause(child), "killed by SIGKILL");
  });

  it("waits 1, 2 and 4 s before the next starts, then fails at the fifth death", () => {
    let child = newborn;
    const delays: number[] = [];
    for (let nowMs = 0; child.state !== "failed"; nowMs += 5000) {
      const died = live(child, [nowMs, start], [nowMs + 100, ready], [nowMs + 200, killed]);
      child = died.child;
      if (died.effect.type === "wait") delays.push(died.effect.timeoutMs);
    }
    assert.deepEqual(delays, [0, 1000, 2000, 4000]);
    assert.equal(child.deaths.length, 5);
  });

  it("waits before the second start already when the first never became ready", () => {
    assert.deepEqual(live(newborn, [0, start], [100, killed]).effect, { type: "wait", timeoutMs: 1000 });
  });

  it("never waits longer than the cap", () => {
    assert.equal(restartDelayMs(5, true, limits), 8000);
    assert.equal(restartDelayMs(6, true, limits), 15_000);
    assert.equal(restartDelayMs(40, false, limits), 15_000);
  });

  it("forgets early deaths after a life of ten seconds", () => {
    const bad = live(newborn, [0, start], [100, ready], [200, killed], [200, timeout], [300, ready], [400, killed]).child;
    const { child, effect } = live(bad, [1400, timeout], [1500, ready], [11_500, killed]);
    assert.deepEqual(effect, { type: "wait", timeoutMs: 0 });
    assert.equal(child.deaths.length, 1);
  });

  it("forgets early deaths that are older than the window", () => {
    const bad = live(newborn, [0, start], [1, ready], [2, killed], [2, timeout], [3, ready], [4, killed]).child;
    const { child, effect } = live(bad, [60_100, timeout], [60_200, ready], [60_300, killed]);
    assert.deepEqual(effect, { type: "wait", timeoutMs: 0 });
    assert.equal(child.deaths.length, 1);
  });

  it("begins a new tally when somebody starts a failed child, and still tells the last cause", () => {
    let { child } = live(newborn);
    while (child.state !== "failed") child = live(child, [0, start], [1, ready], [2, killed]).child;
    child = live(child, [3, start]).child;
    assert.equal(lastCause(child), "killed by SIGKILL");
    assert.deepEqual(live(child, [4, ready], [5, killed]).effect, { type: "wait", timeoutMs: 0 });
  });
});

describe("ending a child", () => {
  const up = live(newborn, [0, start], [100, ready]).child;

  it("asks, then aborts, then kills for as long as it takes", () => {
    const asked = live(up, [200, stop]);
    const aborted = live(asked.child, [5200, timeout]);
    const killedOnce = live(aborted.child, [5700, timeout]);
    const killedTwice = live(killedOnce.child, [6200, timeout]);
    assert.deepEqual(asked.effect, { type: "ask", timeoutMs: 5000 });
    assert.deepEqual(aborted.effect, { type: "kill", signal: "SIGABRT", timeoutMs: 500 });
    assert.deepEqual(killedOnce.effect, { type: "kill", signal: "SIGKILL", timeoutMs: 500 });
    assert.deepEqual(killedTwice.effect, { type: "kill", signal: "SIGKILL", timeoutMs: 500 });
  });

  it("kills at once on the second stop", () => {
    assert.deepEqual(live(up, [200, stop], [300, stop]).effect, { type: "kill", signal: "SIGKILL", timeoutMs: 500 });
  });

  it("counts no death when it was asked to leave", () => {
    const { child } = live(up, [200, stop], [300, { type: "exit", cause: "exit 0" }]);
    assert.equal(child.state, "down");
    assert.deepEqual(child.deaths, []);
  });

  it("starts it again at once when it was asked to leave and is wanted again", () => {
    const { child, effect } = live(up, [200, stop], [250, start], [300, killed]);
    assert.equal(child.state, "waiting");
    assert.deepEqual(effect, { type: "wait", timeoutMs: 0 });
    assert.deepEqual(child.deaths, []);
  });

  it("gives a hung child a second to leave, and counts its end as a death with our verdict", () => {
    const hung: ChildEvent = { type: "stop", doom: "hung: nothing heard for 10 s" };
    const asked = live(up, [20_000, hung]);
    assert.deepEqual(asked.effect, { type: "ask", timeoutMs: 1000 });
    const { child, effect } = live(asked.child, [20_000, start], [21_000, timeout], [21_500, timeout], [21_510, killed]);
    assert.equal(lastCause(child), "hung: nothing heard for 10 s");
    assert.deepEqual(effect, { type: "wait", timeoutMs: 0 });
  });

  it("lets a hung child stay down when the stop of the box comes in between", () => {
    const { child } = live(up, [20_000, { type: "stop", doom: "hung" }], [20_000, start], [20_100, stop], [20_200, killed]);
    assert.equal(child.state, "down");
  });

  it("names the missing readiness as the cause when it has to kill a child that does not start", () => {
    const { child } = live(newborn, [0, start], [30_000, timeout], [30_100, { type: "exit", cause: "killed by SIGABRT" }]);
    assert.equal(lastCause(child), "not ready within 30 s");
  });
});
