// What all measurements have in common: how long a box is left alone at first, and when a load counts as served.
import type { Serving } from "../boxes/servers.js";
import type { PublishersReport } from "../load.js";

/** A young process of ours still loads, compiles and rehearses, the spare behind it, and has not settled in its memory yet. */
const youthMs = 9000;

/** How long it is left alone before it is measured. */
export function youthOf({ box }: Serving): number {
  return box === null ? 0 : youthMs;
}

/** A load that got less than this part of its bytes was not served. */
export const leastShare = 0.9;

/** The publisher is there a moment before a crowd, so that nobody waits for the first key frame. */
export const headStartMs = 2500;

/** What publishers did not get; null: nothing is missing. */
export function missingOf(
  { accepted, closed, mbps }: PublishersReport,
  wanted: { readonly publishers: number; readonly kbps: number },
): string | null {
  const { publishers, kbps } = wanted;
  const wantedMbps = (publishers * kbps) / 1000;
  const isShort = accepted < publishers || closed > 0 || mbps < wantedMbps * leastShare;
  return isShort ? `${accepted} of ${publishers} accepted, ${closed} closed, ${mbps} of ${wantedMbps} Mbps` : null;
}

export function mib(bytes: number): number {
  return bytes / 2 ** 20;
}

export function kib(bytes: number): number {
  return bytes / 1024;
}
