import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import type { ProbeResult } from "../../../../src/master/backends/probe.js";
import { Prober } from "../../../../src/master/backends/prober.js";
import { FakeTimers } from "../../fake-timers.js";

const target = { name: "server-1", rtmp: { host: "127.0.0.1", port: 1936 }, http: { host: "127.0.0.1", port: 8081 } };

let timers: FakeTimers;
let heard: string[];
let asked: string[];
let rtmp: ProbeResult;
let http: ProbeResult;
let prober: Prober;

/** Lets the probes answer, which takes them no time, and then time pass. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 50) {
    timers.pass(50);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

beforeEach(() => {
  timers = new FakeTimers();
  heard = [];
  asked = [];
  rtmp = null;
  http = null;
  prober = new Prober({
    timers,
    intervalMs: 1000,
    deadlineMs: 2000,
    answered: (name) => heard.push(`${name} answered`),
    missed: (name, misses, why) => heard.push(`${name} ${why} ${misses}`),
    probes: {
      rtmp: () => (asked.push("rtmp"), Promise.resolve(rtmp)),
      http: () => (asked.push("http"), Promise.resolve(http)),
    },
  });
});

describe("the prober", () => {
  it("asks a server that starts often, and tells nothing of its silence", async () => {
    rtmp = "refused the connection";
    prober.watch(target, 100);
    await pass(1000);
    assert.deepEqual(heard, []);
    assert.ok(asked.length >= 9, `${asked.length} times`);
  });

  it("takes a server as answering when RTMP and HTTP do, then asks RTMP once a second", async () => {
    http = "refused the connection";
    prober.watch(target, 100);
    await pass(500);
    assert.deepEqual(heard, []);
    http = null;
    await pass(200);
    assert.deepEqual(heard.slice(0, 1), ["server-1 answered"]);
    asked = [];
    await pass(3000);
    assert.deepEqual(asked, ["rtmp", "rtmp", "rtmp"]);
  });

  it("asks no HTTP of a server that serves none", async () => {
    prober.watch({ ...target, http: null }, 100);
    await pass(100);
    assert.deepEqual(asked, ["rtmp"]);
    assert.deepEqual(heard, ["server-1 answered"]);
  });

  it("counts misses in a row, and begins anew with an answer", async () => {
    prober.watch(target, 100);
    await pass(50);
    rtmp = "did not answer";
    await pass(2000);
    rtmp = null;
    await pass(1000);
    rtmp = "refused";
    await pass(1000);
    assert.deepEqual(heard, [
      "server-1 answered",
      "server-1 did not answer 1",
      "server-1 did not answer 2",
      "server-1 answered",
      "server-1 refused 1",
    ]);
  });

  it("tells nothing of a process that is gone, though its probe was on the way", async () => {
    prober.watch(target, 100);
    prober.forget("server-1");
    await pass(2000);
    assert.deepEqual(heard, []);
    prober.watch(target, 100);
    prober.close();
    await pass(2000);
    assert.deepEqual(heard, []);
  });
});
