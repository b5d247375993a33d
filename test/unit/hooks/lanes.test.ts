import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "../../../src/hooks/lanes.js";
import { Turns } from "../../../src/hooks/turns.js";

test("lanes: what is told of one is told in order, of others beside, and a task that fails costs none of them", async () => {
  const failures: unknown[] = [];
  const lanes = new Lanes((thrown) => failures.push(thrown));
  const done: string[] = [];
  const task = (name: string, turns: number) => async (): Promise<void> => {
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (name === "a2") throw new Error(name);
    done.push(name);
  };
  lanes.run("a", task("a1", 3));
  lanes.run("a", task("a2", 0));
  lanes.run("a", task("a3", 0));
  lanes.run("b", task("b1", 1));
  assert.notEqual(lanes.through("a"), null);
  await lanes.settled();
  assert.deepEqual(done, ["b1", "a1", "a3"]);
  assert.equal(failures.length, 1);
  assert.equal(lanes.through("a"), null);
});

test("turns: what comes at once is done in its order and over several turns, and what comes alone at once", async () => {
  const turns = new Turns();
  const done: number[] = [];
  turns.run(() => done.push(0));
  assert.deepEqual(done, [0]);
  const slow = (): void => {
    const untilMs = performance.now() + 3;
    while (performance.now() < untilMs);
  };
  let others = 0;
  const beside = (): void => {
    others += 1;
    if (done.length < 8) setImmediate(beside);
  };
  for (let task = 1; task < 8; task++) {
    turns.run(() => {
      slow();
      done.push(task);
    });
  }
  beside();
  while (done.length < 8) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(done, [0, 1, 2, 3, 4, 5, 6, 7]);
  assert.ok(others > 2, "others have had turns in between");
});
