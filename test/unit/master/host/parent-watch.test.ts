import assert from "node:assert/strict";
import { test } from "node:test";
import { DolphinError } from "../../../../src/base/errors.js";
import { ParentWatch } from "../../../../src/master/host/parent-watch.js";
import { FakeTimers } from "../../fake-timers.js";

function watched(): { timers: FakeTimers; told: number[]; become: (parent: number) => void; watch: ParentWatch } {
  const timers = new FakeTimers();
  const told: number[] = [];
  let parent = 4711;
  const watch = new ParentWatch({ timers, parent: () => parent, gone: (pid) => told.push(pid) });
  return { timers, told, watch, become: (pid) => (parent = pid) };
}

test("parent watch: a parent that stays is no news", () => {
  const { timers, told } = watched();
  timers.pass(60_000);
  assert.deepEqual(told, []);
});

for (const heir of [1, 812]) {
  test(`parent watch: a child of process ${heir} that was another's is told of within a second, once`, () => {
    const { timers, told, become } = watched();
    timers.pass(10_000);
    become(heir);
    timers.pass(1000);
    timers.pass(60_000);
    assert.deepEqual(told, [4711]);
  });
}

test("parent watch: who has closed it hears nothing", () => {
  const { timers, told, become, watch } = watched();
  watch.close();
  watch.close();
  become(1);
  timers.pass(60_000);
  assert.deepEqual(told, []);
});

test("parent watch: there is nobody to follow for a child of process 1", () => {
  const start = (): unknown => new ParentWatch({ timers: new FakeTimers(), parent: () => 1, gone: () => undefined });
  assert.throws(
    start,
    (thrown: unknown) => thrown instanceof DolphinError && thrown.code === "CONF_VALUE" && /asprocess off/.test(thrown.message),
  );
});
