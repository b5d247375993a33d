import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Systemd } from "../../../../src/master/host/systemd.js";
import { FakeTimers } from "../../fake-timers.js";

/** A manager that takes notes, and takes nothing while it is `deaf`. */
function rig({ watchdogMs = null, isNull = false }: { watchdogMs?: number | null; isNull?: boolean } = {}) {
  const timers = new FakeTimers();
  const heard: string[] = [];
  const state = { deaf: false, sound: true, closed: 0 };
  const socket = {
    send(text: string) {
      if (!state.deaf) heard.push(text);
      return !state.deaf;
    },
    close: () => void (state.closed += 1),
  };
  const systemd = new Systemd({
    socket: isNull ? null : socket,
    watchdogMs,
    timers,
    monotonicUs: () => 4711n,
    isSound: () => state.sound,
  });
  return { systemd, timers, heard, state };
}

describe("what the service manager is told", () => {
  it("is each phase in the words of sd_notify", () => {
    const { systemd, heard } = rig();
    systemd.ready("2/2 workers");
    systemd.status("2/2 workers, 7 viewers");
    systemd.reloading();
    systemd.ready("2/2 workers");
    systemd.mainPid(815);
    systemd.stopping("2 viewers left");
    systemd.extendTimeout(2500);
    assert.deepEqual(heard, [
      "READY=1\nSTATUS=2/2 workers",
      "STATUS=2/2 workers, 7 viewers",
      "RELOADING=1\nMONOTONIC_USEC=4711",
      "READY=1\nSTATUS=2/2 workers",
      "MAINPID=815",
      "STOPPING=1\nSTATUS=2 viewers left",
      "EXTEND_TIMEOUT_USEC=2500000",
    ]);
  });

  it("is no status that it has already", () => {
    const { systemd, heard } = rig();
    systemd.ready("one");
    for (const text of ["one", "two", "two", "one"]) systemd.status(text);
    assert.deepEqual(heard, ["READY=1\nSTATUS=one", "STATUS=two", "STATUS=one"]);
  });

  it("cannot be forged by a value with lines of its own", () => {
    const { systemd, heard } = rig();
    systemd.status("a\nMAINPID=1\r\nb");
    assert.deepEqual(heard, ["STATUS=a MAINPID=1 b"]);
  });

  it("waits while the manager does not read, keeps its order, and a status does not queue behind it", () => {
    const { systemd, heard, state, timers } = rig();
    state.deaf = true;
    systemd.ready("one");
    systemd.stopping("two");
    systemd.status("three");
    timers.pass(500);
    assert.deepEqual(heard, []);
    state.deaf = false;
    timers.pass(100);
    assert.deepEqual(heard, ["READY=1\nSTATUS=one", "STOPPING=1\nSTATUS=two"]);
  });

  it("is nothing at all without a manager, and after the end", () => {
    const { systemd, timers } = rig({ isNull: true, watchdogMs: 10 });
    systemd.ready("one");
    systemd.stopping("two");
    timers.pass(100);
    const ended = rig({ watchdogMs: 1000 });
    ended.systemd.ready("one");
    ended.systemd.close();
    ended.systemd.close();
    ended.systemd.status("two");
    ended.timers.pass(5000);
    assert.deepEqual(ended.heard, ["READY=1\nSTATUS=one", "WATCHDOG=1"]);
    assert.equal(ended.state.closed, 1);
  });
});

describe("the watchdog", () => {
  const pings = (heard: readonly string[]): number => heard.filter((text) => text === "WATCHDOG=1").length;

  it("is fed from the first READY on, twice in the time that the manager waits, and a reload changes nothing in that", () => {
    const { systemd, timers, heard } = rig({ watchdogMs: 10_000 });
    timers.pass(20_000);
    assert.equal(pings(heard), 0);
    systemd.ready("one");
    assert.equal(pings(heard), 1);
    timers.pass(10_000);
    assert.equal(pings(heard), 3);
    systemd.reloading();
    systemd.ready("one");
    timers.pass(10_000);
    assert.equal(pings(heard), 5);
  });

  it("is not fed while what serves is not sound, and again afterwards", () => {
    const { systemd, timers, heard, state } = rig({ watchdogMs: 10_000 });
    systemd.ready("one");
    state.sound = false;
    timers.pass(20_000);
    assert.equal(pings(heard), 1);
    state.sound = true;
    timers.pass(5000);
    assert.equal(pings(heard), 2);
  });

  it("is not fed by an event loop that stands still", () => {
    const { systemd, timers, heard } = rig({ watchdogMs: 10_000 });
    systemd.ready("one");
    timers.freeze(60_000);
    assert.equal(pings(heard), 2, "one that was due comes late, those missed do not");
  });

  it("is left alone where the manager asks for none", () => {
    const { systemd, timers, heard } = rig();
    systemd.ready("one");
    timers.pass(60_000);
    assert.equal(pings(heard), 0);
  });
});
