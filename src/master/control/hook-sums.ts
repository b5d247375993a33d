// How hooks went in the whole box: what each process counted, added up by hook and URL. Pure.
import type { HookCounts } from "../../ipc/dues.js";

/** One row for each hook and URL, in their first order. */
export function sumHooks(lists: readonly (readonly HookCounts[])[]): HookCounts[] {
  const sums = new Map<string, HookCounts>();
  for (const row of lists.flat()) {
    const key = `${row.action} ${row.url}`;
    const before = sums.get(key);
    sums.set(key, before === undefined ? { ...row } : added(before, row));
  }
  return [...sums.values()];
}

function added(one: HookCounts, other: HookCounts): HookCounts {
  return {
    ...one,
    calls: one.calls + other.calls,
    failures: one.failures + other.failures,
    refusals: one.refusals + other.refusals,
    dropped: one.dropped + other.dropped,
    latencies: one.latencies.map((count, i) => count + (other.latencies[i] ?? 0)),
    latencySumMs: one.latencySumMs + other.latencySumMs,
  };
}
