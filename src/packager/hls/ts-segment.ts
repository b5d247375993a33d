// A segment as a transport stream: pictures as they come, sound packed by a few frames, and all of it in blocks.
import { WarmMemory } from "../media/warm-memory.js";
import { Packets } from "../../codec/ts/packets.js";
import { TsWriter } from "../../codec/ts/writer.js";
import { tickOf } from "../media/audio-clock.js";
import type { Frame } from "../media/frames.js";
import type { SegmentWriter, WriterOptions } from "./segment-writer.js";

/** Sound that is packed together: the heads of a packet for every frame would double what it takes. */
const packedMs = 120;
const mostPacked = 6;
const ticksPerMs = 90;
/** What is written at once; it is given back when it is. */
export const blocks = new WarmMemory(128 << 10);

export class TsSegment implements SegmentWriter {
  private readonly options: WriterOptions;
  private readonly writer: TsWriter;
  private readonly out: Packets;
  private packed: { readonly ticks: number; readonly frames: Buffer[] } | null = null;

  /** `bringsTables`: its first frame does. */
  constructor(options: WriterOptions, bringsTables: boolean) {
    this.options = options;
    this.writer = new TsWriter(options.tracks, options.state.ts);
    this.out = new Packets((bytes) => blocks.take(bytes), options.onBytes);
    if (!bringsTables) this.writer.tables(this.out);
  }

  picture({ dtsMs, compositionMs, isKeyFrame, body }: Frame): void {
    this.flush();
    const dtsTicks = dtsMs * ticksPerMs;
    const ptsTicks = dtsTicks + Math.max(0, compositionMs) * ticksPerMs;
    this.writer.video(this.out, { dtsTicks, ptsTicks, isKeyFrame, body });
  }

  sound({ dtsMs, body }: Frame): void {
    const { tracks, state, isCounted } = this.options;
    const { frameSamples: samples, sampleRate: rate } = tracks.audio!;
    const ticks = tickOf(state.audioClock, dtsMs, { samples, rate, isCounted });
    const { packed } = this;
    if (packed !== null && (ticks - packed.ticks >= packedMs * ticksPerMs || packed.frames.length >= mostPacked)) this.flush();
    this.packed ??= { ticks, frames: [] };
    this.packed.frames.push(Buffer.from(body)); // it waits for others, and outlives the memory that packets came in
  }

  end(): void {
    this.flush();
    this.out.flush();
  }

  private flush(): void {
    if (this.packed !== null) this.writer.audio(this.out, this.packed.ticks, this.packed.frames);
    this.packed = null;
  }
}
