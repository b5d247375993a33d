// What a segment is made of. Which frames are in it says the segmenter; how they lie in it, one of these: a transport stream, or fMP4.
import type { TsTracks } from "../../codec/ts/tables.js";
import { makeTsState, type TsState } from "../../codec/ts/writer.js";
import type { AudioClock } from "../media/audio-clock.js";
import type { Frame } from "../media/frames.js";

/** What goes on from one segment to the next, as JSON. */
export interface WriterState {
  readonly ts: TsState;
  readonly audioClock: AudioClock;
  /** Of fMP4, so far. */
  fragments: number;
}

export function makeWriterState(): WriterState {
  return { ts: makeTsState(), audioClock: { nextTicks: null }, fragments: 0 };
}

/** A piece of a segment that players may get before the rest. */
export interface WrittenPart {
  readonly bytes: Buffer;
  readonly durationMs: number;
  readonly isIndependent: boolean;
}

export interface WriterOptions {
  readonly tracks: TsTracks;
  /** Its own from now on. */
  readonly state: WriterState;
  readonly startMs: number;
  /** Sound is counted by its samples. */
  readonly isCounted: boolean;
  /** The longest that a part may be; null: there are none. */
  readonly partMs: number | null;
  readonly onBytes: (bytes: Buffer) => void;
  readonly onPart: (part: WrittenPart) => void;
}

/** A segment under way. */
export interface SegmentWriter {
  picture(frame: Frame): void;
  sound(frame: Frame): void;
  /** It ends where the next one begins. */
  end(endMs: number): void;
}
