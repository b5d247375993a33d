import assert from "node:assert/strict";
import { test } from "node:test";
import { Backends } from "../../../../src/proxy/balance/backends.js";
import { backendState, randomFrom } from "./backend-states.js";

const nobody: ReadonlySet<string> = new Set();
const two = [backendState({ name: "server-1" }), backendState({ name: "server-2" })];

function backendsOf(states = two): Backends {
  const backends = new Backends({ policy: "least", nowMs: () => 1_000_000, random: randomFrom(3) });
  backends.update(states);
  return backends;
}

function give(backends: Backends, count: number): Record<string, number> {
  const got: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const name = backends.pick({ key: null }, nobody)?.name ?? "none";
    if (name !== "none") backends.opened(name);
    got[name] = (got[name] ?? 0) + 1;
  }
  return got;
}

test("backends: before the master has spoken there is no server", () => {
  const backends = new Backends({ policy: "least" });
  assert.equal(backends.pick({ key: null }, nobody), null);
  assert.deepEqual([backends.carried(), backends.list(), backends.get("server-1")], [[], [], null]);
});

test("backends: between two reports a proxy counts what it gives itself", () => {
  const stale = [
    backendState({ name: "server-1", connections: 10, bytesPerSecond: 1_000_000 }),
    backendState({ name: "server-2", connections: 20, bytesPerSecond: 2_000_000 }),
  ];
  const got = give(backendsOf(stale), 30);
  assert.deepEqual(got, { "server-1": 20, "server-2": 10 }); // 30 each in the end
});

test("backends: our own connections are counted as they are, whenever the master hears and tells of the others'", () => {
  const backends = backendsOf();
  const counts = (): number[] => backends.list().map(({ connections }) => connections);
  give(backends, 10);
  backends.carried(); // the master hears of them
  assert.deepEqual(counts(), [5, 5]);
  backends.update(two.map((state) => Object.assign({}, state, { connections: 3 })));
  assert.deepEqual(counts(), [8, 8]);
  backends.closed("server-1", 1, 1);
  assert.deepEqual(counts(), [7, 8]);
  backends.carried();
  assert.deepEqual(counts(), [7, 8]);
});

test("backends: a cap counts our own connections at once", () => {
  const backends = backendsOf([backendState({ name: "server-1", maxConnections: 3 })]);
  assert.deepEqual(give(backends, 5), { "server-1": 3, none: 2 });
  backends.closed("server-1", 0, 0);
  assert.deepEqual(give(backends, 2), { "server-1": 1, none: 1 });
});

test("backends: what is carried holds ended connections and those that are followed", () => {
  const backends = backendsOf();
  for (let i = 0; i < 3; i++) backends.opened("server-1");
  const live = { bytesIn: 5, bytesOut: 50 };
  backends.follow("server-1", live);
  backends.closed("server-1", 7, 70);
  assert.deepEqual(backends.carried(), [{ backend: "server-1", connections: 2, total: 3, bytesIn: 12, bytesOut: 120 }]);
  backends.closed("server-1", 6, 60, live);
  assert.deepEqual(backends.carried(), [{ backend: "server-1", connections: 1, total: 3, bytesIn: 13, bytesOut: 130 }]);
});

test("backends: a server that is gone is reported until its last connection is", () => {
  const backends = backendsOf();
  backends.opened("server-1");
  backends.update(two.slice(1));
  assert.equal(backends.get("server-1"), null);
  assert.deepEqual(backends.pick({ key: null }, nobody)?.name, "server-2");
  assert.equal(backends.carried().length, 1);
  backends.closed("server-1", 1, 1);
  assert.deepEqual(backends.carried(), []);
});

test("backends: a server can be picked when it is up and was not tried", () => {
  const backends = backendsOf();
  assert.equal(backends.canPick(nobody), true);
  assert.equal(backends.canPick(new Set(["server-1"])), true);
  backends.update(two.map((state) => ({ ...state, isUp: state.name === "server-1" })));
  assert.equal(backends.canPick(new Set(["server-1"])), false);
});

test("backends: leases are kept by stream; the later one counts, and only its own proxy ends it", () => {
  const backends = backendsOf();
  const lease = { key: "v/a/s", backend: "server-1", proxy: "proxy-1", sinceMs: 10 };
  assert.equal(backends.lease("v/a/s"), null);
  backends.setLease(lease);
  backends.setLease({ ...lease, proxy: "proxy-2", sinceMs: 9 });
  assert.deepEqual(backends.lease("v/a/s"), lease);
  backends.setLease({ ...lease, backend: "server-2", proxy: "proxy-2", sinceMs: 11 });
  backends.endLease("v/a/s", "proxy-1");
  assert.equal(backends.lease("v/a/s")?.backend, "server-2");
  backends.endLease("v/a/s", "proxy-2");
  assert.equal(backends.lease("v/a/s"), null);
});

test("backends: the leases of a server that is gone are gone", () => {
  const backends = backendsOf();
  backends.setLease({ key: "v/a/s", backend: "server-1", proxy: "proxy-1", sinceMs: 10 });
  backends.update(two.slice(1));
  assert.equal(backends.lease("v/a/s"), null);
});
