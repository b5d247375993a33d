// How the calls of one process to one URL went, as plain numbers that only grow, for metrics and consoles.

import { latencyBoundsMs, type HookCounts } from "../ipc/dues.js";

export function newCounts(action: string, url: string): HookCounts {
  const latencies = Array.from({ length: latencyBoundsMs.length + 1 }, () => 0);
  return { action, url: shownUrl(url), calls: 0, failures: 0, refusals: 0, dropped: 0, latencies, latencySumMs: 0 };
}

export function countLatency(counts: HookCounts, tookMs: number): void {
  const at = latencyBoundsMs.findIndex((bound) => tookMs <= bound);
  counts.latencies[at < 0 ? latencyBoundsMs.length : at]! += 1;
  counts.latencySumMs += tookMs;
}

/** A URL as it may be shown. */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) return text.replace(/[?#].*$/s, "");
  const { protocol, host, pathname } = new URL(text);
  return `${protocol}//${host}${pathname}`;
}
