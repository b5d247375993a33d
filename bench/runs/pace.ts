// What all measurements have in common: how long a box is left alone at first, and when a load counts as served.

/** A young process still loads, compiles and rehearses, the spare behind it, and has not settled in its memory yet. */
export const youthMs = 9000;

/** A load that got less than this part of its bytes was not served. */
export const leastShare = 0.9;

/** The publisher is there a moment before a crowd, so that nobody waits for the first key frame. */
export const headStartMs = 2500;

export function mib(bytes: number): number {
  return bytes / 2 ** 20;
}

export function kib(bytes: number): number {
  return bytes / 1024;
}
