// States of servers and a random source for tests of balancing.
import type { BackendState } from "../../../../src/ipc/balance.js";

/** A server that is up, has been for long, and carries nothing. */
export function backendState(given: Partial<BackendState> = {}): BackendState {
  return {
    name: "server-1",
    rtmp: { host: "127.0.0.1", port: 1 },
    http: null,
    api: null,
    isUp: true,
    isDraining: false,
    upSinceMs: 0,
    weight: 1,
    maxConnections: null,
    connections: 0,
    bytesPerSecond: 0,
    ...given,
  };
}

/** The same numbers from 0 to below 1 each time (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
