import assert from "node:assert/strict";
import { test } from "node:test";
import { healthOf, type Looked } from "../../../../src/admin/site/health.js";
import type { ProcessRow } from "../../../../src/admin/site/shapes.js";
import { quietRegistry } from "../../../helpers/registry-report.js";

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

const died: ProcessRow = { ...up, name: "edge-2", lastDeath: { cause: "SIGKILL", secondsAgo: 60 } };
const server = { name: "server-1", address: "127.0.0.1:1", isUp: true, isDraining: false, connections: 0, weight: 1 };
const registry = { ...quietRegistry, address: "redis://r" };
const program = { kind: "transcode", name: "ff", key: "v/live/s", pid: null, lastEnd: "exit 1" } as const;

const rows: readonly [what: string, looked: Partial<Looked>, word: string, reasons: readonly string[]][] = [
  ["a box that serves", {}, "good", []],
  ["one of two that waits to be started again", { processes: [up, { ...up, state: "waiting" }] }, "strained", ["down edge-1: waiting"]],
  ["one that was given up", { processes: [up, { ...up, name: "edge-2", state: "failed" }] }, "bad", ["down edge-2: failed"]],
  ["none that serves", { processes: [{ ...up, state: "starting" }] }, "bad", ["none"]],
  ["an admin alone", { processes: [{ ...up, duty: "admin" }] }, "bad", ["none"]],
  [
    "a death a minute ago",
    { processes: [{ ...up, lastDeath: { cause: "SIGKILL", secondsAgo: 60 } }] },
    "strained",
    ["died edge-1: SIGKILL"],
  ],
  ["a death an hour ago", { processes: [{ ...up, lastDeath: { cause: "SIGKILL", secondsAgo: 3600 } }] }, "good", []],
  ["a loop that is late", { processes: [{ ...up, lagMs: 900 }] }, "strained", ["lag edge-1: 900 ms"]],
  ["memory near its limit", { processes: [{ ...up, memoryBytes: 95, maxMemoryBytes: 100 }] }, "strained", ["memory edge-1: 0 MiB"]],
  [
    "one that waits and has died just now, told once",
    { processes: [up, { ...died, state: "waiting" }] },
    "strained",
    ["down edge-2: waiting SIGKILL"],
  ],
  [
    "a packager that has died",
    { processes: [up, { ...died, name: "packager", duty: "packager" }] },
    "strained",
    ["died packager: SIGKILL"],
  ],
  ["a packager alone", { processes: [{ ...up, duty: "packager" }] }, "bad", ["none"]],
  [
    "an origin that cannot be reached",
    { lost: [{ server: "10.0.0.1:1935", isOwn: false, code: "RELAY_CONNECT", processes: ["edge-1", "edge-2"] }] },
    "strained",
    ["relay 10.0.0.1:1935: edge-1, edge-2: RELAY_CONNECT"],
  ],
  [
    "one of two servers behind the proxies that is down",
    { servers: [server, { ...server, name: "server-2", isUp: false }] },
    "strained",
    ["server server-2: 127.0.0.1:1"],
  ],
  ["no server behind the proxies", { servers: [{ ...server, isUp: false }] }, "bad", ["server server-1: 127.0.0.1:1"]],
  [
    "a coworker that does not answer",
    {
      coworkers: [
        { server: "a:1985", state: "down" },
        { server: "b:1985", state: "unknown" },
      ],
    },
    "strained",
    ["coworker a:1985"],
  ],
  ["a registry that does not answer", { registry: { ...registry, isConnected: false } }, "strained", ["registry redis://r"]],
  ["a registry that answers", { registry }, "good", []],
  ["a program that waits to be started again", { programs: [program] }, "strained", ["program transcode ff (v/live/s): exit 1"]],
  ["a program that has not been started yet", { programs: [{ ...program, lastEnd: "" }] }, "good", []],
  ["connections near their limit", { connections: 90, maxConnections: 100 }, "strained", ["connections: 90 / 100"]],
  [
    "what is worse first",
    {
      processes: [
        { ...up, lagMs: 900 },
        { ...up, name: "edge-2", state: "failed" },
      ],
    },
    "bad",
    ["down edge-2: failed", "lag edge-1: 900 ms"],
  ],
];

for (const [what, looked, word, reasons] of rows) {
  test(`health: ${what} is ${word}`, () => {
    const health = healthOf({ processes: [up], connections: 1, maxConnections: null, lost: [], servers: [], programs: [], ...looked });
    assert.equal(health.word, word);
    assert.deepEqual(
      health.reasons.map((reason) => [`${reason.what} ${reason.name}`.trim(), reason.value].filter((part) => part !== "").join(": ")),
      reasons,
    );
  });
}
