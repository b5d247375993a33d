// The times of a file that is played over and over, as one stream has them: each round begins one step behind the end of the one
// before, all its tracks by the same distance, so that sound and picture stay together. Jumps within a file are closed likewise,
// for nobody would wait for them in real time.
//
//   file      5000 5040 5080 │ 5000 5040 5080 │ …
//   stream       0   40   80 │  120  160  200 │ …

/** A step of more than this, either way, is a jump of the file's clock and no media. */
const largestStepMs = 5_000;
/** What follows a track's only frame. */
const usualStepMs = 40;

interface Track {
  lastMs: number;
  stepMs: number;
}

/** Where a stream stands. */
export interface Rounds {
  /** What is added to the file's times; null: the next frame begins a round. */
  shiftMs: number | null;
  lastInMs: number;
  /** The furthest time given so far. */
  lastMs: number;
  readonly tracks: Map<number, Track>;
}

export function makeRounds(): Rounds {
  return { shiftMs: null, lastInMs: 0, lastMs: 0, tracks: new Map() };
}

/** Says that the file begins again. */
export function beginRound(rounds: Rounds): void {
  rounds.shiftMs = null;
}

/** The stream's time of a frame of this type, in ms from the stream's beginning; never back within a type. */
export function timeOfFrame(rounds: Rounds, type: number, timestamp: number): number {
  const { tracks, lastInMs } = rounds;
  if (rounds.shiftMs === null || Math.abs(timestamp - lastInMs) > largestStepMs) rounds.shiftMs = endOf(rounds) - timestamp;
  rounds.lastInMs = timestamp;
  const track = tracks.get(type);
  const timeMs = Math.max(timestamp + rounds.shiftMs, track?.lastMs ?? 0);
  rounds.lastMs = Math.max(rounds.lastMs, timeMs);
  if (track === undefined) tracks.set(type, { lastMs: timeMs, stepMs: usualStepMs });
  else if (timeMs > track.lastMs) Object.assign(track, { lastMs: timeMs, stepMs: timeMs - track.lastMs });
  return timeMs;
}

/** When the last frame of every track is over. */
function endOf({ tracks }: Rounds): number {
  return Math.max(0, ...Array.from(tracks.values(), ({ lastMs, stepMs }) => lastMs + stepMs));
}
