// What soak tests share: how long they go on, and chance that can be had again.

/** How long each of them goes on, of DOLPHIN_SOAK_S. */
export const soakSeconds = Number(process.env["DOLPHIN_SOAK_S"] ?? 60);
/** Where their chance begins, of DOLPHIN_SOAK_SEED; another one each time when left out. */
export const soakSeed = Number(process.env["DOLPHIN_SOAK_SEED"] ?? Date.now() % 100_000);

/** A generator of numbers below 1 that gives the same ones for a seed (mulberry32). */
export function numbersFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
