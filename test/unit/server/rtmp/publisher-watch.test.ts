import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { PublisherWatch } from "../../../../src/server/rtmp/publisher-watch.js";

/** A watch of 5 s with its own clock, and what it has said. */
function begin(t: TestContext) {
  mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_700_000_000_000 });
  const said: string[] = [];
  const watch = new PublisherWatch({
    timeouts: { firstPacketTimeoutMs: 20_000, normalTimeoutMs: 5_000 },
    isPaused: () => false,
    onSilent: (_reason, code) => void said.push(code),
  });
  t.after(() => {
    watch.close();
    mock.timers.reset();
  });
  // In one tick timers see the time of its end, as after a standstill.
  const stand = (ms: number): void => mock.timers.tick(ms);
  const wait = (ms: number): void => {
    for (let passed = 0; passed < ms; passed += 10) mock.timers.tick(10);
  };
  return { watch, said, stand, wait };
}

test("publisher watch: one that sends nothing is told of when its time is over", (t) => {
  const { watch, said, wait } = begin(t);
  watch.heard();
  wait(4_900);
  assert.deepEqual(said, []);
  wait(200);
  assert.deepEqual(said, ["RTMP_IDLE"]);
});

test("publisher watch: when this process stood still, what was sent meanwhile is read first", (t) => {
  for (const ms of [4_950, 5_050, 5_200, 6_000, 60_000]) {
    const { watch, said, stand, wait } = begin(t);
    watch.heard();
    stand(ms);
    assert.deepEqual(said, [], `${ms} ms`);
    watch.heard();
    wait(4_900);
    assert.deepEqual(said, [], `it goes on (${ms} ms)`);
    mock.timers.reset();
  }
});

test("publisher watch: one that has sent nothing during a standstill either is told of a moment later", (t) => {
  const { watch, said, stand, wait } = begin(t);
  watch.heard();
  stand(30_000);
  wait(1_900);
  assert.deepEqual(said, []);
  wait(200);
  assert.deepEqual(said, ["RTMP_IDLE"]);
});
