// Which server gets a connection that no stream ties to one: pure functions, one for each policy name. Who may be chosen
// at all, and with what weight, is decided in one place before (`candidatesOf`), so that no policy knows of caps, drains
// and slow starts. Where the figures come from is backends.ts.
//
//   least        bytes per second relative to weight, then connections
//   round_robin  in turn, by weight
//   fill         the first in order that is below its cap
//   hash         by stream, so that one stream meets on one server, but none above 1.25 times its share
//   random2      the better one of two drawn by weight
import type { BackendState, PolicyName } from "../../ipc/balance.js";

/** A server that may be chosen. */
export interface Candidate {
  readonly name: string;
  /** Above 0; what is left of its own weight in a slow start. */
  readonly weight: number;
  readonly connections: number;
  readonly bytesPerSecond: number;
}

interface PolicyRequest {
  /** `vhost/app/stream`, or null where it is not known. */
  readonly key: string | null;
  /** Counts the choices of this proxy. */
  readonly turn: number;
  /** From 0 to below 1. */
  readonly random: () => number;
}

/** Null only where there is no candidate. */
export type Policy = (candidates: readonly Candidate[], request: PolicyRequest) => Candidate | null;

export const policies: Readonly<Record<PolicyName, Policy>> = {
  least: (candidates, { random }) => best(candidates, random),
  round_robin: roundRobin,
  fill: (candidates) => candidates[0] ?? null,
  hash: hashOfKey,
  random2,
};

/** A server's share grows to its whole over this time after it came up. */
export const slowStartMs = 10_000;
const leastShare = 0.1;
/** Bounded load: no server has more than this much of its share of the connections. */
const loadBound = 1.25;
/** The fraction of the golden ratio: multiples of it fill 0…1 evenly at any length. */
const goldenFraction = 0.618_033_988_749_894_9;

/** Those that may get a connection now, in their order: up, not draining, below their cap, not tried. */
export function candidatesOf(states: readonly BackendState[], tried: ReadonlySet<string>, nowMs: number): Candidate[] {
  return states
    .filter(({ name, isUp, isDraining }) => isUp && !isDraining && !tried.has(name))
    .filter(({ connections, maxConnections }) => maxConnections === null || connections < maxConnections)
    .map(({ name, weight, upSinceMs, connections, bytesPerSecond }) => {
      const grown = Math.min(1, Math.max(leastShare, (nowMs - upSinceMs) / slowStartMs));
      return { name, weight: weight * grown, connections, bytesPerSecond };
    });
}

/** The least loaded; equals are drawn, so that several proxies do not all take the first. */
function best(candidates: readonly Candidate[], random: () => number): Candidate | null {
  let found: Candidate | null = null;
  let equals = 0;
  for (const candidate of candidates) {
    const order = found === null ? -1 : compareLoad(candidate, found);
    if (order > 0) continue;
    equals = order < 0 ? 1 : equals + 1;
    if (order < 0 || random() * equals < 1) found = candidate;
  }
  return found;
}

function compareLoad(a: Candidate, b: Candidate): number {
  return a.bytesPerSecond / a.weight - b.bytesPerSecond / b.weight || a.connections / a.weight - b.connections / b.weight;
}

function roundRobin(candidates: readonly Candidate[], { turn }: PolicyRequest): Candidate | null {
  const first = candidates[0];
  if (first === undefined || candidates.every(({ weight }) => weight === first.weight)) {
    return candidates[turn % Math.max(1, candidates.length)] ?? null;
  }
  return atWeight(candidates, (turn * goldenFraction) % 1);
}

function random2(candidates: readonly Candidate[], { random }: PolicyRequest): Candidate | null {
  const first = atWeight(candidates, random());
  if (first === null || candidates.length === 1) return first;
  const rest = candidates.filter((candidate) => candidate !== first);
  const second = atWeight(rest, random());
  return second !== null && compareLoad(second, first) < 0 ? second : first;
}

/** The candidate at a place from 0 to below 1, where each is as wide as its weight. */
function atWeight(candidates: readonly Candidate[], place: number): Candidate | null {
  let left = place * sumOf(candidates, "weight");
  for (const candidate of candidates) {
    left -= candidate.weight;
    if (left < 0) return candidate;
  }
  return candidates.at(-1) ?? null; // what rounding left over
}

/** Weighted rendezvous hashing (Thaler and Ravishankar): when a server leaves, only its own streams move. */
function hashOfKey(candidates: readonly Candidate[], request: PolicyRequest): Candidate | null {
  const { key } = request;
  if (key === null) return best(candidates, request.random);
  const perWeight = (loadBound * (sumOf(candidates, "connections") + 1)) / sumOf(candidates, "weight");
  let found: Candidate | null = null;
  let highest = -1;
  for (const candidate of candidates) {
    if (candidate.connections >= Math.ceil(perWeight * candidate.weight)) continue;
    const score = candidate.weight / -Math.log(unitHash(key, candidate.name));
    if (score <= highest) continue;
    highest = score;
    found = candidate;
  }
  return found;
}

/** A number above 0 and below 1 for two texts: FNV-1a, then the finish of MurmurHash3. */
function unitHash(key: string, name: string): number {
  let hash = 0x811c9dc5;
  for (const text of [name, "/", key]) {
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (((hash ^ (hash >>> 16)) >>> 0) + 0.5) / 2 ** 32;
}

function sumOf(candidates: readonly Candidate[], field: "weight" | "connections"): number {
  return candidates.reduce((sum, candidate) => sum + candidate[field], 0);
}
