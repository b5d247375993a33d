// Publishers that are read in step: how often each of them is, by how long it may wait.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { mergeMs, MergedReads, mostTicks } from "../../../../src/server/peers/merged-read.js";

test("merged reads: who may wait for one, two or three ticks is read in each, every other or every third", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000 });
  const reads = new Map<number, number>();
  const merged = new MergedReads((fd) => {
    reads.set(fd, (reads.get(fd) ?? 0) + 1);
    return null;
  });
  t.after(() => merged.close());
  const waits = [1, 2, mostTicks];
  const readers = waits.map((ticks, fd) => ({ ticks, socket: { _handle: { fd } } as unknown as Socket, take: () => true }));
  for (const reader of readers) merged.add(reader.socket, reader);
  const run = (ticks: number): void => {
    for (let tick = 0; tick < ticks; tick++) t.mock.timers.tick(mergeMs);
  };
  run(12);
  assert.deepEqual([...reads.values()], [12, 6, 4]);
  // Whoever comes to watch shortens the waits behind the one that is under way.
  readers[2]!.ticks = 1;
  run(6);
  assert.equal(reads.get(2), 4 + 4);
});
