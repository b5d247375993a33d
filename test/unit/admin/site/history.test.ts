import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
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
  for (const at of [1, 2, 3]) history.add(at * historyStepMs, sample(at));
  assert.deepEqual(history.since(2 * historyStepMs).columns.players, [3]);
  assert.deepEqual(history.since(3 * historyStepMs).at, []);
});

test("history: what was kept is there when another process goes on, as far as it is of the last hour and of this version", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "history");
  const now = Date.now();
  const first = new History(path);
  first.add(now - 2 * historyKeptMs, sample(1));
  first.add(now - 10_000, sample(2));
  first.add(now - 5000, sample(3));
  const heir = new History(path); // the one before was killed
  assert.deepEqual(heir.since(0).columns.players, [2, 3]);
  heir.add(now, sample(4));
  heir.close();
  first.close();
  assert.deepEqual(new History(path).since(0).columns.players, [2, 3, 4]);
  writeFileSync(path, "of another version");
  assert.deepEqual(new History(path).since(0).at, []);
  assert.deepEqual(new History(join(folder, "none", "there")).since(0).at, []);
});
