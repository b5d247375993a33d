// The clock of a source: turns the publisher's timestamps into ones that viewers can rely on. It is kept once per
// source, not per viewer, so that every viewer sees the same bytes, and survives publishers that come and go:
//
//   publisher   5000 5040 5080 │ gone │ 0 40 80          (restarted: its clock begins anew)
//   viewers        0   40   80 │      │ 90 130 170       (a splice is a step of 10 ms, never backwards)
//
// Audio and video each go by their own steps, as they were sent, and share one offset, so the distance between them is the
// publisher's. What is no step of a track is looked at beside the other one (docs/decisions/0012):
//
//   video      5000  5040 │ 3605080  3605120             both jump: the first one is a splice,
//   audio      4990  5010 │ 3605050  3605070             and the other keeps its distance to it
import { messageType } from "../codec/rtmp/message.js";

/** A step of one track up to this, either way, is media, whatever the other track does. */
const largestStepMs = 250;
/** So far from the other, or from the distance that they had, a track may come back after a pause of its own. */
const largestLeadMs = 1_000;
/** A pause of a track that has no other beside it: a camera of one picture in some seconds, audio that leaves silence out. */
const longestPauseMs = 5_000;
/** Two tracks that are further apart than this have nothing to do with each other. */
export const largestOffsetMs = 10_000;
/** What a jump or a splice is replaced with. */
const spliceStepMs = 10;

/** A moment by the publisher's clock (modulo 2³²), and by ours. */
interface Point {
  readonly in: number;
  readonly out: number;
}

/** Audio, or video. */
interface Track {
  /** The last timestamp that was taken of it; null: none since the clock began. */
  lastIn: number | null;
  /** What that one came to: less than `lastOut` after a step back. */
  at: number;
  /** The last time given, which never goes back; null: none. */
  lastOut: number | null;
  /** Where it was before its last jump or splice. */
  left: Point | null;
}

/** Correction state of one source, as JSON. */
export interface Timeline {
  /**
   * `full` repairs jumps and starts at 0; `zero` only starts at 0; `off` leaves all as it is. A stream that is pulled starts
   * at the time that it is found at: `adopt` is `full` otherwise, for an origin whose clock we do not know; `follow` takes
   * every forward time of the box's own origin as it is, so that all edges agree whatever they missed.
   */
  mode: "full" | "zero" | "off" | "adopt" | "follow";
  readonly audio: Track;
  readonly video: Track;
  /** How far video was ahead of audio when they were compared last, by the publisher's clock. */
  leadMs: number;
}

export function makeTimeline(mode: Timeline["mode"]): Timeline {
  const track = (): Track => ({ lastIn: null, at: 0, lastOut: null, left: null });
  return { mode, audio: track(), video: track(), leadMs: 0 };
}

/** Says that what comes next has a clock of its own, corrected by this mode from here on: another publisher, or another origin. */
export function splice(timeline: Timeline, mode: Timeline["mode"]): void {
  timeline.mode = mode;
  for (const track of [timeline.audio, timeline.video]) leave(track);
}

/** One that begins as by a splice, 10 ms behind a time that viewers have seen; null: they have seen none. */
export function makeTimelineBehind(mode: Timeline["mode"], timeMs: number | null): Timeline {
  const timeline = makeTimeline(mode);
  if (timeMs !== null) goBehind(timeline, timeMs);
  return timeline;
}

/** Has what comes next begin 10 ms behind a time that viewers have seen, as by a splice, where none of its own is further. */
export function goBehind(timeline: Timeline, timeMs: number): void {
  if (timeMs <= (furthest(timeline) ?? -1)) return;
  for (const track of [timeline.audio, timeline.video]) Object.assign(track, { lastIn: null, lastOut: timeMs, left: null });
}

/** Says that what comes next is by this very clock, which it may not have reached yet: its times are taken as they are. */
export function keepTo(timeline: Timeline): void {
  const time = furthest(timeline);
  if (time === null) return;
  for (const track of [timeline.audio, timeline.video]) Object.assign(track, { lastIn: time, at: time });
}

/** The furthest time given so far; null: none. */
export function furthest({ audio, video }: Timeline): number | null {
  if (audio.lastOut === null) return video.lastOut;
  return video.lastOut === null ? audio.lastOut : Math.max(audio.lastOut, video.lastOut);
}

/** Goes on where another timeline stood, unless this one has had a clock to follow: then its own viewers come first. */
export function resume(timeline: Timeline, saved: Timeline): void {
  if (furthest(timeline) === null) replace(timeline, saved, timeline.mode);
}

/** Goes on exactly where another timeline stood that has had the same messages until now. */
export function replace(timeline: Timeline, saved: Timeline, mode: Timeline["mode"]): void {
  Object.assign(timeline.audio, saved.audio);
  Object.assign(timeline.video, saved.video);
  Object.assign(timeline, { mode, leadMs: saved.leadMs });
}

/** A copy that does not change. */
export function copyOf(timeline: Timeline): Timeline {
  return { ...timeline, audio: { ...timeline.audio }, video: { ...timeline.video } };
}

/**
 * The time to give to a message of this type and timestamp (ms, modulo 2³²). Data gets the time of the media around it, for many
 * encoders give it none; so does what describes a track (`isHeader`) where its own makes no sense. Results are not reduced modulo 2³².
 */
export function advance(timeline: Timeline, type: number, timestamp: number, isHeader = false): number {
  const { mode } = timeline;
  if (type === messageType.data) return mode === "off" && !isHeader ? timestamp : present(timeline, type);
  const track = type === messageType.audio ? timeline.audio : timeline.video;
  if (mode === "off") return pass(track, timestamp);
  if (track.lastIn === null) return begin(timeline, track, timestamp, isHeader);
  const step = (timestamp - track.lastIn) | 0;
  const isStep = (step <= largestStepMs && step >= -largestStepMs) || mode === "zero" || mode === "follow";
  if (isStep) return take(track, timestamp, track.at + step);
  return isHeader ? track.lastOut! : take(track, timestamp, beyondStep(timeline, track, timestamp));
}

/** The time for something of this type that has none of its own: that of the media around it. */
export function present(timeline: Timeline, type: number): number {
  const track = type === messageType.audio ? timeline.audio : type === messageType.video ? timeline.video : null;
  return track?.lastOut ?? furthest(timeline) ?? 0;
}

/** The time of something of this type that the publisher has sent at this timestamp, not long ago. */
export function timeAt({ audio, video }: Timeline, type: number, timestamp: number): number {
  const track = type === messageType.audio || video.lastIn === null ? audio : video;
  return track.lastIn === null ? timestamp : track.at + ((timestamp - track.lastIn) | 0);
}

/** Leaves the time as it is, and remembers it for a mode that may follow. */
function pass(track: Track, timestamp: number): number {
  track.lastIn = timestamp;
  track.at = timestamp;
  track.lastOut = timestamp;
  return timestamp;
}

function take(track: Track, timestamp: number, at: number): number {
  track.lastIn = timestamp;
  track.at = at;
  const lastOut = track.lastOut ?? 0;
  return (track.lastOut = at > lastOut ? at : lastOut);
}

/** The first of a track since the clock began. */
function begin(timeline: Timeline, track: Track, timestamp: number, isHeader: boolean): number {
  const { mode } = timeline;
  const other = otherOf(timeline, track);
  const last = furthest(timeline);
  // A foreign server may stamp what it sends first with anything: the time that it is found at is that of its media.
  if (isHeader && mode === "adopt" && last === null) return timestamp;
  if (other.lastIn !== null) return take(track, timestamp, besides(timeline, track, other, timestamp));
  if (last === null) return take(track, timestamp, mode === "adopt" || mode === "follow" ? timestamp : 0);
  const before = mode === "follow" ? sameClock(timeline, timestamp) : null;
  track.left = other.left = null;
  return take(track, timestamp, before ?? last + spliceStepMs);
}

/** Where a first timestamp is if the clock of before goes on with it; null: it does not, or is not known. */
function sameClock({ audio, video }: Timeline, timestamp: number): number | null {
  const left = audio.left === null || (video.left !== null && video.left.out > audio.left.out) ? video.left : audio.left;
  const step = left === null ? -1 : (timestamp - left.in) | 0;
  return step < 0 ? null : left!.out + step;
}

/** The first of a track where the other has begun: at its distance from that. */
function besides(timeline: Timeline, track: Track, other: Track, timestamp: number): number {
  const offset = (timestamp - other.lastIn!) | 0;
  if (timeline.mode === "follow") return other.at + offset;
  if (Math.abs(offset) > largestOffsetMs) return furthest(timeline)!; // a clock of its own
  timeline.leadMs = leadOf(timeline, track, offset);
  return ahead(track, other, other.at + offset);
}

/** A timestamp that is no step of its track: the end of a pause, a wrong one, the way back from it, or a jump. */
function beyondStep(timeline: Timeline, track: Track, timestamp: number): number {
  const { left } = track;
  const other = otherOf(timeline, track);
  const lastIn = track.lastIn!;
  const lastOut = track.lastOut!;
  const step = (timestamp - lastIn) | 0;
  const isAlone = other.lastIn === null || Math.abs((lastIn - other.lastIn) | 0) > largestOffsetMs;
  if (isAlone && step > 0 && step <= longestPauseMs) return track.at + step;
  if (other.lastIn !== null) {
    const offset = (timestamp - other.lastIn) | 0;
    const at = other.at + offset;
    const lead = leadOf(timeline, track, timeline.leadMs);
    if (Math.abs(offset) <= largestOffsetMs) timeline.leadMs = leadOf(timeline, track, offset);
    if (offset <= Math.max(0, lead) + largestLeadMs && at >= lastOut - largestLeadMs) return ahead(track, other, at);
  }
  if (left !== null) {
    const offset = (timestamp - left.in) | 0;
    const at = left.out + offset;
    if (offset <= longestPauseMs && at >= lastOut - largestStepMs) return at;
  }
  leave(track);
  return furthest(timeline)! + spliceStepMs;
}

/**
 * A time at which a track goes on, at its distance from the other. Where that lies before what viewers have had of it, both move ahead,
 * rather than that the track stands still until it has come up.
 */
function ahead({ lastOut }: Track, other: Track, at: number): number {
  const floor = lastOut ?? 0;
  if (at >= floor) return at;
  const next = lastOut === null ? 0 : lastOut + spliceStepMs;
  other.at += next - at;
  return next;
}

/** Turns what this track is ahead of the other into what video is ahead of audio, and back. */
function leadOf({ video }: Timeline, track: Track, aheadMs: number): number {
  return track === video ? aheadMs : -aheadMs;
}

function leave(track: Track): void {
  if (track.lastIn !== null) track.left = { in: track.lastIn, out: track.at };
  track.lastIn = null;
}

function otherOf({ audio, video }: Timeline, track: Track): Track {
  return track === audio ? video : audio;
}
