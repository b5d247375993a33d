import assert from "node:assert/strict";
import { test } from "node:test";
import {
  candidate,
  failed,
  isExhausted,
  makePass,
  makeUpstreams,
  ownOriginPauseMs,
  silenceLimitMs,
  succeeded,
  works,
  type Upstreams,
} from "../../../../src/server/relay/upstreams.js";

/** Upstreams whose ports are 1, 2, 3 … */
function upstreams(count: number): Upstreams {
  return makeUpstreams(Array.from({ length: count }, (_, i) => ({ host: "origin", port: i + 1 })));
}

/** Without the part of a pause that is random. */
const whole = (): number => 0;

test("upstreams: the list is walked once without a pause, then with one", () => {
  const pass = makePass(upstreams(3));
  const walk: [port: number, pauseMs: number][] = [];
  for (let i = 0; i < 6; i++) walk.push([candidate(pass).port, failed(pass, "RELAY_CONNECT", whole)]);
  assert.deepEqual(walk, [
    [1, 0],
    [2, 0],
    [3, 200],
    [1, 0],
    [2, 0],
    [3, 400],
  ]);
});

for (const [what, code, longestMs, pauses] of [
  ["cannot be reached", "RELAY_CONNECT", undefined, [200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]],
  ["refuses", "RELAY_REFUSED", undefined, [200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000]],
  ["is the box's own origin", "RELAY_CONNECT", ownOriginPauseMs, [200, 400, 800, 1600, 3000, 3000, 3000, 3000, 3000]],
  ["says nothing", "RELAY_SILENT", undefined, [0, 0, 0, 0, 0, 0, 0, 0, 0]],
  ["leads back here", "RELAY_LOOP", undefined, Array<number>(9).fill(60_000)],
] as const) {
  test(`upstreams: pauses of one that ${what} double up to a bound, and are shortened at random by up to a half`, () => {
    const one = { host: "origin", port: 1 };
    const pausesOf = (random: () => number): number[] => {
      const pass = makePass(makeUpstreams([one], longestMs));
      return pauses.map(() => failed(pass, code, random));
    };
    assert.deepEqual(pausesOf(whole), pauses);
    assert.deepEqual(
      pausesOf(() => 0.5),
      pauses.map((pause) => pause * 0.75),
    );
    const pass = makePass(makeUpstreams([one], longestMs));
    for (let i = 0; i < 5000; i++) assert.ok(failed(pass, code) <= pauses.at(-1)!);
  });
}

test("upstreams: a success begins the pauses anew", () => {
  const pass = makePass(upstreams(1));
  for (let i = 0; i < 5; i++) failed(pass, "RELAY_CONNECT");
  succeeded(pass);
  assert.equal(failed(pass, "RELAY_CONNECT", whole), 200);
});

test("upstreams: one that gets through has those that pause try at once, each once", () => {
  const shared = upstreams(1);
  let tries = 0;
  shared.waiting.add(() => tries++);
  shared.waiting.add(() => tries++);
  works(makePass(shared));
  works(makePass(shared));
  assert.deepEqual([tries, shared.waiting.size], [2, 0]);
});

test("upstreams: all are exhausted after a whole pass without success", () => {
  const pass = makePass(upstreams(2));
  assert.equal(isExhausted(pass), false);
  failed(pass, "RELAY_CONNECT");
  assert.equal(isExhausted(pass), false);
  failed(pass, "RELAY_CONNECT");
  assert.equal(isExhausted(pass), true);
  succeeded(pass);
  assert.equal(isExhausted(pass), false);
});

test("upstreams: what one relay learns is where the next begins", () => {
  const shared = upstreams(3);
  const first = makePass(shared);
  failed(first, "RELAY_CONNECT");
  assert.equal(candidate(makePass(shared)).port, 2, "the dead one is not tried first again");
  failed(first, "RELAY_CONNECT");
  succeeded(first);
  assert.equal(candidate(makePass(shared)).port, 3);
});

test("upstreams: a relay that fails elsewhere does not take the others' preference away", () => {
  const shared = upstreams(3);
  const late = makePass(shared);
  const early = makePass(shared);
  failed(early, "RELAY_CONNECT");
  succeeded(early);
  failed(late, "RELAY_CONNECT");
  assert.equal(shared.preferred, 1);
  assert.equal(candidate(late).port, 2);
});

test("upstreams: the only one is asked for longer each time that it shows nothing, and others are gone round", () => {
  const limits = (count: number): number[] => [0, 1, 2, 3, 100].map((silences) => silenceLimitMs(upstreams(count), silences));
  assert.deepEqual(limits(1), [5000, 10_000, 20_000, 30_000, 30_000]);
  assert.deepEqual(limits(2), [5000, 5000, 5000, 5000, 5000]);
});
