import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { Patience } from "../../../../src/proxy/balance/patience.js";

describe("patience", () => {
  let others: number;
  let late: number[];
  const waiting = { hasOther: () => others > 0, late: (waitedMs: number) => void late.push(waitedMs) };

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    others = 0;
    late = [];
  });

  afterEach(() => mock.timers.reset());

  /** Lets turns of the patience go by, each with the rest of the event loop's own. */
  async function pass(turns: number, turnMs = 1000): Promise<void> {
    for (let i = 0; i < turns; i++) {
      mock.timers.tick(turnMs);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it("gives a server up after a turn when there is another", async () => {
    others = 1;
    new Patience(1000, 10_000).begin(waiting);
    await pass(1, 999);
    assert.deepEqual(late, []);
    await pass(1, 1);
    assert.deepEqual(late, [1000]);
  });

  it("stays with a server while there is no other, until it is over", async () => {
    new Patience(1000, 10_000).begin(waiting);
    await pass(9);
    assert.deepEqual(late, []);
    await pass(1);
    assert.deepEqual(late, [10_000]);
  });

  it("looks for another at each turn", async () => {
    new Patience(1000, 10_000).begin(waiting);
    await pass(3);
    others = 1;
    await pass(1);
    assert.deepEqual(late, [4000]);
  });

  it("is one for all servers, of which each has a turn", async () => {
    const patience = new Patience(1000, 2000);
    others = 1;
    for (let i = 0; i < 3; i++) {
      patience.begin(waiting);
      await pass(1);
    }
    assert.deepEqual(late, [1000, 1000, 1000]);
    others = 0;
    patience.begin(waiting);
    await pass(1);
    assert.deepEqual(late, [1000, 1000, 1000, 1000], "nothing is left of it");
  });

  it("hears an answer that comes in the turn of the event loop in which the time is over", async () => {
    others = 1;
    const patience = new Patience(1000, 10_000);
    patience.begin(waiting);
    setTimeout(() => patience.clear(), 1000);
    await pass(20);
    assert.deepEqual(late, []);
  });
});
