// The time of a frame of sound, to the tick. RTMP rounds it to milliseconds, which players hear as pops where frames of 23.2 ms should
// join; counting samples alone would drift from the pictures over days. So samples count, and each frame leans a tick towards its
// stream's time; where the two are further apart than a gap explains, the stream's time counts anew.

/** What goes on from segment to segment, as JSON. */
export interface AudioClock {
  /** When the next frame is expected, in ticks of 1/90000 s, or in samples; null: whenever it comes. */
  nextTicks: number | null;
}

const ticksPerMs = 90;
/** So far the rounding of a publisher, and of whoever passed the stream on, may be off. */
const roundingMs = 20;
/** The same of a stream whose sound is to be counted (hls_dts_directly off). */
const countingMs = 500;

/** The time of a frame of so many samples, in ticks. */
export function tickOf(
  clock: AudioClock,
  dtsMs: number,
  frame: { readonly samples: number; readonly rate: number; readonly isCounted: boolean },
): number {
  const told = dtsMs * ticksPerMs;
  const off = clock.nextTicks === null ? Infinity : told - clock.nextTicks;
  const most = (frame.isCounted ? countingMs : roundingMs) * ticksPerMs;
  const ticks = clock.nextTicks === null || Math.abs(off) > most ? told : clock.nextTicks + Math.max(-1, Math.min(1, off));
  clock.nextTicks = ticks + (frame.samples * 1000 * ticksPerMs) / frame.rate;
  return Math.round(ticks);
}

/**
 * The time of a frame in samples of its own rate: frames of a file join to the sample, as long as the stream's time does not tell that
 * there is a gap.
 */
export function sampleOf(
  clock: AudioClock,
  dtsMs: number,
  frame: { readonly samples: number; readonly rate: number; readonly isCounted: boolean },
): number {
  const told = Math.round((dtsMs * frame.rate) / 1000);
  const most = ((frame.isCounted ? countingMs : roundingMs) * frame.rate) / 1000;
  const at = clock.nextTicks === null || Math.abs(told - clock.nextTicks) > most ? told : clock.nextTicks;
  clock.nextTicks = at + frame.samples;
  return at;
}
