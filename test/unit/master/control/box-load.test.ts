import assert from "node:assert/strict";
import { test } from "node:test";
import { loadOf, type LoadFacts } from "../../../../src/master/control/box-load.js";

function facts(nowMs: number, cpuSeconds: number, more: Partial<LoadFacts> = {}): LoadFacts {
  const counts = [{ cpuSeconds }] as unknown as LoadFacts["counts"];
  const processes = [
    { duty: "origin", connections: 9, players: 0, publishers: 10 },
    { duty: "edge", connections: 31, players: 30, publishers: 0 },
  ] as unknown as LoadFacts["processes"];
  return { counts, processes, nowMs, cores: 4, maxConnections: 100, ...more };
}

void test("a load is the processor's or that of connections, whichever is more", () => {
  const first = loadOf(facts(0, 0), null);
  assert.deepEqual([first.load, first.clients], [0.4, 40]);
  const busy = loadOf(facts(2000, 4), first);
  assert.equal(busy.load, 0.5);
  assert.equal(loadOf(facts(4000, 4.8), busy).load, 0.4);
  assert.equal(loadOf(facts(4000, 100), busy).load, 1);
  assert.equal(loadOf(facts(4000, 4, { maxConnections: null }), busy).load, 0);
});

void test("two looks at one time find the same, and of plan b the proxies' connections are the clients", () => {
  const first = loadOf(facts(0, 0), null);
  assert.equal(loadOf(facts(500, 4), first), first);
  const processes = [
    { duty: "proxy", connections: 20, players: 0, publishers: 0 },
    { duty: "server", connections: 20, players: 18, publishers: 2 },
  ] as unknown as LoadFacts["processes"];
  assert.equal(loadOf(facts(0, 0, { processes }), null).clients, 20);
});
