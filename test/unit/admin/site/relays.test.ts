import assert from "node:assert/strict";
import { test } from "node:test";
import { lostIn, relaysOf } from "../../../../src/admin/site/relays.js";
import { loadConfig } from "../../../../src/conf/load.js";
import type { BoxFacts } from "../../../../src/ipc/box.js";
import { noTally, type LostServer, type Present } from "../../../../src/ipc/tally.js";

const none = { up: 0, down: 0 };
const present = (...lost: readonly LostServer[]): Present => {
  return { streams: 0, pulls: none, pushes: none, forwards: none, lost, flvPlayers: 0, wsPlayers: 0, behind: { players: 0, bytes: 0 } };
};
const origin = { server: "10.0.0.1:1935", code: "RELAY_CONNECT" };
const counts = [
  { name: "edge-1", presents: [present(origin), present(origin)], tally: noTally() },
  { name: "edge-2", presents: [present(origin, { server: "10.0.0.2:1935", code: "RELAY_SILENT" })], tally: noTally() },
  { name: "admin", presents: [], tally: noTally() },
];
const facts = { counts, hooks: [] } as unknown as BoxFacts;

test("relays: a server that is lost is told once, with all who wait for it", () => {
  assert.deepEqual(lostIn(facts), [
    { ...origin, isOwn: false, processes: ["edge-1", "edge-2"] },
    { server: "10.0.0.2:1935", isOwn: false, code: "RELAY_SILENT", processes: ["edge-2"] },
  ]);
});

test("relays: the box's own origin is named by what it is, in the master or in a child, and not by an address of this run", () => {
  const own = { origin: { host: "10.0.0.1", port: 1935 } };
  const told = (duty: string | null, pid: number | null): string[] =>
    lostIn({ ...facts, ...own, processes: [{ name: "origin-process", duty, pid }] } as unknown as BoxFacts).map(
      ({ server, isOwn }) => `${server} ${isOwn}`,
    );
  const other = "10.0.0.2:1935 false";
  assert.deepEqual(told("origin", 77), ["origin-process 77 true", other]);
  assert.deepEqual(told("origin", null), ["origin-process true", other]);
  assert.deepEqual(told(null, 77), ["10.0.0.1:1935 false", other], "an origin that is not there has no name");
});

test("relays: an origin is down while somebody waits for it, and one that nobody waits for is not", () => {
  const text = "listen 1935; vhost a { cluster { mode remote; origin 10.0.0.1 10.0.0.3; } }";
  const { config } = loadConfig({ file: "f", text });
  assert.ok(config);
  const { upstreams, coworkers, registry, servers } = relaysOf(facts, config, []);
  assert.deepEqual(
    upstreams.map(({ server, isDown }) => [server, isDown]),
    [
      ["10.0.0.1:1935", true],
      ["10.0.0.3:1935", false],
    ],
  );
  assert.deepEqual([coworkers, registry, servers], [[], null, []]);
});
