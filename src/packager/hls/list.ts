// What is known of a stream's segments: those in the list, those that have left it and are kept for players who are late, and the number
// of the next. Plain data, which is written down at every change; the functions change it. Source: RFC 8216 section 6.2.2.
import type { Position } from "../../base/position.js";
import { mediaList, streamInf, type Key, type LowLatency, type Part, type Variant } from "../../codec/m3u8.js";
import type { TsTracks } from "../../codec/ts/tables.js";
import type { HlsBlock } from "../../conf/meaning/recording.js";
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
  readonly init: InitFile | null;
}

/** What describes the tracks of fMP4. */
export interface InitFile {
  readonly uri: string;
  readonly path: string;
  /** Of its bytes: it is another one where they are. */
  readonly hash: string;
}

/** A part of a segment, of one that is under way or of lately. */
interface ListedPart extends Part {
  readonly sequence: number;
  readonly path: string;
}

/** The segment under way, as far as a list tells of it. */
export type OpenEntry = Pick<ListedSegment, "sequence" | "isDiscontinuous" | "programTimeMs" | "init">;

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
  /** Files to delete, and when; or, of media, to be written over. */
  expired: { readonly path: string; readonly atMs: number; readonly isMedia?: true }[];
  key: KeyFile | null;
  init: InitFile | null;
  parts: ListedPart[];
  /** What is known of the stream's tracks; null: nothing. */
  variant: Pick<Variant, "codecs" | "width" | "height" | "frameRate"> | null;
  /** What `[timestamp]` was in the last name, where it counts fragments. */
  floor: number;
  /** The segment under way. */
  open: SegmentStart | null;
  /** Behind the last packet of a stream that has ended. */
  last: Position | null;
  /** What programme time has to be added to the stream's times. */
  epochMs: number;
}

export function makeHlsState(name: Pick<HlsState, "vhost" | "app" | "stream">): HlsState {
  const { vhost, app, stream } = name;
  const rest = { segments: [], expired: [], key: null, init: null, parts: [], variant: null, floor: 0, open: null, last: null, epochMs: 0 };
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
  const leastSeconds = leastTarget(settings);
  // Rounded as players are to round it: it may rise where key frames are rarer than was told, and never falls.
  state.targetSeconds = Math.max(state.targetSeconds, leastSeconds, Math.round(segment.durationMs / 1000));
  let keptMs = 0;
  let first = segments.length;
  while (first > 0 && keptMs < settings.windowMs) keptMs += segments[--first]!.durationMs;
  const atMs = nowMs + settings.windowMs + graceTargets * state.targetSeconds * 1000;
  const left = segments.splice(0, first);
  state.first += left.length;
  const oldParts = state.parts.filter(({ sequence }) => sequence <= segment.sequence - partsOf(state));
  state.parts = state.parts.filter((part) => !oldParts.includes(part));
  for (const { path } of oldParts) state.expired.push({ path, atMs });
  for (const [index, { path, isDiscontinuous, key, init }] of left.entries()) {
    if (isDiscontinuous) state.discontinuitySequence += 1;
    if (!settings.cleansUp) continue;
    state.expired.push({ path, atMs, isMedia: true });
    const following = left[index + 1] ?? segments[0];
    if (key !== null && following?.key?.path !== key.path) state.expired.push({ path: key.path, atMs });
    const isNeeded = [...segments, ...left.slice(index + 1)].some((one) => one.init?.path === init?.path);
    if (init !== null && !isNeeded && state.init?.path !== init.path) state.expired.push({ path: init.path, atMs });
  }
}

/**
 * A list that names more than is known was written before the machine lost its power, and what was to be known of it is lost: numbers go on
 * behind it, and what is known is no longer listed.
 */
export function goBehind(state: HlsState, listed: string, nowMs: number): void {
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(listed)?.[1] ?? 0);
  const next = first + (listed.match(/^#EXTINF:/gm)?.length ?? 0);
  if (next <= state.next) return;
  const atMs = nowMs + graceTargets * state.targetSeconds * 1000;
  for (const { path } of state.segments) state.expired.push({ path, atMs });
  Object.assign(state, { next, first: next, segments: [], open: null });
}

/** Names all files that there are of a stream but its list, and forgets them. */
export function forgetFiles(state: HlsState): string[] {
  const ofSegments = state.segments.flatMap(({ path, key }) => (key === null ? [path] : [path, key.path]));
  const ofInits = [...state.segments.flatMap(({ init }) => init?.path ?? []), ...(state.init === null ? [] : [state.init.path])];
  const rest = [...state.parts, ...state.expired].map(({ path }) => path);
  const none = { segments: [], expired: [], parts: [], key: null, init: null, open: null };
  Object.assign(state, { ...none, discontinuitySequence: 0, targetSeconds: 0 });
  return [...ofSegments, ...ofInits, ...rest];
}

/** Parts come before the first segment does: the list begins with the segment that they are of. */
export function beginList(state: HlsState, sequence: number, settings: HlsBlock): void {
  if (state.segments.length > 0) return;
  state.targetSeconds = Math.max(state.targetSeconds, leastTarget(settings));
  state.first = Math.max(state.first, sequence);
}

function leastTarget({ fragmentMs, tdRatio }: HlsBlock): number {
  return Math.ceil((fragmentMs * tdRatio) / 1000);
}

/** A segment whose time has come; null: there is none. */
export function spentFile({ expired }: Pick<HlsState, "expired">, nowMs: number): string | null {
  return expired.find(({ atMs, isMedia }) => isMedia === true && atMs <= nowMs)?.path ?? null;
}

/**
 * Files whose time has come; they are no longer known afterwards. One segment among them stays, for the next to be made of; `usedUp` is the
 * one that was.
 */
export function takeExpired(state: HlsState, nowMs: number, usedUp: string | null): string[] {
  const left = state.expired.filter(({ path }) => path !== usedUp);
  const kept = spentFile({ expired: left }, nowMs);
  const isDue = ({ path, atMs }: HlsState["expired"][number]): boolean => atMs <= nowMs && path !== kept;
  state.expired = left.filter((one) => !isDue(one));
  return left.filter(isDue).map(({ path }) => path);
}

/** Of how many segments parts are told: those of the last three target durations, and one more. */
function partsOf({ targetSeconds, segments }: HlsState): number {
  const lastMs = segments.at(-1)?.durationMs ?? 0;
  return lastMs <= 0 ? 1 : 1 + Math.ceil((graceTargets * targetSeconds * 1000) / lastMs);
}

/** What lists say beside segments. */
export interface ListExtras {
  readonly entryPrefix: string;
  /** Of low latency. */
  readonly partMs: number | null;
  readonly open: OpenEntry | null;
  readonly nextUri: string | null;
}

/** The list as players get it. */
export function listText(state: HlsState, { entryPrefix, partMs, open, nextUri }: ListExtras): string {
  const { segments, first, targetSeconds, discontinuitySequence } = state;
  const named = (uri: string): string => `${entryPrefix}${uri}`;
  const partsIn = (of: number): Part[] =>
    state.parts.flatMap(({ sequence, uri, durationMs, isIndependent }) =>
      partMs === null || sequence !== of ? [] : [{ uri: named(uri), durationMs, isIndependent }],
    );
  const entries = segments.map(({ sequence, uri, durationMs, isDiscontinuous, programTimeMs, key, init }) => {
    const initUri = init === null ? null : named(init.uri);
    return { uri: named(uri), init: initUri, parts: partsIn(sequence), durationMs, isDiscontinuous, programTimeMs, key };
  });
  const openParts = open === null ? [] : partsIn(open.sequence);
  const lowLatency: LowLatency | null =
    partMs === null
      ? null
      : {
          partMs,
          open:
            open === null || openParts.length === 0
              ? null
              : { ...open, key: null, init: open.init === null ? null : named(open.init.uri), parts: openParts },
          nextUri: nextUri === null ? null : named(nextUri),
        };
  return mediaList({
    targetSeconds,
    sequence: first,
    discontinuitySequence,
    entries,
    isEnded: false,
    streamInf: streamInfOf(state),
    lowLatency,
  });
}

function streamInfOf({ segments, variant }: HlsState): string | null {
  const measured = segments.filter(({ durationMs }) => durationMs > 0);
  if (variant === null || measured.length === 0) return null;
  const rates = measured.map(({ sizeBytes, durationMs }) => (sizeBytes * 8000) / durationMs);
  const sizeBytes = measured.reduce((sum, one) => sum + one.sizeBytes, 0);
  const durationMs = measured.reduce((sum, one) => sum + one.durationMs, 0);
  return streamInf({ ...variant, peakBps: Math.max(...rates), averageBps: (sizeBytes * 8000) / durationMs });
}

/** What lists of lists say of tracks; how many pictures there are a second only their segments tell. */
export function variantOf({ video, audio }: TsTracks): HlsState["variant"] {
  const codecs = [video?.codecs ?? [], audio?.codecs ?? []].flat();
  return { codecs, width: video?.width ?? 0, height: video?.height ?? 0, frameRate: 0 };
}

/** Pictures a second, of whole numbers where they are meant to be. */
export function rateOf(pictures: number, durationMs: number): number {
  const rate = durationMs > 0 ? (pictures * 1000) / durationMs : 0;
  return Math.abs(rate - Math.round(rate)) < 0.1 ? Math.round(rate) : rate;
}

/** Whether it is a state of this version. */
export function isHlsState(found: unknown): found is HlsState {
  return typeof found === "object" && found !== null && "kind" in found && found.kind === "hls" && "parts" in found;
}

/** By what the state of a stream is known. */
export function stateKey({ vhost, app, stream }: Pick<HlsState, "vhost" | "app" | "stream">): string {
  return `hls ${vhost}/${app}/${stream}`;
}
