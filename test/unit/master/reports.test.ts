import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Reports } from "../../../src/master/reports.js";

function setUp(names: readonly string[]): {
  reports: Reports;
  asked: [string, number][];
  silent: string[];
  answered: string[];
  expire: () => void;
} {
  const asked: [string, number][] = [];
  const silent: string[] = [];
  const answered: string[] = [];
  let expire = (): void => undefined;
  const reports = new Reports({
    timers: {
      nowMs: () => 0,
      after: (_delayMs, run) => {
        expire = run;
        return () => (expire = () => undefined);
      },
    },
    deadlineMs: 1000,
    names: () => names,
    ask: (name, id) => asked.push([name, id]) > 0,
    answered: (name) => void answered.push(name),
    silent: (name) => void silent.push(name),
  });
  return { reports, asked, silent, answered, expire: () => expire() };
}

describe("reports", () => {
  it("are there when every child has answered", async () => {
    const { reports, asked, answered, silent } = setUp(["edge-1", "edge-2"]);
    const collected = reports.collect();
    for (const [name, id] of asked) reports.answer(name, id, []);
    await collected;
    assert.deepEqual([answered, silent], [["edge-1", "edge-2"], []]);
  });

  it("are there at once when there is nobody to ask", () => setUp([]).reports.collect());

  it("mark who has not answered in time", async () => {
    const { reports, asked, silent, expire } = setUp(["edge-1", "edge-2"]);
    const collected = reports.collect();
    reports.answer("edge-1", asked[0]?.[1] ?? 0, []);
    expire();
    await collected;
    assert.deepEqual(silent, ["edge-2"]);
  });

  it("do not wait for a child that is gone", async () => {
    const { reports, silent } = setUp(["edge-1"]);
    const collected = reports.collect();
    reports.gone("edge-1");
    await collected;
    assert.deepEqual(silent, []);
  });

  it("are asked for once by several who ask at the same time, and anew by the next", async () => {
    const { reports, asked } = setUp(["edge-1"]);
    const both = [reports.collect(), reports.collect()];
    reports.answer("edge-1", 1, []);
    await Promise.all(both);
    const next = reports.collect();
    reports.answer("edge-1", 2, []);
    await next;
    assert.deepEqual(asked, [
      ["edge-1", 1],
      ["edge-1", 2],
    ]);
  });

  it("take a late answer for what it tells, not for the answer to the next question", async () => {
    const { reports, answered, silent, expire } = setUp(["edge-1"]);
    const first = reports.collect();
    expire();
    await first;
    const second = reports.collect();
    reports.answer("edge-1", 1, []);
    expire();
    await second;
    assert.deepEqual([answered, silent], [["edge-1"], ["edge-1", "edge-1"]]);
  });
});
