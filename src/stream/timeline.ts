// The clock of a source: turns the publisher's timestamps into ones that viewers can rely on. It is kept once per
// source, not per viewer, so that every viewer sees the same bytes, and survives publishers that come and go:
//
//   publisher   5000 5040 5080 │ gone │ 0 40 80          (restarted: its clock begins anew)
//   viewers        0   40   80 │      │ 90 130 170       (a splice is a step of 10 ms, never backwards)
import { messageType } from "../codec/rtmp/message.js";

/** A step of more than this is a jump of the clock, not media. */
const largestStepMs = 250;
/** Message type numbers are below this. */
const types = messageType.data + 1;
/** What a jump or a splice is replaced with. */
const spliceStepMs = 10;

/** Correction state of one source. */
export interface Timeline {
  /**
   * `full` repairs jumps and starts at 0; `zero` only starts at 0; `off` leaves all as it is. A stream that is pulled starts
   * at the time that it is found at: `adopt` is `full` otherwise, for an origin whose clock we do not know; `follow` takes
   * every forward time of the box's own origin as it is, so that all edges agree whatever they missed.
   */
  mode: "full" | "zero" | "off" | "adopt" | "follow";
  lastIn: number | null;
  lastOut: number;
  /** The last time given to each type, which never goes back within it. */
  readonly lastOfType: number[];
  isSplice: boolean;
}

export function makeTimeline(mode: Timeline["mode"]): Timeline {
  return { mode, lastIn: null, lastOut: 0, lastOfType: Array.from({ length: types }, () => 0), isSplice: false };
}

/** Says that what comes next has a clock of its own, corrected by this mode from here on: another publisher, or another origin. */
export function splice(timeline: Timeline, mode: Timeline["mode"]): void {
  timeline.mode = mode;
  timeline.isSplice = timeline.lastIn !== null;
}

/** One that begins as by a splice, 10 ms behind a time that viewers have seen; null: they have seen none. */
export function makeTimelineBehind(mode: Timeline["mode"], timeMs: number | null): Timeline {
  const timeline = makeTimeline(mode);
  if (timeMs !== null) beginBehind(timeline, timeMs);
  return timeline;
}

/** Has one that has given no time yet begin 10 ms behind a time that viewers have seen, or behind the furthest of several. */
export function beginBehind(timeline: Timeline, timeMs: number): void {
  if (timeline.lastIn !== null && timeMs <= timeline.lastOut) return;
  Object.assign(timeline, { lastIn: 0, lastOut: timeMs, isSplice: true });
  timeline.lastOfType.fill(timeMs);
}

/** The furthest time given so far; null: none. */
export function furthest({ lastIn, lastOfType }: Timeline): number | null {
  return lastIn === null ? null : Math.max(...lastOfType);
}

/** Goes on where another timeline stood, unless this one has had a clock to follow: then its own viewers come first. */
export function resume(timeline: Timeline, saved: Timeline): void {
  if (timeline.lastIn === null) Object.assign(timeline, saved, { mode: timeline.mode, lastOfType: [...saved.lastOfType] });
}

/** Goes on exactly where another timeline stood that has had the same messages until now. */
export function replace(timeline: Timeline, saved: Timeline, mode: Timeline["mode"]): void {
  Object.assign(timeline, saved, { mode, lastOfType: [...saved.lastOfType] });
}

/**
 * The time to give to a message of this type and timestamp (ms, modulo 2³²). Data gets the time of the media around it, for
 * many encoders give it none. Results are not reduced modulo 2³².
 */
export function advance(timeline: Timeline, type: number, timestamp: number): number {
  if (timeline.mode === "off") return pass(timeline, type, timestamp);
  if (type !== messageType.data) tick(timeline, timestamp);
  const out = present(timeline, type);
  timeline.lastOfType[type] = out;
  return out;
}

/** The time for something of this type that has none of its own: that of the media around it. */
export function present(timeline: Timeline, type: number): number {
  return Math.max(timeline.lastOut, timeline.lastOfType[type]!);
}

/** Leaves the time as it is, and remembers it for a mode that may follow. */
function pass(timeline: Timeline, type: number, timestamp: number): number {
  timeline.lastIn = timestamp;
  timeline.lastOut = timestamp;
  timeline.lastOfType[type] = timestamp;
  return timestamp;
}

function tick(timeline: Timeline, timestamp: number): void {
  const previous = timeline.lastIn;
  timeline.lastIn = timestamp;
  if (previous === null) timeline.lastOut = isPulled(timeline) ? timestamp : 0;
  else timeline.lastOut = Math.max(0, timeline.lastOut + step(timeline, (timestamp - previous) | 0));
}

function step(timeline: Timeline, delta: number): number {
  const { isSplice, mode } = timeline;
  timeline.isSplice = false;
  if (mode === "follow" && !(isSplice && delta < 0)) return delta;
  if (isSplice) {
    return Math.max(...timeline.lastOfType) - timeline.lastOut + spliceStepMs;
  }
  if (mode === "zero") return delta;
  return Math.abs(delta) > largestStepMs ? spliceStepMs : delta;
}

function isPulled({ mode }: Timeline): boolean {
  return mode === "adopt" || mode === "follow";
}
