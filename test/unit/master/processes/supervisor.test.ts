import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { defaultConfig } from "../../../../src/conf/load.js";
import { nobody } from "../../../../src/ipc/identity.js";
import { noStats, type FromChild, type ToChild } from "../../../../src/ipc/messages.js";
import { limitsOf } from "../../../../src/master/processes/child.js";
import type { ProcessSpec } from "../../../../src/master/processes/plan.js";
import { Supervisor, type Change, type RunningEvents } from "../../../../src/master/processes/supervisor.js";
import { FakeTimers } from "../../fake-timers.js";

class FakeProcess {
  readonly sent: ToChild[] = [];
  readonly signals: string[] = [];
  readonly name: string;
  readonly pid: number;
  private readonly events: RunningEvents;

  constructor(name: string, pid: number, events: RunningEvents) {
    this.name = name;
    this.pid = pid;
    this.events = events;
  }

  send(message: ToChild): void {
    this.sent.push(message);
  }

  kill(signal: NodeJS.Signals): void {
    this.signals.push(signal);
  }

  say(message: FromChild): void {
    this.events.message(message);
  }

  becomeReady(): void {
    this.say({ type: "hello" });
    this.say({ type: "ready", endpoints: [] });
  }

  die(cause = "killed by SIGKILL"): void {
    this.events.exit(cause);
  }
}

const config = defaultConfig();
const limits = limitsOf(config);
const heartbeat: FromChild = { type: "heartbeat", stats: noStats };

function spec(name: string, startsAfter: string | null = null): ProcessSpec {
  const isOrigin = name === "origin";
  const isAdmin = name === "admin";
  const duty = isOrigin ? "origin" : isAdmin ? "admin" : "edge";
  return { name, duty, place: "child", isPublic: !isOrigin && !isAdmin, startsAfter, config, maxConnections: null };
}

let timers: FakeTimers;
let started: FakeProcess[];
let changes: Change[];
let ended: string[];
let forkFails: boolean;

function supervise(specs: readonly ProcessSpec[]): Supervisor {
  const supervisor = new Supervisor({
    specs,
    limits,
    timers,
    spawner: {
      spawn({ name }, events) {
        if (forkFails) throw new Error("EAGAIN");
        const process = new FakeProcess(name, 100 + started.length, events);
        started.push(process);
        return process;
      },
    },
    setupFor: ({ name }) => ({
      name,
      isEdge: true,
      config,
      listeners: [],
      edgeKey: "",
      maxConnections: null,
      publishersMove: false,
      identity: nobody,
    }),
    events: {
      changed: (change) => changes.push(change),
      heard: () => undefined,
      ended: (how) => ended.push(how),
    },
  });
  supervisor.start();
  return supervisor;
}

/** The process that was started last under the name. */
function latest(name: string): FakeProcess {
  const process = started.findLast((one) => one.name === name);
  assert.ok(process !== undefined, `${name} was never started`);
  return process;
}

function stateOf(supervisor: Supervisor, name: string): string | undefined {
  return supervisor.children().find((view) => view.spec.name === name)?.child.state;
}

beforeEach(() => {
  timers = new FakeTimers();
  started = [];
  changes = [];
  ended = [];
  forkFails = false;
});

describe("starting", () => {
  it("starts all at once what waits for nothing", () => {
    supervise([spec("edge-1"), spec("edge-2")]);
    assert.deepEqual(
      started.map(({ name }) => name),
      ["edge-1", "edge-2"],
    );
  });

  it("starts edges only when their origin is ready", () => {
    supervise([spec("origin"), spec("edge-1", "origin"), spec("edge-2", "origin")]);
    assert.deepEqual(
      started.map(({ name }) => name),
      ["origin"],
    );
    latest("origin").becomeReady();
    assert.deepEqual(
      started.map(({ name }) => name),
      ["origin", "edge-1", "edge-2"],
    );
  });

  it("leaves the edges alone when the origin dies and comes back", () => {
    supervise([spec("origin"), spec("edge-1", "origin")]);
    latest("origin").becomeReady();
    latest("edge-1").becomeReady();
    latest("origin").die();
    timers.pass(0);
    latest("origin").becomeReady();
    assert.deepEqual(
      started.map(({ name }) => name),
      ["origin", "edge-1", "origin"],
    );
    assert.deepEqual(latest("edge-1").signals, []);
  });

  it("configures a child after its hello and not before", () => {
    supervise([spec("edge-1")]);
    assert.deepEqual(latest("edge-1").sent, []);
    latest("edge-1").say({ type: "hello" });
    assert.deepEqual(
      latest("edge-1").sent.map(({ type }) => type),
      ["configure"],
    );
  });

  it("kills a child that is not ready in time and tells why", () => {
    const supervisor = supervise([spec("edge-1")]);
    timers.pass(30_000);
    assert.deepEqual(latest("edge-1").signals, ["SIGABRT"]);
    timers.pass(500);
    assert.deepEqual(latest("edge-1").signals, ["SIGABRT", "SIGKILL"]);
    latest("edge-1").die();
    assert.equal(supervisor.children()[0]?.child.deaths[0]?.cause, "not ready within 30 s");
  });

  it("takes a process that could not be made as dead, and tries again", () => {
    forkFails = true;
    const supervisor = supervise([spec("edge-1")]);
    assert.equal(supervisor.children()[0]?.child.deaths[0]?.cause, "not started: EAGAIN");
    forkFails = false;
    timers.pass(1000);
    latest("edge-1").becomeReady();
    assert.equal(stateOf(supervisor, "edge-1"), "up");
  });
});

describe("deaths", () => {
  it("restarts a killed edge at once", () => {
    supervise([spec("edge-1"), spec("edge-2")]);
    for (const process of started) process.becomeReady();
    latest("edge-1").die();
    timers.pass(0);
    assert.deepEqual(
      started.map(({ name }) => name),
      ["edge-1", "edge-2", "edge-1"],
    );
  });

  it("waits before it restarts an edge that died twice", () => {
    supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    latest("edge-1").die();
    timers.pass(0);
    latest("edge-1").becomeReady();
    latest("edge-1").die();
    timers.pass(999);
    assert.equal(started.length, 2);
    timers.pass(1);
    assert.equal(started.length, 3);
  });

  it("keeps the pid of a process that is gone for the announcement of its end", () => {
    supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    latest("edge-1").die("exit 70");
    const last = changes.at(-1);
    assert.deepEqual([last?.pid, last?.lastPid, last?.ending, last?.delayMs], [null, 100, "exit 70", 0]);
  });

  it("takes what a child said when it refused as the cause of its death", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").say({ type: "hello" });
    latest("edge-1").say({ type: "refused", code: "CHILD_LISTEN", message: "no such address" });
    latest("edge-1").die("exit 78");
    assert.equal(supervisor.children()[0]?.child.deaths[0]?.cause, "refused: no such address");
  });

  it("hears nothing any more from a process that is gone", () => {
    const supervisor = supervise([spec("edge-1")]);
    const first = latest("edge-1");
    first.becomeReady();
    first.die();
    timers.pass(0);
    first.say({ type: "ready", endpoints: [] });
    first.die();
    assert.equal(stateOf(supervisor, "edge-1"), "starting");
  });

  it("leaves one failed edge down while another serves", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    latest("edge-2").becomeReady();
    dieUntilFailed("edge-1");
    assert.equal(stateOf(supervisor, "edge-1"), "failed");
    assert.deepEqual(ended, []);
  });

  it("goes on without an admin, and gives up with one that serves beside nobody", () => {
    const supervisor = supervise([spec("edge-1"), spec("admin")]);
    latest("edge-1").becomeReady();
    dieUntilFailed("admin");
    assert.deepEqual([stateOf(supervisor, "admin"), stateOf(supervisor, "edge-1"), ended], ["failed", "up", []]);
    supervise([spec("edge-1"), spec("admin")]);
    latest("admin").becomeReady();
    dieUntilFailed("edge-1");
    assert.equal(latest("admin").sent.at(-1)?.type, "stop");
  });

  it("gives up when no edge is left", () => {
    supervise([spec("edge-1"), spec("edge-2")]);
    dieUntilFailed("edge-1");
    dieUntilFailed("edge-2");
    assert.deepEqual(ended, ["gaveUp"]);
  });

  it("gives up when the origin is lost, and ends the edges first", () => {
    supervise([spec("origin"), spec("edge-1", "origin")]);
    latest("origin").becomeReady();
    latest("edge-1").becomeReady();
    dieUntilFailed("origin");
    assert.deepEqual(latest("edge-1").sent.at(-1)?.type, "stop");
    assert.deepEqual(ended, []);
    latest("edge-1").die("exit 0");
    assert.deepEqual(ended, ["gaveUp"]);
  });
});

function dieUntilFailed(name: string): void {
  for (let deaths = 0; deaths < limits.maxEarlyDeaths; deaths += 1) {
    latest(name).die("exit 1");
    for (let ms = 0; ms < 8; ms += 1) {
      for (const process of started) if (process.name !== name) process.say(heartbeat);
      timers.pass(1000);
    }
  }
}

describe("a hung child", () => {
  it("is one that is not heard for the heartbeat timeout: asked, aborted, killed, replaced", () => {
    const supervisor = supervise([spec("edge-1")]);
    const hung = latest("edge-1");
    hung.becomeReady();
    timers.pass(9999);
    assert.equal(stateOf(supervisor, "edge-1"), "up");
    timers.pass(1);
    assert.equal(hung.sent.at(-1)?.type, "stop");
    timers.pass(1000);
    assert.deepEqual(hung.signals, ["SIGABRT"]);
    timers.pass(500);
    assert.deepEqual(hung.signals, ["SIGABRT", "SIGKILL"]);
    hung.die();
    timers.pass(0);
    assert.equal(started.length, 2);
    assert.equal(supervisor.children()[0]?.child.deaths[0]?.cause, "hung: nothing heard for 10 s");
  });

  it("is not one that is heard", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    for (let beats = 0; beats < 30; beats += 1) {
      timers.pass(1000);
      latest("edge-1").say(heartbeat);
    }
    assert.equal(stateOf(supervisor, "edge-1"), "up");
  });

  it("is not taken for one when it was the master that stood still, however long", () => {
    for (const headMs of [0, 500, 3000]) {
      for (let stillMs = 6_500; stillMs < 13_000; stillMs += 100) {
        const supervisor = supervise([spec("edge-1")]);
        latest("edge-1").becomeReady();
        timers.pass(headMs);
        timers.freeze(stillMs);
        timers.pass(900); // it has been stopped as well, and takes a moment
        assert.equal(stateOf(supervisor, "edge-1"), "up", `${stillMs} ms`);
        latest("edge-1").say(heartbeat);
        timers.pass(9_900);
        assert.equal(stateOf(supervisor, "edge-1"), "up", `${stillMs} ms`);
      }
    }
  });

  it("is one if it says nothing after that either", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    timers.freeze(60_000);
    assert.equal(stateOf(supervisor, "edge-1"), "up");
    timers.pass(2000);
    assert.equal(stateOf(supervisor, "edge-1"), "stopping");
  });
});

describe("a child that cannot speak", () => {
  const foreign = (name: string): ProcessSpec => ({
    ...spec(name),
    duty: "server",
    backend: { rtmp: { host: "127.0.0.1", port: 1 }, http: null, api: null, weight: 1, program: null },
  });

  it("is ready and alive when somebody says so for it, and is asked to leave by a signal", () => {
    const supervisor = supervise([foreign("server-1")]);
    supervisor.tell("server-1", { type: "ready", endpoints: [] });
    assert.equal(stateOf(supervisor, "server-1"), "up");
    for (let second = 0; second < 30; second++) {
      timers.pass(1000);
      supervisor.tell("server-1", heartbeat);
    }
    assert.deepEqual(latest("server-1").signals, []);
    supervisor.stop("test");
    assert.deepEqual(latest("server-1").signals, ["SIGTERM"]);
    assert.deepEqual(latest("server-1").sent, []);
  });

  it("is told nothing of when it is not there", () => {
    forkFails = true;
    const supervisor = supervise([foreign("server-1")]);
    supervisor.tell("server-1", { type: "ready", endpoints: [] });
    supervisor.tell("nobody", { type: "ready", endpoints: [] });
    assert.equal(stateOf(supervisor, "server-1"), "waiting");
  });

  it("is ended and replaced when it is condemned, and that counts as a death with its cause", () => {
    const supervisor = supervise([foreign("server-1")]);
    supervisor.tell("server-1", { type: "ready", endpoints: [] });
    supervisor.condemn("server-1", "hung: it did not answer");
    assert.equal(stateOf(supervisor, "server-1"), "stopping");
    timers.pass(1000);
    timers.pass(500);
    assert.deepEqual(latest("server-1").signals, ["SIGTERM", "SIGABRT", "SIGKILL"]);
    latest("server-1").die();
    timers.pass(0);
    assert.equal(started.length, 2);
    assert.equal(supervisor.children()[0]?.child.deaths.at(-1)?.cause, "hung: it did not answer");
  });

  it("is condemned only while it serves", () => {
    const supervisor = supervise([foreign("server-1")]);
    supervisor.condemn("server-1", "hung");
    assert.equal(stateOf(supervisor, "server-1"), "starting");
  });
});

describe("stopping", () => {
  it("asks every child and ends when the last has left", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    for (const process of started) process.becomeReady();
    supervisor.stop("SIGTERM");
    for (const process of started) assert.deepEqual(process.sent.at(-1), { type: "stop", reason: "SIGTERM", isReplaced: false });
    latest("edge-1").die("exit 0");
    assert.deepEqual(ended, []);
    latest("edge-2").die("exit 0");
    assert.deepEqual(ended, ["stopped"]);
    timers.pass(60_000);
    assert.equal(started.length, 2);
  });

  it("kills within the bound who does not leave", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    supervisor.stop("SIGTERM");
    timers.pass(4999);
    assert.deepEqual(latest("edge-1").signals, []);
    timers.pass(501);
    assert.deepEqual(latest("edge-1").signals, ["SIGABRT", "SIGKILL"]);
  });

  it("kills at once when it is told to", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    for (const process of started) process.becomeReady();
    supervisor.stop("SIGTERM");
    supervisor.kill("SIGTERM");
    for (const process of started) assert.deepEqual(process.signals, ["SIGKILL"]);
  });

  it("changes nothing when it is asked twice", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    supervisor.stop("SIGTERM");
    supervisor.stop("SIGTERM");
    assert.deepEqual(latest("edge-1").signals, []);
  });

  it("ends a child that has not spoken by a signal, because it could not hear a message", () => {
    const supervisor = supervise([spec("edge-1")]);
    supervisor.stop("SIGTERM");
    assert.deepEqual(latest("edge-1").signals, ["SIGTERM"]);
    assert.deepEqual(latest("edge-1").sent, []);
  });

  it("does not start what waits for its time or for its origin", () => {
    const supervisor = supervise([spec("origin"), spec("edge-1", "origin")]);
    latest("origin").becomeReady();
    latest("edge-1").becomeReady();
    latest("edge-1").die();
    supervisor.stop("SIGTERM");
    latest("origin").die("exit 0");
    timers.pass(60_000);
    assert.deepEqual(ended, ["stopped"]);
    assert.equal(started.length, 2);
  });
});

describe("one more child", () => {
  it("is told to serve, and is like all others from then on", async () => {
    const supervisor = supervise([spec("edge-1")]);
    const added = supervisor.add(spec("edge-1.2"));
    latest("edge-1.2").becomeReady();
    assert.equal(await added, null);
    latest("edge-1.2").die();
    timers.pass(0);
    latest("edge-1.2").becomeReady();
    assert.equal(stateOf(supervisor, "edge-1.2"), "up");
  });

  it("that dies before it serves is not tried again, and leaves no trace", async () => {
    const supervisor = supervise([spec("edge-1")]);
    const added = supervisor.add(spec("edge-1.2"));
    latest("edge-1.2").die("exit 70");
    assert.equal(await added, "exit 70");
    timers.pass(60_000);
    assert.equal(started.length, 2);
    assert.equal(stateOf(supervisor, "edge-1.2"), undefined);
    assert.deepEqual(ended, []);
  });

  it("that could not be forked is told so", async () => {
    const supervisor = supervise([spec("edge-1")]);
    forkFails = true;
    assert.equal(await supervisor.add(spec("edge-1.2")), "not started: EAGAIN");
    assert.equal(stateOf(supervisor, "edge-1.2"), undefined);
  });

  it("that is not ready in time is killed and gone", async () => {
    const supervisor = supervise([spec("edge-1")]);
    const added = supervisor.add(spec("edge-1.2"));
    timers.pass(30_000);
    latest("edge-1.2").die("killed by SIGABRT");
    assert.equal(await added, "not ready within 30 s");
    assert.equal(stateOf(supervisor, "edge-1.2"), undefined);
  });

  it("is not started any more while the box stops", async () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    supervisor.stop("SIGTERM");
    assert.equal(await supervisor.add(spec("edge-1.2")), "dolphin is stopping");
  });

  it("is stopped with the others while it starts", async () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    const added = supervisor.add(spec("edge-1.2"));
    supervisor.stop("SIGTERM");
    latest("edge-1").die("exit 0");
    assert.deepEqual(ended, []);
    latest("edge-1.2").die("exit 0");
    assert.equal(await added, "it was stopped");
    assert.deepEqual(ended, ["stopped"]);
  });
});

describe("letting a child go", () => {
  it("asks it to drain, and forgets it when it has left", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    for (const process of started) process.becomeReady();
    supervisor.retire("edge-1", "reload", null);
    assert.deepEqual(latest("edge-1").sent.at(-1), { type: "drain", reason: "reload", isReplaced: true, spread: null });
    assert.equal(supervisor.children()[0]?.isLeaving, true);
    latest("edge-1").die("exit 0");
    timers.pass(60_000);
    assert.equal(started.length, 2);
    assert.equal(stateOf(supervisor, "edge-1"), undefined);
    assert.deepEqual(ended, []);
  });

  it("stops it when it takes longer than it may", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    for (const process of started) process.becomeReady();
    supervisor.retire("edge-1", "reload", 30_000);
    for (let second = 0; second < 30; second++) {
      timers.pass(1000);
      for (const process of started) process.say(heartbeat);
    }
    assert.deepEqual(latest("edge-1").sent.at(-1)?.type, "stop");
    latest("edge-1").die("exit 0");
    assert.equal(stateOf(supervisor, "edge-1"), undefined);
  });

  it("does not start it again when it dies or hangs meanwhile", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2"), spec("edge-3")]);
    for (const process of started) process.becomeReady();
    supervisor.retire("edge-1", "reload", null);
    supervisor.retire("edge-2", "reload", null);
    latest("edge-1").die();
    timers.pass(9000);
    latest("edge-3").say(heartbeat);
    timers.pass(1000);
    assert.equal(latest("edge-2").sent.at(-1)?.type, "stop");
    latest("edge-2").die();
    timers.pass(9000);
    assert.deepEqual(
      supervisor.children().map(({ spec: { name } }) => name),
      ["edge-3"],
    );
    assert.equal(started.length, 3);
  });

  it("stops at once a child that does not serve yet", () => {
    const supervisor = supervise([spec("edge-1"), spec("edge-2")]);
    supervisor.retire("edge-1", "reload", null);
    assert.deepEqual(latest("edge-1").signals, ["SIGTERM"]);
    latest("edge-1").die("killed by SIGTERM");
    assert.equal(stateOf(supervisor, "edge-1"), undefined);
  });

  it("lets a drained box end when the last public child has left, the origin last", () => {
    const supervisor = supervise([spec("origin"), spec("edge-1", "origin"), spec("edge-2", "origin")]);
    latest("origin").becomeReady();
    for (const name of ["edge-1", "edge-2"]) latest(name).becomeReady();
    supervisor.drain("SIGQUIT", null);
    latest("edge-1").die("exit 0");
    assert.equal(latest("origin").sent.at(-1)?.type, "configure");
    latest("edge-2").die("exit 0");
    assert.deepEqual(latest("origin").sent.at(-1), { type: "stop", reason: "SIGQUIT", isReplaced: false });
    latest("origin").die("exit 0");
    assert.deepEqual(ended, ["stopped"]);
  });

  it("obeys a stop while the box drains", () => {
    const supervisor = supervise([spec("edge-1")]);
    latest("edge-1").becomeReady();
    supervisor.drain("SIGQUIT", null);
    supervisor.stop("SIGTERM");
    assert.deepEqual(latest("edge-1").sent.at(-1), { type: "stop", reason: "SIGTERM", isReplaced: false });
    latest("edge-1").die("exit 0");
    assert.deepEqual(ended, ["stopped"]);
  });
});

describe("restarting a child in its place", () => {
  it("starts it under its new spec when it has left", async () => {
    const supervisor = supervise([spec("server-1")]);
    latest("server-1").becomeReady();
    const restarted = supervisor.restart({ ...spec("server-1"), maxConnections: 7 });
    assert.equal(latest("server-1").sent.at(-1)?.type, "stop");
    latest("server-1").die("exit 0");
    timers.pass(0);
    latest("server-1").becomeReady();
    assert.equal(await restarted, null);
    assert.equal(supervisor.children()[0]?.spec.maxConnections, 7);
    assert.equal(started.length, 2);
  });

  it("tells when it does not come back, and goes on trying", async () => {
    const supervisor = supervise([spec("server-1")]);
    latest("server-1").becomeReady();
    const restarted = supervisor.restart(spec("server-1"));
    latest("server-1").die("exit 0");
    timers.pass(0);
    latest("server-1").die("exit 70");
    assert.equal(await restarted, "exit 70");
    timers.pass(1000);
    assert.equal(started.length, 3);
  });
});
