import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { Deadline } from "../../../src/base/deadline.js";

describe("a deadline", () => {
  let deadline: Deadline;
  let reached: string[];
  const reach = (name: string) => (): void => void reached.push(name);

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    deadline = new Deadline();
    reached = [];
  });

  afterEach(() => mock.timers.reset());

  it("is reached once, and not before", () => {
    deadline.set(10, reach("a"));
    mock.timers.tick(9);
    assert.deepEqual(reached, []);
    mock.timers.tick(100);
    assert.deepEqual(reached, ["a"]);
  });

  it("is forgotten when another is set, and when it is cleared", () => {
    deadline.set(10, reach("a"));
    deadline.set(20, reach("b"));
    mock.timers.tick(20);
    deadline.set(10, reach("c"));
    deadline.clear();
    mock.timers.tick(100);
    assert.deepEqual(reached, ["b"]);
  });

  it("stays where it is when it is only ensured", () => {
    deadline.ensure(10, reach("a"));
    mock.timers.tick(9);
    deadline.ensure(10, reach("b"));
    mock.timers.tick(1);
    deadline.ensure(10, reach("c"));
    mock.timers.tick(10);
    assert.deepEqual(reached, ["a", "c"]);
  });

  it("can be set again by what it calls", () => {
    deadline.set(10, () => deadline.ensure(10, reach("again")));
    mock.timers.tick(10);
    mock.timers.tick(10);
    assert.deepEqual(reached, ["again"]);
  });
});
