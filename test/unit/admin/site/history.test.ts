import assert from "node:assert/strict";
import { test } from "node:test";
import { History, historyKeptMs, historyStepMs } from "../../../../src/admin/site/history.js";
import { series, type Series } from "../../../../src/admin/site/shapes.js";

const sample = (players: number): Record<Series, number> => ({
  ...(Object.fromEntries(series.map((name) => [name, 0])) as Record<Series, number>),
  players,
});

test("history: an hour is kept, oldest first, and no more", () => {
  const history = new History();
  const kept = historyKeptMs / historyStepMs;
  for (let i = 1; i <= kept + 10; i++) history.add(i * historyStepMs, sample(i));
  const { at, columns, stepMs } = history.since(0);
  assert.deepEqual([at.length, columns.players.length, stepMs], [720, 720, 5000]);
  assert.deepEqual([columns.players[0], columns.players.at(-1)], [11, 730]);
  assert.deepEqual(
    at,
    [...at].sort((a, b) => a - b),
  );
});

test("history: who has a part asks for what is behind it", () => {
  const history = new History();
  for (const at of [1, 2, 3]) history.add(at, sample(at));
  assert.deepEqual(history.since(2).columns.players, [3]);
  assert.deepEqual(history.since(3).at, []);
});
