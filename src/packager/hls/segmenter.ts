// Frames → segments. It keeps no file: it says when a segment begins and ends and gives its bytes. Where a segment
// begins it tells all that another process needs to write the same bytes again: so a packager that dies in mid-segment is followed by
// one that begins the segment anew, from what the origin still has.
//
//   frames ─▶ waiting for tracks and a key frame ─▶ open ─▶ bytes … ─▶ closed ─▶ open …
import type { Position } from "../../base/position.js";
import { isSameTrack } from "../../codec/av-track.js";
import type { TsTracks } from "../../codec/ts/tables.js";
import type { HlsBlock } from "../../conf/meaning/recording.js";
import { positionAfter } from "../../stream/catch-up.js";
import { maxWaitingFrameBytes, type Frame, type FrameReader } from "../media/frames.js";
import { isCutBefore } from "./cutting.js";
import { Mp4Segment } from "./mp4-segment.js";
import { makeWriterState, type SegmentWriter, type WriterState, type WrittenPart } from "./segment-writer.js";
import { TsSegment } from "./ts-segment.js";

/** Where a segment begins, as JSON. */
export interface SegmentStart {
  /** Behind its first packet. */
  readonly position: Position;
  readonly startMs: number;
  readonly isDiscontinuous: boolean;
  readonly hasVideo: boolean;
  readonly hasAudio: boolean;
  readonly writer: WriterState;
}

export interface SegmenterEvents {
  onOpen(start: SegmentStart, tracks: TsTracks): void;
  onBytes(bytes: Buffer): void;
  onPart(part: WrittenPart): void;
  /** The stream's time has jumped to this: the segment before has ended, and what comes next does not continue it. */
  onJump(toMs: number): void;
  /** It has ended, and lasted so long, with so many pictures; the next one begins here if there is one. */
  onClose(durationMs: number, pictures: number): void;
}

interface Open {
  readonly startMs: number;
  readonly tracks: TsTracks;
  readonly writer: SegmentWriter;
  lastVideoMs: number | null;
  pictures: number;
}

/** How long the second track is waited for at the beginning. */
const secondTrackMs = 1000;
/** So many frames wait at most. */
const mostWaiting = 5_000;
/** Larger steps, or of more than three segments, are jumps: of streams whose times are left as they are (`time_jitter off`, `atc`). */
const longestStepBackMs = 1_000;
const longestStepMs = 10_000;

/** Cuts one stream. `end` closes the segment under way. */
export class Segmenter {
  private readonly settings: HlsBlock;
  private readonly events: SegmenterEvents;
  private readonly state: WriterState;
  /** By how much segments are longer than they are told to be. */
  moreMs = 0;
  private open: Open | null = null;
  private waiting: Frame[] = [];
  private waitingBytes = 0;
  /** The first that has waited since the last segment. */
  private waitsSinceMs: number | null = null;
  private isDiscontinuous: boolean;
  private lastMs = 0;
  /** Of either track. */
  private seenMs = 0;
  private lastStepMs = 0;
  /** Only of a segment that is begun anew: what it was made of. */
  private resumed: SegmentStart | null;
  private isResuming = false;

  /** Begins, or begins a segment anew that another process did not finish. */
  constructor(settings: HlsBlock, events: SegmenterEvents, resumed: SegmentStart | null, isDiscontinuous: boolean) {
    this.settings = settings;
    this.events = events;
    this.resumed = resumed;
    this.isDiscontinuous = resumed?.isDiscontinuous ?? isDiscontinuous;
    this.state = structuredClone(resumed?.writer ?? makeWriterState());
  }

  /** Takes the next frame, with the tracks as they are. */
  push(frame: Frame, { video, audio }: Pick<FrameReader, "video" | "audio">): void {
    if (this.resumed !== null) {
      const { hasVideo, hasAudio } = this.resumed;
      this.resumed = null;
      this.isResuming = true;
      this.begin(frame, { video: hasVideo ? video : null, audio: hasAudio ? audio : null });
    } else if (this.open === null) {
      this.wait(frame, { video, audio });
      return;
    }
    this.write(frame, { video, audio });
  }

  /** The stream has ended. */
  end(): void {
    if (this.open !== null) this.close(this.lastMs + this.lastStepMs);
    this.waited();
    this.isDiscontinuous = true;
  }

  /** The first segment begins with a key frame, once both tracks are known or one of them is late. */
  private wait(frame: Frame, tracks: TsTracks): void {
    this.waiting.push({ ...frame, body: Buffer.from(frame.body) }); // it outlives the memory that packets came in
    this.waitingBytes += frame.body.length;
    this.waitsSinceMs ??= frame.dtsMs;
    const isFull = this.waiting.length > mostWaiting || this.waitingBytes > maxWaitingFrameBytes;
    const isEarly = Math.abs(frame.dtsMs - this.waitsSinceMs) < secondTrackMs && (tracks.video === null || tracks.audio === null);
    if (isEarly && !isFull) return;
    const start = tracks.video === null ? 0 : this.waiting.findIndex(({ isKeyFrame: isStart }) => isStart);
    const ready = start < 0 ? [] : this.waiting.slice(start);
    // What comes before a key frame is of no use to anybody.
    this.waiting = [];
    this.waitingBytes = 0;
    if (ready.length === 0) return;
    this.waited();
    this.begin(ready[0]!, tracks);
    for (const one of ready) this.push(one, tracks);
  }

  private waited(): void {
    this.waiting = [];
    this.waitingBytes = 0;
    this.waitsSinceMs = null;
  }

  private write(frame: Frame, tracks: TsTracks): void {
    if (this.isJump(frame)) {
      this.end();
      this.events.onJump(frame.dtsMs);
      this.wait(frame, tracks);
      return;
    }
    const open = this.open!;
    const next = startingWith(frame, tracks, open.tracks);
    const isStale = next !== null && !isSameMake(next, open.tracks);
    const { startMs, lastVideoMs } = open;
    if (isCutBefore(frame, { startMs, lastVideoMs, hasVideo: open.tracks.video !== null, isStale, moreMs: this.moreMs }, this.settings)) {
      this.close(frame.dtsMs);
      if (isStale) this.isDiscontinuous = true;
      this.begin(frame, next ?? open.tracks);
    }
    this.put(frame, this.open!, tracks);
  }

  private isJump({ dtsMs }: Frame): boolean {
    const stepMs = dtsMs - this.seenMs;
    this.seenMs = dtsMs;
    return stepMs < -longestStepBackMs || stepMs > Math.max(longestStepMs, 3 * this.settings.fragmentMs);
  }

  private begin(frame: Frame, tracks: TsTracks): void {
    const { state, settings, events } = this;
    if (this.isDiscontinuous && !this.isResuming) {
      state.ts.version = (state.ts.version + 1) % 32;
      state.audioClock.nextTicks = null;
    }
    this.isResuming = false;
    events.onOpen(
      {
        position: positionAfter(frame.packet),
        startMs: frame.dtsMs,
        isDiscontinuous: this.isDiscontinuous,
        hasVideo: tracks.video !== null,
        hasAudio: tracks.audio !== null,
        writer: structuredClone(state),
      },
      tracks,
    );
    this.isDiscontinuous = false;
    this.lastMs = frame.dtsMs;
    this.seenMs = frame.dtsMs;
    const { initFile, partMs, takesTimes } = settings;
    const onBytes = (bytes: Buffer): void => events.onBytes(bytes);
    const onPart = (part: WrittenPart): void => events.onPart(part);
    const options = { tracks, state, startMs: frame.dtsMs, isCounted: !takesTimes, partMs, onBytes, onPart };
    const writer = initFile === null ? new TsSegment(options, frame.kind === "video" && frame.isKeyFrame) : new Mp4Segment(options);
    this.open = { startMs: frame.dtsMs, tracks, writer, lastVideoMs: null, pictures: 0 };
  }

  private put(frame: Frame, open: Open, tracks: TsTracks): void {
    const { kind, dtsMs } = frame;
    this.step(dtsMs, kind, open);
    // What a track has become or begun to be waits for a place to start.
    if (open.tracks[kind] === null || !isSameTrack(open.tracks[kind], tracks[kind])) return;
    if (kind === "audio") {
      open.writer.sound(frame);
      return;
    }
    open.lastVideoMs = dtsMs;
    open.pictures += 1;
    open.writer.picture(frame);
  }

  private step(dtsMs: number, kind: Frame["kind"], open: Open): void {
    if (kind === "audio" && open.tracks.video !== null) return;
    this.lastStepMs = Math.min(1000, Math.max(0, dtsMs - this.lastMs));
    this.lastMs = dtsMs;
  }

  private close(endMs: number): void {
    const { startMs, writer, pictures } = this.open!;
    writer.end(endMs);
    this.open = null;
    this.events.onClose(Math.max(0, endMs - startMs), pictures);
  }
}

/** What a segment is made of that begins with this frame; null: it is no place to start for a track that has changed or come. */
function startingWith({ kind, isKeyFrame }: Frame, tracks: TsTracks, before: TsTracks): TsTracks | null {
  if (kind === "video") return isKeyFrame ? tracks : null;
  return tracks.video === null ? tracks : before.video === null ? { video: null, audio: tracks.audio } : null;
}

function isSameMake(one: TsTracks, other: TsTracks): boolean {
  return isSameTrack(one.video, other.video) && isSameTrack(one.audio, other.audio);
}
