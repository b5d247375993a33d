import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { Outage } from "../../../../src/server/relay/outage.js";
import { memoryLog } from "../../proxy/rtmp/rig.js";

const upstream = "10.0.0.1:1935";
const refused = new DolphinError("RELAY_CONNECT", "refused");
const silent = new DolphinError("RELAY_SILENT", "silent");

/** An outage with its own clock, and the lines above debug. */
function begin(t: TestContext, holdMs?: number) {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  t.after(() => mock.timers.reset());
  const { log, lines } = memoryLog();
  const outage = new Outage("pull.lost", log, holdMs);
  const told = (): unknown[] =>
    lines
      .filter(({ level }) => level !== "debug")
      .map(({ event, code, durMs, tries }) => [event, code ?? durMs, tries].filter((one) => one !== undefined));
  const back = (): void => outage.back({ event: "pull.started", upstream });
  const lost = (reason = refused, at = upstream): void => outage.lost(reason, { upstream: at });
  const wait = (ms: number): void => mock.timers.tick(ms);
  return { outage, told, back, lost, wait, lines };
}

test("outage: one line when it is lost and one when it is back, with how long and how many tries", (t) => {
  const { told, back, lost, wait } = begin(t);
  back();
  wait(100_000);
  for (let i = 0; i < 100; i++) {
    lost();
    wait(1000);
  }
  back();
  assert.deepEqual(told(), [["pull.started"], ["pull.lost", "RELAY_CONNECT"], ["pull.started", 100_000, 100]]);
});

test("outage: one that has never worked is told as well", (t) => {
  const { told, back, lost, wait } = begin(t);
  lost();
  wait(500);
  lost();
  back();
  assert.deepEqual(told(), [
    ["pull.lost", "RELAY_CONNECT"],
    ["pull.started", 500, 2],
  ]);
});

test("outage: each reason of each upstream is told once, and again in the next outage", (t) => {
  const { told, back, lost, wait } = begin(t);
  for (let i = 0; i < 10; i++) for (const reason of [refused, silent]) for (const at of ["a:1", "b:2"]) lost(reason, at);
  assert.equal(told().length, 4);
  back();
  wait(3_600_000);
  lost(refused, "a:1");
  assert.equal(told().length, 6);
});

test("outage: what comes and goes is told to be back when it has stayed, for longer each time", (t) => {
  const { told, back, lost, wait } = begin(t);
  back();
  for (let i = 0; i < 1000; i++) {
    lost();
    wait(200);
    back();
    wait(2000);
  }
  assert.equal(told().length, 2, "it was up, and is down");
  wait(10_000);
  assert.equal(told().length, 3, "it has stayed");
  for (let i = 0; i < 1000; i++) {
    lost();
    wait(200);
    back();
    wait(12_000);
  }
  assert.equal(told().length, 4, "20 s are asked for now");
});

test("outage: the box's own origin is told to be back at once, however often it goes", (t) => {
  const { told, back, lost, wait } = begin(t, 0);
  for (let i = 0; i < 3; i++) {
    lost();
    wait(200);
    back();
    wait(2000);
  }
  assert.equal(told().length, 6);
});

test("outage: nothing is told after the end", (t) => {
  const { told, back, lost, wait, outage } = begin(t);
  back();
  lost();
  back();
  outage.close();
  wait(1_000_000);
  assert.equal(told().length, 2);
});
