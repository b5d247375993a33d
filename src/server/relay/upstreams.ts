// The upstream servers of a vhost, and which of them to try next. What one relay learns of a dead server serves all
// relays of the vhost: they share the preferred index. A relay walks the list once without a pause, and only a whole
// pass without success makes it wait.
import type { ErrorCode } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";

/** The pause after the first fruitless pass; it doubles up to the longest. */
const firstPauseMs = 200;
const longestPauseMs = 3_000;

/** How long the box's own origin may be away before its streams are over. */
export const longestAbsenceMs = 30_000;

/** The shared part: one per vhost. */
export interface Upstreams {
  readonly endpoints: readonly Endpoint[];
  /** The one to try first: the last that worked. */
  preferred: number;
}

export function makeUpstreams(endpoints: readonly Endpoint[]): Upstreams {
  return { endpoints, preferred: 0 };
}

/** One relay's way through the list. */
export interface Pass {
  readonly upstreams: Upstreams;
  index: number;
  /** Failures since the last success. */
  failures: number;
}

export function makePass(upstreams: Upstreams): Pass {
  return { upstreams, index: upstreams.preferred, failures: 0 };
}

/** The server to try now. */
export function candidate(pass: Pass): Endpoint {
  return pass.upstreams.endpoints[pass.index % pass.upstreams.endpoints.length]!;
}

/** Notes that the candidate works: others will try it first. */
export function succeeded(pass: Pass): void {
  pass.failures = 0;
  pass.upstreams.preferred = pass.index;
}

/**
 * Notes that the candidate failed, moves on, and returns how long to wait before the next (ms): 0 within a pass. Only a
 * server that could not be reached is one that others should not try first: a missing stream is this relay's own.
 */
export function failed(pass: Pass, code: ErrorCode): number {
  const { endpoints, preferred } = pass.upstreams;
  const next = (pass.index + 1) % endpoints.length;
  const isDown = code === "RELAY_CONNECT" || code === "RELAY_TIMEOUT";
  if (isDown && preferred === pass.index) pass.upstreams.preferred = next;
  pass.index = next;
  pass.failures += 1;
  if (pass.failures % endpoints.length !== 0) return 0;
  return Math.min(firstPauseMs * 2 ** (pass.failures / endpoints.length - 1), longestPauseMs);
}

/** Whether every server has failed since the last success. */
export function isExhausted(pass: Pass): boolean {
  return pass.failures >= pass.upstreams.endpoints.length;
}
