// The upstream servers of a vhost, or the one that is forwarded to, and which of them to try next. What one relay learns serves all
// relays of theirs: they share the preferred index, and when one gets through those that pause try at once. A relay walks the list
// once without a pause, and only a whole pass without success makes it wait.
//
//   cannot be reached    pauses double up to 15 s: whoever is first to get through wakes the others
//   says no              up to 5 s: what it has not now, it may have any moment
//   says nothing         no pause: while the connection stands, the stream may begin any moment (edge-pull.ts)
//   leads back here      a minute: only people can change that
import type { ErrorCode } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";

/** The pause after the first fruitless pass; it doubles up to the longest, and is shortened at random by up to a half. */
const firstPauseMs = 200;
const longestPauseMs = 15_000;
/** Of the box's own origin, which is back within seconds. */
export const ownOriginPauseMs = 3_000;
const longestAskPauseMs = 5_000;
const loopPauseMs = 60_000;

/** A foreign origin that sends nothing for so long is taken for dead, frozen or without the stream. */
export const silenceTimeoutMs = 5_000;
/** The same of the only origin that there is, while it has shown nothing of the stream: doubled up to this. */
export const longestSilenceMs = 30_000;

/** How long the box's own origin may be away before its streams are over. */
export const longestAbsenceMs = 30_000;
/** A connection that lasted so long was a success: the pauses begin anew behind it. */
export const settledMs = 5_000;

/** The shared part: one per vhost, and one per destination. */
export interface Upstreams {
  readonly endpoints: readonly Endpoint[];
  readonly longestPauseMs: number;
  /** The one to try first: the last that worked. */
  preferred: number;
  /** Relays that pause because none of the servers could be reached: each tries again when it is called. */
  readonly waiting: Set<() => void>;
}

export function makeUpstreams(endpoints: readonly Endpoint[], longestMs = longestPauseMs): Upstreams {
  return { endpoints, longestPauseMs: longestMs, preferred: 0, waiting: new Set() };
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

/**
 * How long a server may show nothing of a stream that is asked for, where so many connections in a row have shown nothing (ms). The
 * only one is asked for longer each time: there is nobody else, and while the connection stands a stream that begins is seen at once.
 */
export function silenceLimitMs({ endpoints }: Upstreams, silences: number): number {
  return endpoints.length === 1 ? Math.min(silenceTimeoutMs * 2 ** silences, longestSilenceMs) : silenceTimeoutMs;
}

/** Notes that the candidate works: others will try it first, and those that wait for any of the servers try now. */
export function works({ upstreams, index }: Pass): void {
  upstreams.preferred = index;
  const { waiting } = upstreams;
  const woken = [...waiting];
  waiting.clear();
  for (const again of woken) again();
}

/** The same of a candidate that is here to stay: the pauses begin anew. */
export function succeeded(pass: Pass): void {
  pass.failures = 0;
  works(pass);
}

/** Whether a failure is that of a server which cannot be reached, and not an answer. */
export function isUnreachable(code: ErrorCode): boolean {
  return code === "RELAY_CONNECT" || code === "RELAY_TIMEOUT";
}

/**
 * Notes that the candidate failed, moves on, and returns how long to wait before the next (ms): 0 within a pass. Only a
 * server that could not be reached is one that others should not try first: a missing stream is this relay's own.
 */
export function failed(pass: Pass, code: ErrorCode, random: () => number = Math.random): number {
  const { endpoints, preferred } = pass.upstreams;
  const next = (pass.index + 1) % endpoints.length;
  if (isUnreachable(code) && preferred === pass.index) pass.upstreams.preferred = next;
  pass.index = next;
  pass.failures += 1;
  if (pass.failures % endpoints.length !== 0 || code === "RELAY_SILENT") return 0;
  const passes = pass.failures / endpoints.length;
  const pauseMs = code === "RELAY_LOOP" ? loopPauseMs : Math.min(firstPauseMs * 2 ** (passes - 1), longestOf(pass.upstreams, code));
  return Math.round(pauseMs * (1 - random() / 2));
}

/** Whether every server has failed since the last success. */
export function isExhausted(pass: Pass): boolean {
  return pass.failures >= pass.upstreams.endpoints.length;
}

function longestOf({ longestPauseMs: longestMs }: Upstreams, code: ErrorCode): number {
  return code === "RELAY_REFUSED" ? Math.min(longestAskPauseMs, longestMs) : longestMs;
}
