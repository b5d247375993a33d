import assert from "node:assert/strict";
import { test } from "node:test";
import { whyNotReady } from "../../../../src/admin/api/probes.js";

const one = (name: string, duty: string | null, state: string): Parameters<typeof whyNotReady>[0]["processes"][number] =>
  ({ name, duty, state }) as Parameters<typeof whyNotReady>[0]["processes"][number];

for (const [what, processes, expected] of [
  ["a box that serves", [one("master", "origin", "up"), one("edge-1", "edge", "starting"), one("edge-2", "edge", "up")], null],
  ["one that starts", [one("master", "origin", "up"), one("edge-1", "edge", "starting"), one("admin", "admin", "up")], "nobody serves yet"],
  ["one that drains", [one("master", "origin", "stopping"), one("edge-1", "edge", "up")], "the box ends"],
] as const) {
  test(`ready: ${what} is ${expected === null ? "ready" : `not: ${expected}`}`, () => assert.equal(whyNotReady({ processes }), expected));
}

for (const [what, registry, expected] of [
  ["one whose strict registry has never answered", { isStrict: true, heardMs: null }, /registry has not been heard/],
  ["one whose strict registry is away", { isStrict: true, heardMs: 120_000 }, null],
  ["one whose registry has never answered", { isStrict: false, heardMs: null }, null],
] as const) {
  test(`ready: ${what} is ${expected === null ? "ready" : "not"}`, () => {
    const facts = { processes: [one("edge-1", "edge", "up")], registry } as unknown as Parameters<typeof whyNotReady>[0];
    const why = whyNotReady(facts);
    if (expected === null) assert.equal(why, null);
    else assert.match(why ?? "", expected);
  });
}
