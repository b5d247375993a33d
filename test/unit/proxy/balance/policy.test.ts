import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackendState, PolicyName } from "../../../../src/ipc/balance.js";
import { candidatesOf, policies, slowStartMs, type Candidate } from "../../../../src/proxy/balance/policy.js";
import { backendState, randomFrom } from "./backend-states.js";

const nowMs = 1_000_000;
const picks = 10_000;
const names = ["server-1", "server-2", "server-3", "server-4"];
const nobody: ReadonlySet<string> = new Set();

/** Gives many connections, each of which stays and counts, and tells how many each server got. */
function spread(policy: PolicyName, states: readonly BackendState[], count = picks, key = (turn: number): string => `v/a/${turn}`) {
  const random = randomFrom(7);
  let now = states;
  for (let turn = 0; turn < count; turn++) {
    const chosen = policies[policy](candidatesOf(now, nobody, nowMs), { key: key(turn), turn, random });
    if (chosen === null) break;
    now = now.map((state) =>
      state.name === chosen.name
        ? Object.assign({}, state, { connections: state.connections + 1, bytesPerSecond: state.bytesPerSecond + 1000 })
        : state,
    );
  }
  return Object.fromEntries(now.map(({ name, connections }) => [name, connections]));
}

const four = names.map((name) => backendState({ name }));

for (const [policy, allowed] of [
  ["least", 1],
  ["round_robin", 1],
  ["random2", 20],
  ["hash", 625], // 1.25 of the share
] as const) {
  test(`policy ${policy}: ${picks} connections spread over four equal servers`, () => {
    for (const [name, got] of Object.entries(spread(policy, four))) {
      assert.ok(Math.abs(got - picks / 4) <= allowed, `${name} got ${got}`);
    }
  });

  test(`policy ${policy}: shares follow the weights`, () => {
    const weighted = names.map((name, i) => backendState({ name, weight: i === 0 ? 3 : 1 }));
    const got = spread(policy, weighted);
    const share = (got["server-1"] ?? 0) / picks;
    assert.ok(Math.abs(share - 0.5) < 0.13, `server-1 of weight 3 in 6 got ${share}`);
  });
}

test("policy fill: one server to its cap, then the next, and nobody beyond all caps", () => {
  const capped = names.map((name) => backendState({ name, maxConnections: 100 }));
  assert.deepEqual(spread("fill", capped, 150), { "server-1": 100, "server-2": 50, "server-3": 0, "server-4": 0 });
  assert.deepEqual(spread("fill", capped, 1000), { "server-1": 100, "server-2": 100, "server-3": 100, "server-4": 100 });
});

for (const policy of Object.keys(policies) as PolicyName[]) {
  test(`policy ${policy}: down, draining, full and tried servers get nothing, and without candidates there is no choice`, () => {
    const states = [
      backendState({ name: "down", isUp: false }),
      backendState({ name: "draining", isDraining: true }),
      backendState({ name: "full", connections: 5, maxConnections: 5 }),
      backendState({ name: "tried" }),
      backendState({ name: "good", connections: 1000, bytesPerSecond: 1e9 }),
    ];
    const request = { key: "v/a/s", turn: 3, random: () => 0.5 };
    const left = candidatesOf(states, new Set(["tried"]), nowMs);
    assert.deepEqual(
      left.map(({ name }) => name),
      ["good"],
    );
    assert.equal(policies[policy](left, request)?.name, "good");
    assert.equal(policies[policy]([], request), null);
    assert.equal(policies[policy](left, { ...request, key: null })?.name, "good");
  });
}

test("policy: a server that came up grows to its weight over ten seconds", () => {
  const weightAfter = (ageMs: number): number | undefined =>
    candidatesOf([backendState({ weight: 2, upSinceMs: nowMs - ageMs })], nobody, nowMs)[0]?.weight;
  assert.deepEqual([0, slowStartMs / 2, slowStartMs, 10 * slowStartMs].map(weightAfter), [0.2, 1, 2, 2]);
});

test("policy least: a server that was restarted is not flooded", () => {
  const states = names.map((name, i) =>
    i === 0 ? backendState({ name, upSinceMs: nowMs }) : backendState({ name, connections: 500, bytesPerSecond: 500_000 }),
  );
  const got = spread("least", states, 60);
  assert.ok((got["server-1"] ?? 0) <= 51, `${got["server-1"]} of 60 in the first moment`);
});

test("policy least: bytes decide, then connections", () => {
  const pick = (...candidates: Candidate[]): string | undefined =>
    policies.least(candidates, { key: null, turn: 0, random: () => 0.5 })?.name;
  const a = { name: "a", weight: 1, connections: 1, bytesPerSecond: 2000 };
  assert.equal(pick(a, { name: "b", weight: 1, connections: 900, bytesPerSecond: 1000 }), "b");
  assert.equal(pick(a, { name: "b", weight: 1, connections: 2, bytesPerSecond: 2000 }), "a");
  assert.equal(pick(a, { name: "b", weight: 4, connections: 900, bytesPerSecond: 4000 }), "b");
});

test("policy hash: a stream stays where it is, and only the streams of a server that left move", () => {
  const owner = (key: string, states: readonly BackendState[]): string | undefined =>
    policies.hash(candidatesOf(states, nobody, nowMs), { key, turn: 0, random: () => 0 })?.name;
  const loaded = four.map((state) => Object.assign({}, state, { connections: 100 }));
  const keys = Array.from({ length: 1000 }, (_, i) => `vhost/live/stream-${i}`);
  for (const key of keys) {
    const before = owner(key, loaded);
    assert.equal(owner(key, loaded), before);
    const after = owner(key, loaded.slice(1));
    if (before !== "server-1") assert.equal(after, before);
  }
});

test("policy hash: one hot stream does not fill one server beyond 1.25 of its share", () => {
  const got = Object.values(spread("hash", four, 1000, () => "vhost/live/hot"));
  assert.equal(Math.max(...got), 313);
});
