import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackendState } from "../../../../src/ipc/balance.js";
import { explainStream, type ExplainFacts } from "../../../../src/box/plan-b/explain.js";

const server = (number: number, more: Partial<BackendState> = {}): BackendState => ({
  name: `server-${number}`,
  rtmp: { host: "127.0.0.1", port: 1935 + number },
  http: null,
  api: null,
  isUp: true,
  isDraining: false,
  upSinceMs: 0,
  weight: 1,
  maxConnections: null,
  connections: 0,
  bytesPerSecond: 0,
  ...more,
});
const facts: ExplainFacts = {
  key: "v/live/s",
  policy: "least",
  routing: "stream",
  lease: null,
  servers: [server(1, { bytesPerSecond: 100 }), server(2, { bytesPerSecond: 50 }), server(3, { isDraining: true })],
  nowMs: 1e9,
};
const lease = { key: "v/live/s", backend: "server-3", proxy: "proxy-1", sinceMs: 0 };

test("explain: a published stream is where its publisher is, whatever the loads", () => {
  const { decision, why, candidates } = explainStream({ ...facts, lease });
  assert.equal(decision, "server-3");
  assert.match(why, /published there, through proxy-1/);
  assert.deepEqual(candidates, ["server-1", "server-2"]);
});

test("explain: a free stream goes where the policy says, and why is told", () => {
  const { decision, why } = explainStream(facts);
  assert.equal(decision, "server-2");
  assert.match(why, /nobody publishes it.*least.*fewest bytes per second/);
  assert.equal(explainStream({ ...facts, policy: "fill" }).decision, "server-1");
});

test("explain: where connections are placed by themselves a publisher ties nobody", () => {
  const { decision, why } = explainStream({ ...facts, routing: "connection", lease });
  assert.equal(decision, "server-2");
  assert.match(why, /each connection is placed by itself/);
});

test("explain: nowhere is an answer too", () => {
  const { decision, why } = explainStream({ ...facts, servers: [server(1, { isUp: false })] });
  assert.equal(decision, null);
  assert.match(why, /no server is up/);
});
