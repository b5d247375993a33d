import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../src/base/errors.js";
import type { Message } from "../../../src/codec/rtmp/message.js";
import { maxLateMs, maxWaitingBytes, Playout, stallTimeoutMs } from "../../../src/publisher/playout.js";
import { FakeTimers } from "../fake-timers.js";

/** A playout of messages with these times, and what it sends when. */
class Rig {
  readonly timers: FakeTimers;
  readonly sent: [nowMs: number, timesMs: number[]][] = [];
  readonly ends: (string | null)[] = [];
  backlogBytes = 0;
  closed = 0;
  readonly playout: Playout;

  constructor(times: Iterable<number | DolphinError>, sizeBytes = 1, timers = new FakeTimers()) {
    this.timers = timers;
    const left = times[Symbol.iterator]();
    const next = (): Message | null => {
      const { value } = left.next() as IteratorResult<number | DolphinError, undefined>;
      if (value instanceof DolphinError) throw value;
      return value === undefined ? null : { type: 9, streamId: 1, timestamp: value, payload: Buffer.alloc(sizeBytes) };
    };
    this.playout = new Playout({
      tape: { next, close: () => (this.closed += 1) },
      sink: this,
      timers: this.timers,
      onEnd: (error) => this.ends.push(error?.code ?? null),
      onStalled: (reason) => this.ends.push(reason.message),
    });
  }

  write(messages: readonly Message[]): void {
    this.sent.push([this.timers.nowMs(), messages.map(({ timestamp }) => timestamp)]);
  }
}

function* everyMs(step: number): Generator<number> {
  for (let time = 0; ; time += step) yield time;
}

test("playout: every message is sent at its time, together with those of the same time", () => {
  const rig = new Rig([0, 0, 20, 40, 40, 1000]);
  rig.timers.pass(999);
  assert.deepEqual(rig.sent, [
    [0, [0, 0]],
    [20, [20]],
    [40, [40, 40]],
  ]);
  assert.deepEqual(rig.ends, []);
  rig.timers.pass(1);
  assert.deepEqual(rig.sent.at(-1), [1000, [1000]]);
  assert.deepEqual(rig.ends, [null], "the tape ends with its last message");
});

test("playout: the clock may have run before", () => {
  const timers = new FakeTimers();
  timers.pass(123_456);
  const rig = new Rig([0, 40], 1, timers);
  timers.pass(40);
  assert.deepEqual(rig.sent, [
    [123_456, [0]],
    [123_496, [40]],
  ]);
});

test("playout: an hour is an hour", () => {
  const rig = new Rig(everyMs(40));
  rig.timers.pass(3_600_000);
  assert.equal(rig.sent.length, 90_001);
  assert.ok(rig.sent.every(([now, times]) => times.length === 1 && times[0] === now));
});

test("playout: who was held up for a moment makes good for it", () => {
  const rig = new Rig(everyMs(100));
  rig.timers.pass(200);
  rig.timers.freeze(maxLateMs);
  assert.deepEqual(rig.sent.at(-1), [1200, [300, 400, 500, 600, 700, 800, 900, 1000, 1100, 1200]]);
  rig.timers.pass(100);
  assert.deepEqual(rig.sent.at(-1), [1300, [1300]]);
});

test("playout: who was held up for longer goes on from where it was", () => {
  const rig = new Rig(everyMs(100));
  rig.timers.pass(200);
  rig.timers.freeze(60_000);
  assert.deepEqual(rig.sent.at(-1), [60_200, [300]]);
  rig.timers.pass(200);
  assert.deepEqual(rig.sent.slice(-2), [
    [60_300, [400]],
    [60_400, [500]],
  ]);
});

test("playout: a server that takes nothing is waited for, then given up", () => {
  const rig = new Rig(everyMs(40));
  rig.timers.pass(40);
  rig.backlogBytes = maxWaitingBytes + 1;
  rig.timers.pass(stallTimeoutMs - 1);
  assert.equal(rig.sent.length, 2);
  rig.backlogBytes = 0;
  rig.playout.resume();
  assert.deepEqual(rig.sent.slice(2), [[40 + stallTimeoutMs - 1, [80]]]);
  rig.backlogBytes = maxWaitingBytes + 1;
  rig.timers.pass(40);
  assert.deepEqual(rig.ends, []);
  rig.timers.pass(stallTimeoutMs);
  assert.deepEqual(rig.ends, ["the server took nothing for 10000 ms"]);
  assert.equal(rig.sent.length, 3);
});

test("playout: a drain that nobody waits for changes nothing", () => {
  const rig = new Rig(everyMs(40));
  rig.timers.pass(40);
  rig.playout.resume();
  rig.playout.resume();
  rig.timers.pass(40);
  assert.deepEqual(rig.sent, [
    [0, [0]],
    [40, [40]],
    [80, [80]],
  ]);
});

test("playout: a tape without time is sent in pieces and not all at once", () => {
  const rig = new Rig(
    Array.from({ length: 100 }, () => 0),
    maxWaitingBytes / 4,
  );
  rig.timers.pass(0);
  assert.deepEqual(new Set(rig.sent.map(([, { length }]) => length)), new Set([5]));
  assert.deepEqual([rig.sent.length, rig.ends], [20, [null]]);
});

test("playout: damage ends it with its reason, after what was before", () => {
  const rig = new Rig([0, 40, new DolphinError("FLV_FILE", "damaged"), 120]);
  rig.timers.pass(200);
  assert.deepEqual([rig.sent, rig.ends], [[[0, [0]]], ["FLV_FILE"]]);
});

test("playout: nothing is sent after it was closed, and the tape is closed with it", () => {
  for (const backlogBytes of [0, maxWaitingBytes + 1]) {
    const rig = new Rig(everyMs(40));
    rig.timers.pass(40);
    rig.backlogBytes = backlogBytes;
    rig.timers.pass(40);
    const sent = rig.sent.length;
    rig.playout.close();
    rig.backlogBytes = 0;
    rig.playout.resume();
    rig.timers.pass(60_000);
    assert.deepEqual([rig.sent.length, rig.ends, rig.closed], [sent, [], 1]);
  }
});
