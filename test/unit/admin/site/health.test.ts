import assert from "node:assert/strict";
import { test } from "node:test";
import { healthOf, type Looked } from "../../../../src/admin/site/health.js";
import type { ProcessRow } from "../../../../src/admin/site/shapes.js";

const up: ProcessRow = {
  name: "edge-1",
  role: "server",
  duty: "edge",
  pid: 1,
  state: "up",
  restarts: 0,
  lastDeath: null,
  upSeconds: 10,
  lagMs: 1,
  connections: 1,
  players: 1,
  publishers: 0,
  mbpsIn: 0,
  mbpsOut: 0,
  cpu: 0,
  memoryBytes: 1000,
  maxMemoryBytes: null,
};

const rows: readonly [what: string, looked: Partial<Looked>, word: string, reasons: readonly string[]][] = [
  ["a box that serves", {}, "good", []],
  ["one of two that waits to be started again", { processes: [up, { ...up, state: "waiting" }] }, "strained", ["down edge-1"]],
  ["one that was given up", { processes: [up, { ...up, name: "edge-2", state: "failed" }] }, "bad", ["down edge-2"]],
  ["none that serves", { processes: [{ ...up, state: "starting" }] }, "bad", ["none "]],
  ["an admin alone", { processes: [{ ...up, duty: "admin" }] }, "bad", ["none "]],
  ["a death a minute ago", { processes: [{ ...up, lastDeath: { cause: "SIGKILL", secondsAgo: 60 } }] }, "strained", ["died edge-1"]],
  ["a death an hour ago", { processes: [{ ...up, lastDeath: { cause: "SIGKILL", secondsAgo: 3600 } }] }, "good", []],
  ["a loop that is late", { processes: [{ ...up, lagMs: 900 }] }, "strained", ["lag edge-1"]],
  ["memory near its limit", { processes: [{ ...up, memoryBytes: 95, maxMemoryBytes: 100 }] }, "strained", ["memory edge-1"]],
  ["a server that cannot be reached", { relaysDown: 2 }, "strained", ["relays "]],
  ["connections near their limit", { connections: 90, maxConnections: 100 }, "strained", ["connections "]],
  [
    "what is worse first",
    {
      processes: [
        { ...up, lagMs: 900 },
        { ...up, name: "edge-2", state: "failed" },
      ],
    },
    "bad",
    ["down edge-2", "lag edge-1"],
  ],
];

for (const [what, looked, word, reasons] of rows) {
  test(`health: ${what} is ${word}`, () => {
    const health = healthOf({ processes: [up], connections: 1, maxConnections: null, relaysDown: 0, ...looked });
    assert.equal(health.word, word);
    assert.deepEqual(
      health.reasons.map((reason) => `${reason.what} ${reason.name}`),
      reasons,
    );
  });
}
