import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import pino from "pino";
import { defaultConfig } from "../../../src/conf/load.js";
import { Ending } from "../../../src/box/ending.js";
import { FakeTimers } from "../fake-timers.js";

let timers: FakeTimers;
let told: string[] = [];
let isForced: boolean;
let drainTimeoutMs: number | null;
let timesBegun = 0;
let closeOrigin: () => Promise<void>;

function ending(): Ending {
  const { grace, dolphin } = defaultConfig();
  const one = new Ending(
    { grace: { ...grace, isForced }, dolphin: { ...dolphin, drainTimeoutMs } },
    {
      log: pino({ level: "silent" }),
      timers,
      service: { ending: () => void (timesBegun += 1) },
      listeners: { close: () => void told.push("close listeners") },
      crew: {
        drain: (reason, timeoutMs) => void told.push(`drain for ${reason} within ${timeoutMs ?? "no bound"}`),
        stop: (reason) => void told.push(`stop for ${reason}`),
        kill: (reason) => void told.push(`kill for ${reason}`),
        close: () => closeOrigin(),
      },
      release: () => void told.push("release"),
    },
  );
  void one.ended.then((code) => told.push(`exit ${code}`));
  return one;
}

/** Lets promises go on between two looks at the clock. */
const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  timers = new FakeTimers();
  told = [];
  timesBegun = 0;
  isForced = false;
  drainTimeoutMs = null;
  closeOrigin = () => Promise.resolve();
});

describe("a fast end", () => {
  it("closes, stops, and leaves when the children have left", async () => {
    const end = ending();
    end.signal("SIGTERM");
    assert.deepEqual(told, ["close listeners", "stop for SIGTERM"]);
    await end.childrenEnded("stopped", true);
    await soon();
    assert.deepEqual(told.slice(-2), ["release", "exit 0"]);
  });

  it("kills on the second signal, and leaves even if something does not die", async () => {
    const end = ending();
    end.signal("SIGTERM");
    end.signal("SIGINT");
    assert.equal(told.at(-1), "kill for SIGINT");
    timers.pass(1000);
    await soon();
    assert.deepEqual(told.slice(-2), ["release", "exit 0"]);
    await end.childrenEnded("stopped", true);
    assert.equal(told.filter((line) => line === "exit 0").length, 1);
  });

  it("does not wait for an origin that does not end", async () => {
    closeOrigin = () => new Promise(() => undefined);
    const end = ending();
    end.signal("SIGTERM");
    void end.childrenEnded("stopped", true);
    timers.pass(5000);
    await soon();
    assert.equal(told.at(-1), "exit 0");
  });

  it("tells by its code that the children could not be kept alive, or not even forked", async () => {
    await ending().childrenEnded("gaveUp", true);
    await soon();
    assert.equal(told.at(-1), "exit 75");
    await ending().childrenEnded("gaveUp", false);
    await soon();
    assert.equal(told.at(-1), "exit 71");
  });
});

describe("a graceful end", () => {
  it("goes on accepting for a while, then drains without a bound, then waits once more", async () => {
    const end = ending();
    end.signal("SIGQUIT");
    timers.pass(2299);
    assert.deepEqual(told, []);
    timers.pass(1);
    assert.deepEqual(told, ["close listeners", "drain for SIGQUIT within no bound"]);
    void end.childrenEnded("stopped", true);
    await soon();
    timers.pass(3199);
    await soon();
    assert.notEqual(told.at(-1), "exit 0");
    timers.pass(1);
    await soon();
    assert.equal(told.at(-1), "exit 0");
  });

  it("has the bound of drain_timeout", () => {
    drainTimeoutMs = 60_000;
    ending().signal("SIGQUIT");
    timers.pass(2300);
    assert.equal(told.at(-1), "drain for SIGQUIT within 60000");
  });

  it("has begun once, whatever follows", async () => {
    const end = ending();
    for (const signal of ["SIGQUIT", "SIGQUIT", "SIGTERM", "SIGTERM"] as const) end.signal(signal);
    await end.childrenEnded("stopped", true);
    assert.equal(timesBegun, 1);
    await ending().childrenEnded("gaveUp", true);
    assert.equal(timesBegun, 2, "also when nobody asked for it");
  });

  it("is not begun twice", () => {
    const end = ending();
    end.signal("SIGQUIT");
    end.signal("SIGQUIT");
    timers.pass(2300);
    assert.equal(told.filter((line) => line.startsWith("drain")).length, 1);
  });

  it("becomes a fast one by TERM or INT, whatever it waits for", async () => {
    const end = ending();
    end.signal("SIGQUIT");
    end.signal("SIGTERM");
    assert.deepEqual(told, ["close listeners", "stop for SIGTERM"]);
    timers.pass(10_000);
    assert.ok(!told.some((line) => line.startsWith("drain")));
    const other = ending();
    other.signal("SIGQUIT");
    timers.pass(2300);
    void other.childrenEnded("stopped", true);
    await soon();
    other.signal("SIGINT");
    await soon();
    assert.equal(told.at(-1), "exit 0");
  });

  it("goes by the limits of the last reload", () => {
    const end = ending();
    const { grace, dolphin } = defaultConfig();
    end.reconfigure({ grace: { ...grace, startWaitMs: 10 }, dolphin: { ...dolphin, drainTimeoutMs: 500 } });
    end.signal("SIGQUIT");
    timers.pass(10);
    assert.equal(told.at(-1), "drain for SIGQUIT within 500");
  });

  it("takes along who was about to take the place", () => {
    const end = ending();
    end.endHeir = () => void told.push("end heir");
    end.signal("SIGTERM");
    assert.deepEqual(told, ["close listeners", "end heir", "stop for SIGTERM"]);
  });

  it("is what TERM means with force_grace_quit, and INT stays fast", () => {
    isForced = true;
    ending().signal("SIGTERM");
    timers.pass(2300);
    assert.equal(told.at(-1), "drain for SIGTERM within no bound");
    ending().signal("SIGINT");
    assert.equal(told.at(-1), "stop for SIGINT");
  });
});
