// What is known of a stream's segments: those in the list, those that have left it and are kept for players who are late, and the number
// of the next. Plain data, which is written down at every change; the functions change it. Source: RFC 8216 section 6.2.2.
import type { Position } from "../../base/position.js";
import { mediaList, type Key } from "../../codec/m3u8.js";
import type { HlsBlock } from "../../conf/meaning/config.js";
import type { SegmentStart } from "./segmenter.js";

export interface ListedSegment {
  /** As its name and hooks tell it. */
  readonly sequence: number;
  readonly uri: string;
  /** Where it is on the disk. */
  readonly path: string;
  readonly durationMs: number;
  readonly sizeBytes: number;
  readonly isDiscontinuous: boolean;
  readonly programTimeMs: number;
  readonly key: KeyFile | null;
}

export interface KeyFile extends Key {
  readonly path: string;
}

/** A stream's HLS, as JSON. */
export interface HlsState {
  readonly kind: "hls";
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** By which the stream's times are known; 0: it has none. */
  clockId: number;
  /** When the last packet came (ms since 1970); what is deleted after `hls_dispose` goes by it. */
  activeAtMs: number;
  /** Of the next segment. */
  next: number;
  /** Of the first in the list; what could not be written leaves no hole behind. */
  first: number;
  targetSeconds: number;
  discontinuitySequence: number;
  segments: ListedSegment[];
  /** Files to delete, and when. */
  expired: { readonly path: string; readonly atMs: number }[];
  key: KeyFile | null;
  /** The segment under way. */
  open: SegmentStart | null;
  /** Behind the last packet of a stream that has ended. */
  last: Position | null;
  /** What programme time has to be added to the stream's times. */
  epochMs: number;
}

export function makeHlsState(name: Pick<HlsState, "vhost" | "app" | "stream">): HlsState {
  const { vhost, app, stream } = name;
  const rest = { segments: [], expired: [], key: null, open: null, last: null, epochMs: 0 };
  return {
    kind: "hls",
    vhost,
    app,
    stream,
    clockId: 0,
    activeAtMs: 0,
    next: 0,
    first: 0,
    targetSeconds: 0,
    discontinuitySequence: 0,
    ...rest,
  };
}

/** Players who hold the list before this one, and are late with it. */
const graceTargets = 3;

/** Adds a segment, and takes those away that the window has no room for; the one that fills it stays, as in SRS. */
export function addSegment(state: HlsState, segment: ListedSegment, settings: HlsBlock, nowMs: number): void {
  const { segments } = state;
  if (segments.length === 0) state.first = Math.max(state.first, segment.sequence);
  segments.push(segment);
  state.next = segment.sequence + 1;
  const leastSeconds = Math.ceil((settings.fragmentMs * settings.tdRatio) / 1000);
  // Rounded as players are to round it: it may rise where key frames are rarer than was told, and never falls.
  state.targetSeconds = Math.max(state.targetSeconds, leastSeconds, Math.round(segment.durationMs / 1000));
  let keptMs = 0;
  let first = segments.length;
  while (first > 0 && keptMs < settings.windowMs) keptMs += segments[--first]!.durationMs;
  const atMs = nowMs + settings.windowMs + graceTargets * state.targetSeconds * 1000;
  const left = segments.splice(0, first);
  state.first += left.length;
  for (const [index, { path, isDiscontinuous, key }] of left.entries()) {
    if (isDiscontinuous) state.discontinuitySequence += 1;
    if (!settings.cleansUp) continue;
    state.expired.push({ path, atMs });
    const following = left[index + 1] ?? segments[0];
    if (key !== null && following?.key?.path !== key.path) state.expired.push({ path: key.path, atMs });
  }
}

/** Files whose time has come; they are no longer known afterwards. */
export function takeExpired(state: HlsState, nowMs: number): string[] {
  const due = state.expired.filter(({ atMs }) => atMs <= nowMs).map(({ path }) => path);
  state.expired = state.expired.filter(({ atMs }) => atMs > nowMs);
  return due;
}

/** The list as players get it. */
export function listText({ segments, first, targetSeconds, discontinuitySequence }: HlsState, entryPrefix: string): string {
  const entries = segments.map((segment) => ({ ...segment, uri: `${entryPrefix}${segment.uri}` }));
  return mediaList({ targetSeconds, sequence: first, discontinuitySequence, entries, isEnded: false });
}
