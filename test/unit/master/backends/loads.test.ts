import assert from "node:assert/strict";
import { test } from "node:test";
import type { Carried } from "../../../../src/ipc/balance.js";
import { Loads } from "../../../../src/master/backends/loads.js";

const carried = (backend: string, connections: number, bytesIn: number, bytesOut: number): Carried => ({
  backend,
  connections,
  total: connections,
  bytesIn,
  bytesOut,
});

test("loads: what all proxies carry is added up, both directions together", () => {
  const loads = new Loads();
  loads.heard("proxy-1", [carried("server-1", 2, 0, 0), carried("server-2", 1, 0, 0)], 0);
  loads.heard("proxy-2", [carried("server-1", 3, 0, 0)], 0);
  loads.heard("proxy-1", [carried("server-1", 2, 1000, 3000), carried("server-2", 1, 0, 0)], 2000);
  loads.heard("proxy-2", [carried("server-1", 4, 0, 500)], 1000);
  assert.deepEqual(loads.of("server-1"), { connections: 6, total: 6, bytesIn: 1000, bytesOut: 3500, bytesPerSecond: 2500 });
  assert.equal(loads.of("server-2").connections, 1);
});

test("loads: what each proxy said last of each server is told as it is", () => {
  const loads = new Loads();
  loads.heard("proxy-1", [carried("server-1", 2, 0, 0), carried("server-2", 1, 7, 0)], 0);
  loads.heard("proxy-2", [carried("server-1", 3, 0, 9)], 0);
  loads.heard("proxy-1", [carried("server-1", 4, 1, 2)], 1000);
  loads.heard("proxy-3", [carried("server-1", 1, 1, 1)], 1000);
  loads.proxyGone("proxy-3");
  assert.deepEqual(loads.list(), [
    { proxy: "proxy-1", ...carried("server-1", 4, 1, 2) },
    { proxy: "proxy-2", ...carried("server-1", 3, 0, 9) },
  ]);
});

test("loads: a proxy that is gone carries nothing, and a server that nobody named neither", () => {
  const loads = new Loads();
  loads.heard("proxy-1", [carried("server-1", 2, 5, 5)], 0);
  loads.proxyGone("proxy-1");
  const nothing = { connections: 0, total: 0, bytesIn: 0, bytesOut: 0, bytesPerSecond: 0 };
  assert.deepEqual(loads.of("server-1"), nothing);
  assert.deepEqual(loads.of("server-9"), nothing);
});

test("loads: a new proxy in an old one's place begins at nothing, and no rate is below it", () => {
  const loads = new Loads();
  loads.heard("proxy-1", [carried("server-1", 1, 1000, 1000)], 0);
  loads.heard("proxy-1", [carried("server-1", 1, 10, 10)], 1000);
  assert.equal(loads.of("server-1").bytesPerSecond, 0);
});
