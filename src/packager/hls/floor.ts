// hls_ts_floor: names count fragments since 1970, one more with each segment, and segments become longer or shorter so that the count stays
// at the clock's: two servers that are given the same stream name segments alike. Pure.

/** A count that is off by more begins anew. */
const mostOff = 20;
/** So much of what the count is off goes into the next segment. */
const leaning = 0.3;

export interface Floor {
  /** What stands for the time in the name. */
  readonly count: number;
  /** How much longer the segment is to be; negative: shorter. */
  readonly moreMs: number;
}

/** The segment that begins now, behind one of that count; 0: the first. */
export function nextFloor(before: number, nowMs: number, fragmentMs: number): Floor {
  const real = Math.floor(nowMs / fragmentMs);
  const isNear = before > 0 && Math.abs(before + 1 - real) <= mostOff;
  const count = isNear ? before + 1 : real;
  return { count, moreMs: leaning * (count - real) * fragmentMs };
}
