// A segment as fMP4: a fragment each second, or one for each part. A part ends before the frame that would make it longer than parts may
// be, so how long one frame lasts is guessed from those before it. Source: ISO/IEC 23000-19 (CMAF); RFC 8216bis section 4.4.4.9 (parts).
import { opusSamples } from "../../codec/av-track.js";
import { fragment, type Run, type Sample } from "../../codec/mp4/fragment.js";
import { videoTimescale } from "../../codec/mp4/moov.js";
import { sampleOf } from "../media/audio-clock.js";
import type { Frame } from "../media/frames.js";
import type { SegmentWriter, WriterOptions } from "./segment-writer.js";

/** So much is written at once where there are no parts. */
const fragmentMs = 1000;
const ticksPerMs = videoTimescale / 1000;

interface Pending {
  readonly ticks: number;
  readonly compositionTicks: number;
  readonly isKeyFrame: boolean;
  readonly body: Buffer;
}

interface PendingSound {
  readonly sample: number;
  readonly samples: number;
  readonly body: Buffer;
}

export class Mp4Segment implements SegmentWriter {
  private readonly options: WriterOptions;
  private pictures: Pending[] = [];
  private sounds: PendingSound[] = [];
  private partStartMs: number;
  private lastMs: number | null = null;
  private stepMs = 0;

  constructor(options: WriterOptions) {
    this.options = options;
    this.partStartMs = options.startMs;
  }

  picture(frame: Frame): void {
    this.step(frame.dtsMs);
    const { dtsMs, compositionMs, isKeyFrame, body } = frame;
    const memory = Buffer.from(body); // fragments outlive the memory that packets came in
    this.pictures.push({ ticks: dtsMs * ticksPerMs, compositionTicks: compositionMs * ticksPerMs, isKeyFrame, body: memory });
  }

  sound({ dtsMs, body }: Frame): void {
    const { tracks, state, isCounted } = this.options;
    if (tracks.video === null) this.step(dtsMs);
    const { fourCc, frameSamples, sampleRate: rate } = tracks.audio!;
    const samples = fourCc === "Opus" ? opusSamples(body) : frameSamples;
    const sample = sampleOf(state.audioClock, dtsMs, { samples, rate, isCounted });
    this.sounds.push({ sample, samples, body: Buffer.from(body) });
  }

  end(endMs: number): void {
    this.flush(endMs);
  }

  /** A frame of the track that tells the time comes. */
  private step(dtsMs: number): void {
    const { partMs } = this.options;
    if (this.lastMs !== null) this.stepMs = Math.max(1, dtsMs - this.lastMs);
    this.lastMs = dtsMs;
    const lastedMs = dtsMs - this.partStartMs;
    if (lastedMs <= 0) return;
    if (partMs === null ? lastedMs >= fragmentMs : lastedMs + this.stepMs > partMs) this.flush(dtsMs);
  }

  private flush(endMs: number): void {
    const { tracks, state, partMs, onBytes, onPart } = this.options;
    const { pictures, sounds } = this;
    const runs: Run[] = [];
    if (pictures.length > 0)
      runs.push({ track: "video", startTicks: pictures[0]!.ticks, samples: samplesOf(pictures, endMs * ticksPerMs) });
    if (sounds.length > 0) {
      const samples = sounds.map(({ samples: durationTicks, body }) => ({ durationTicks, compositionTicks: 0, isKeyFrame: true, body }));
      runs.push({ track: "audio", startTicks: sounds[0]!.sample, samples });
    }
    if (runs.length === 0) return;
    state.fragments += 1;
    const bytes = fragment(state.fragments, runs);
    onBytes(bytes);
    const durationMs = endMs - this.partStartMs;
    const isIndependent = tracks.video === null || pictures[0]?.isKeyFrame === true;
    // A frame that lasts longer than a part may is in one that says what it may.
    if (partMs !== null) onPart({ bytes, durationMs: Math.min(durationMs, partMs), isIndependent });
    this.pictures = [];
    this.sounds = [];
    this.partStartMs = endMs;
  }
}

function samplesOf(pictures: readonly Pending[], endTicks: number): Sample[] {
  return pictures.map(({ ticks, compositionTicks, isKeyFrame, body }, index) => {
    const next = pictures[index + 1]?.ticks ?? endTicks;
    return { durationTicks: Math.max(0, next - ticks), compositionTicks, isKeyFrame, body };
  });
}
