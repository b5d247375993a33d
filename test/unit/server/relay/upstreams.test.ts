import assert from "node:assert/strict";
import { test } from "node:test";
import {
  candidate,
  failed,
  isExhausted,
  makePass,
  makeUpstreams,
  succeeded,
  type Upstreams,
} from "../../../../src/server/relay/upstreams.js";

/** Upstreams whose ports are 1, 2, 3 … */
function upstreams(count: number): Upstreams {
  return makeUpstreams(Array.from({ length: count }, (_, i) => ({ host: "origin", port: i + 1 })));
}

test("upstreams: the list is walked once without a pause, then with one", () => {
  const pass = makePass(upstreams(3));
  const walk: [port: number, pauseMs: number][] = [];
  for (let i = 0; i < 6; i++) walk.push([candidate(pass).port, failed(pass, "RELAY_CONNECT")]);
  assert.deepEqual(walk, [
    [1, 0],
    [2, 0],
    [3, 200],
    [1, 0],
    [2, 0],
    [3, 400],
  ]);
});

test("upstreams: pauses double up to 3 seconds", () => {
  const pass = makePass(upstreams(1));
  assert.deepEqual(
    Array.from({ length: 7 }, () => failed(pass, "RELAY_CONNECT")),
    [200, 400, 800, 1600, 3000, 3000, 3000],
  );
  for (let i = 0; i < 5000; i++) assert.equal(failed(pass, "RELAY_CONNECT"), 3000);
});

test("upstreams: a success begins the pauses anew", () => {
  const pass = makePass(upstreams(1));
  for (let i = 0; i < 5; i++) failed(pass, "RELAY_CONNECT");
  succeeded(pass);
  assert.equal(failed(pass, "RELAY_CONNECT"), 200);
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
