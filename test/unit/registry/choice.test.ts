import assert from "node:assert/strict";
import { test } from "node:test";
import { pick } from "../../../src/registry/choice.js";

const node = (id: string, zone: string, load: number): { id: string; zone: string; load: number } => ({ id, zone, load });

test("choice: the own zone comes first, and the other where nobody there has room", () => {
  const nodes = [node("z1", "here", 0.5), node("z2", "there", 0)];
  assert.equal(pick(nodes, "here", Math.random, 0)?.id, "z1");
  assert.equal(pick([node("z1", "here", 0.95), node("z2", "there", 0)], "here", Math.random, 10_000)?.id, "z2");
  assert.equal(pick([node("z1", "here", 0.95), node("z2", "there", 0.99)], "here", Math.random, 20_000)?.id, "z1");
  assert.equal(pick([], "here"), null);
});

test("choice: of two that are drawn the less loaded is taken", () => {
  const nodes = [node("busy", "here", 0.8), node("idle", "here", 0.1)];
  for (let turn = 0; turn < 20; turn++) assert.equal(pick(nodes, "here", Math.random, 30_000 + turn * 10_000)?.id, "idle");
});

test("choice: who is chosen again and again within a moment is no longer the least loaded", () => {
  const nodes = [node("one", "here", 0.1), node("two", "here", 0.12)];
  const chosen = Array.from({ length: 40 }, () => pick(nodes, "here", Math.random, 500_000)?.id);
  const ones = chosen.filter((id) => id === "one").length;
  assert.ok(ones > 10 && ones < 30, `${ones} of 40`);
});
