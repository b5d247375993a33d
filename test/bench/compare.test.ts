// Rows of the bench with contenders that only say figures: who is measured when, what medians and ratios come out, what a failure leaves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { measureRow } from "../../bench/compare.js";
import type { Contender, Context, Outcome, Row, Sample } from "../../bench/row.js";
import { tableOf } from "../../bench/table.js";

const context: Context = {
  own: { name: "dolphin", program: "", commit: "" },
  base: "none",
  nginx: "none",
  haproxy: "none",
  runs: 3,
  say: () => undefined,
};

/** A contender that finds these values of CPU, one a run; an error is thrown. */
function finds(name: string, values: readonly (number | Error)[], order: string[] = []): Contender {
  const left = [...values];
  return {
    name,
    async measure(): Promise<Sample> {
      order.push(name);
      const value = left.shift() ?? Number.NaN;
      if (value instanceof Error) throw value;
      return { figures: { cpu: value }, problem: null };
    },
  };
}

function rowOf(contenders: readonly (Contender | string)[]): Row {
  return {
    name: "row",
    contenders: () => contenders,
    held: [{ figure: "cpu", as: "ratio", limit: { bar: 0.5, aim: 0.3 } }],
  };
}

function linesOf(outcome: Outcome): string[] {
  return tableOf([{ name: "row", outcome }]).slice(2);
}

test("bench: contenders are measured in turn, and the figure is the ratio of their medians", async () => {
  const order: string[] = [];
  const outcome = await measureRow(rowOf([finds("dolphin", [9, 1, 2], order), finds("base", [8, 40, 4], order)]), context);
  assert.deepEqual(order, ["dolphin", "base", "dolphin", "base", "dolphin", "base"]);
  assert.deepEqual(linesOf(outcome), ["| row: CPU | 2.0 % | base 8.0 % | 0.25 × | ≤ 0.5 | ≤ 0.3 | ok, aim |", ""]);
  assert.equal(outcome.failure, null);
});

test("bench: a run that fails is told, and the others count", async () => {
  const outcome = await measureRow(rowOf([finds("dolphin", [4, new Error("no port"), 2]), finds("base", [5, 5, 5])]), context);
  assert.deepEqual(linesOf(outcome), [
    "| row: CPU | 3.0 % | base 5.0 % | 0.60 × | ≤ 0.5 | ≤ 0.3 | miss |",
    "",
    "- row: dolphin: 1 of 3 runs failed (no port)",
  ]);
  assert.equal(outcome.failure, null);
});

test("bench: a row in which dolphin never got through has no line, and says why", async () => {
  const gone = new Error("it does not start");
  const outcome = await measureRow(rowOf([finds("dolphin", [gone, gone, gone]), finds("base", [5, 5, 5])]), context);
  assert.deepEqual(linesOf(outcome), ["", "- failed: row: it does not start"]);
});

test("bench: a peer that fails or is not to be had leaves a figure without peer, and nobody takes its place", async () => {
  const gone = new Error("it does not start");
  const failed = await measureRow(
    rowOf([finds("dolphin", [1, 1, 1]), finds("base", [gone, gone, gone]), finds("nginx", [4, 4, 4])]),
    context,
  );
  const [line, , ...remarks] = linesOf(failed);
  assert.equal(line, "| row: CPU | 1.0 % |  | – | ≤ 0.5 | ≤ 0.3 | no peer |");
  assert.deepEqual(remarks, [
    "- row: nginx: CPU 4.0 %; base: 3 of 3 runs failed (it does not start)",
    "- failed: row: base: it does not start",
  ]);

  const missing = await measureRow(rowOf([finds("dolphin", [1, 1, 1]), "no history", finds("nginx", [4, 4, 4])]), context);
  assert.equal(linesOf(missing)[0], "| row: CPU | 1.0 % |  | – | ≤ 0.5 | ≤ 0.3 | no peer |");
  assert.deepEqual(missing.remarks, ["nginx: CPU 4.0 %", "no history"]);
});

test("bench: what a load did not get is told beside the figures that it makes doubtful", async () => {
  const short: Contender = { name: "dolphin", measure: async () => ({ figures: { cpu: 1 }, problem: "3 of 4 played" }) };
  const outcome = await measureRow(rowOf([short]), { ...context, runs: 1 });
  assert.deepEqual(outcome.remarks, ["dolphin: 1 of 1 runs fell short (3 of 4 played)"]);
});
