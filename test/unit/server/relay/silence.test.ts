import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { Silence, silenceStepMs } from "../../../../src/server/relay/silence.js";

const limitMs = 5_000;

/** A watch with its own clock, and how often it was over. */
function begin(t: TestContext) {
  mock.timers.enable({ apis: ["setTimeout"] });
  const silence = new Silence();
  t.after(() => {
    silence.close();
    mock.timers.reset();
  });
  const state = { over: 0, limitMs };
  silence.watch(
    () => state.limitMs,
    () => void (state.over += 1),
  );
  // A timer that is set by another counts from the end of a tick, so that these are short.
  const wait = (ms: number): void => {
    for (let passed = 0; passed < ms; passed++) mock.timers.tick(1);
  };
  return { silence, state, wait };
}

test("silence: one that lasts as long as its limit is told once, whenever it began", (t) => {
  for (let headMs = 0; headMs <= 2 * limitMs; headMs += 250) {
    const { silence, state, wait } = begin(t);
    for (let ms = 0; ms < headMs; ms += 50) {
      silence.heard();
      wait(50);
    }
    silence.heard();
    wait(limitMs - 1);
    assert.equal(state.over, 0, `not before its time (${headMs})`);
    wait(silenceStepMs + 1);
    assert.equal(state.over, 1, `a step later at most (${headMs})`);
    wait(60_000);
    assert.equal(state.over, 1);
    mock.timers.reset();
  }
});

test("silence: what is watched anew has all of its time, and what is closed has no end", (t) => {
  const { silence, state, wait } = begin(t);
  wait(limitMs - 1);
  silence.watch(
    () => limitMs,
    () => void (state.over += 1),
  );
  wait(limitMs - 1);
  assert.equal(state.over, 0);
  silence.close();
  wait(60_000);
  assert.equal(state.over, 0);
});

test("silence: a limit that changes while it lasts is gone by at once", (t) => {
  const { state, wait } = begin(t);
  state.limitMs = 30_000;
  wait(29_000);
  assert.equal(state.over, 0);
  state.limitMs = limitMs;
  wait(silenceStepMs);
  assert.equal(state.over, 1);
});
