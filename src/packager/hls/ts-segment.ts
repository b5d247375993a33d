// A segment as a transport stream: each picture at once, sound packed by a few frames.
import { TsWriter } from "../../codec/ts/writer.js";
import { tickOf } from "../media/audio-clock.js";
import type { Frame } from "../media/frames.js";
import type { SegmentWriter, WriterOptions } from "./segment-writer.js";

/** Sound that is packed together: the heads of a packet for every frame would double what it takes. */
const packedMs = 120;
const mostPacked = 6;
const ticksPerMs = 90;

export class TsSegment implements SegmentWriter {
  private readonly options: WriterOptions;
  private readonly writer: TsWriter;
  private packed: { readonly ticks: number; readonly frames: Buffer[] } | null = null;

  /** `bringsTables`: its first frame does. */
  constructor(options: WriterOptions, bringsTables: boolean) {
    this.options = options;
    this.writer = new TsWriter(options.tracks, options.state.ts);
    if (!bringsTables) options.onBytes(this.writer.tables());
  }

  picture({ dtsMs, compositionMs, isKeyFrame, body }: Frame): void {
    this.flush();
    const dtsTicks = dtsMs * ticksPerMs;
    const ptsTicks = dtsTicks + Math.max(0, compositionMs) * ticksPerMs;
    this.options.onBytes(this.writer.video({ dtsTicks, ptsTicks, isKeyFrame, body }));
  }

  sound({ dtsMs, body }: Frame): void {
    const { tracks, state, isCounted } = this.options;
    const { frameSamples: samples, sampleRate: rate } = tracks.audio!;
    const ticks = tickOf(state.audioClock, dtsMs, { samples, rate, isCounted });
    const { packed } = this;
    if (packed !== null && (ticks - packed.ticks >= packedMs * ticksPerMs || packed.frames.length >= mostPacked)) this.flush();
    this.packed ??= { ticks, frames: [] };
    this.packed.frames.push(body);
  }

  end(): void {
    this.flush();
  }

  private flush(): void {
    if (this.packed !== null) this.options.onBytes(this.writer.audio(this.packed.ticks, this.packed.frames));
    this.packed = null;
  }
}
