import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultConfig } from "../../../../src/conf/load.js";
import { newborn } from "../../../../src/master/processes/child.js";
import type { ChildView } from "../../../../src/master/processes/supervisor.js";
import { WorkerLimits, type WorkerLimit, type WorkerLimitsParts } from "../../../../src/master/processes/worker-limits.js";
import { memoryLog } from "../../proxy/rtmp/rig.js";
import { FakeTimers } from "../../fake-timers.js";

const config = defaultConfig();

function worker(name: string, pid: number, more: { isPublic?: boolean; isLeaving?: boolean; state?: "up" | "starting" } = {}): ChildView {
  const { isPublic = true, isLeaving = false, state = "up" } = more;
  const spec = { name, duty: "edge", place: "child", isPublic, startsAfter: null, config, maxConnections: null } as const;
  return { spec, pid, child: { ...newborn, state, upAtMs: 0 }, isLeaving };
}

/** Looks once after `ageMs`, and tells who was replaced and why. */
async function replacedAfter(ageMs: number, limit: Partial<WorkerLimit>, parts: Partial<WorkerLimitsParts>): Promise<string[]> {
  const timers = new FakeTimers();
  const replaced: string[] = [];
  const watch = new WorkerLimits(
    { maxMemoryBytes: null, maxAgeMs: null, ...limit },
    {
      timers,
      log: memoryLog().log,
      children: () => [],
      memory: () => Promise.resolve(new Map()),
      replace: (name, reason) => Promise.resolve(replaced.push(`${name}: ${reason}`)),
      ...parts,
    },
  );
  timers.freeze(ageMs);
  await new Promise((resolve) => setImmediate(resolve));
  watch.close();
  return replaced;
}

test("worker limits: the first that takes too much memory is replaced, one at a time", async () => {
  const replaced = await replacedAfter(
    5000,
    { maxMemoryBytes: 100 << 20 },
    {
      children: () => [worker("edge-1", 1), worker("edge-2", 2), worker("edge-3", 3)],
      memory: (pids) => Promise.resolve(new Map(pids.map((pid) => [pid, pid * (60 << 20)]))),
    },
  );
  assert.deepEqual(replaced, ["edge-2: it takes 120 of 100 MiB"]);
});

test("worker limits: one that has served for too long is replaced", async () => {
  const parts = { children: () => [worker("edge-1", 1)] };
  assert.deepEqual(await replacedAfter(59_000, { maxAgeMs: 60_000 }, parts), []);
  assert.deepEqual(await replacedAfter(65_000, { maxAgeMs: 60_000 }, parts), ["edge-1: it is 65 s old"]);
});

test("worker limits: who does not serve the public, does not serve yet or is leaving is left alone", async () => {
  const others = [
    worker("origin", 1, { isPublic: false }),
    worker("edge-1", 2, { isLeaving: true }),
    worker("edge-2", 3, { state: "starting" }),
  ];
  assert.deepEqual(await replacedAfter(65_000, { maxAgeMs: 1000 }, { children: () => others }), []);
});

test("worker limits: without limits nobody is looked at", async () => {
  const memory = (): never => assert.fail("nobody asked");
  assert.deepEqual(await replacedAfter(65_000, {}, { children: () => [worker("edge-1", 1)], memory }), []);
});
