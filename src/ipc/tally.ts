// What one process has counted since its start, and what it has now, for metrics: plain numbers that travel in its heartbeat. Nothing is
// counted per packet for it. What has ended with a process is added up by the master (control/sums.ts), so that no sum falls.

/** Upper bounds (ms) of the classes of a time; one class more has none. */
export const firstMediaBoundsMs = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000] as const;
/** The same of how late an event loop was. */
export const lagBoundsMs = [1, 5, 10, 20, 50, 100, 250, 500, 1000, 2500, 10_000] as const;

/** How long something took, by classes: each time is in the first that holds it. */
export interface Times {
  readonly counts: number[];
  sumMs: number;
}

export function noTimes(bounds: readonly number[]): Times {
  return { counts: Array.from({ length: bounds.length + 1 }, () => 0), sumMs: 0 };
}

export function countTime(times: Times, bounds: readonly number[], tookMs: number): void {
  const at = bounds.findIndex((bound) => tookMs <= bound);
  times.counts[at < 0 ? bounds.length : at]! += 1;
  times.sumMs += tookMs;
}

/** Numbers that only grow while the process lives. */
export interface Tally {
  /** Connections that were accepted here. */
  accepted: number;
  /** Plays and publishes that began here: those that go on from another process are not counted again. */
  plays: number;
  publishes: number;
  /** Connections that ended here, by the code of base/errors.ts; `none`: ordinary life. */
  readonly ends: Record<string, number>;
  /** From a viewer's connection, or request, to its first media, with the time that it waited for a publisher. */
  readonly firstMedia: Times;
  /** Connections to other servers that were lost or could not be made, by the server and the code: `192.0.2.1:1935 RELAY_CONNECT`. */
  readonly upstreamFailures: Record<string, number>;
}

/** Servers and codes that are counted apart; a backend of on_forward may name any number. */
const maxUpstreams = 200;
const otherUpstreams = "other";

export function countUpstreamFailure({ upstreamFailures: counts }: Tally, server: string, code: string): void {
  const key = `${server} ${code}`;
  const name = Object.hasOwn(counts, key) || Object.keys(counts).length < maxUpstreams ? key : `${otherUpstreams} ${code}`;
  counts[name] = (counts[name] ?? 0) + 1;
}

export function noTally(): Tally {
  return { accepted: 0, plays: 0, publishes: 0, ends: {}, firstMedia: noTimes(firstMediaBoundsMs), upstreamFailures: {} };
}

export function countEnd(tally: Tally, code: string | undefined): void {
  const name = code ?? "none";
  tally.ends[name] = (tally.ends[name] ?? 0) + 1;
}

/** Connections to other servers, the box's own origin among them. */
export interface Relays {
  /** Those that work, or are being made for the first time. */
  readonly up: number;
  /** Those that were lost, or could not be made, and are tried again. */
  readonly down: number;
}

/** A server that was lost, or cannot be reached, and is tried again, with the code why. */
export interface LostServer {
  readonly server: string;
  readonly code: string;
}

/** Of so many a process tells; a backend of on_forward may name any number. */
export const maxLostTold = 20;

/** What a process has now. */
export interface Present {
  /** Streams that are live here. */
  readonly streams: number;
  readonly pulls: Relays;
  readonly pushes: Relays;
  readonly forwards: Relays;
  /** Those that these wait for, each once. */
  readonly lost: readonly LostServer[];
  /** Of its players, those over HTTP-FLV and WebSocket. */
  readonly flvPlayers: number;
  readonly wsPlayers: number;
  /** Those that do not keep up and are left out until they do, and what waits for them (bytes). */
  readonly behind: Behind;
}

export interface Behind {
  readonly players: number;
  readonly bytes: number;
}
