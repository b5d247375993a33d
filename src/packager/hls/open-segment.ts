// The segment under way of one stream, and what is still to be written down of the one before.
import type { Cipher } from "node:crypto";
import type { HlsState, KeyFile, OpenEntry } from "./list.js";
import type { SegmentFile } from "./segment-file.js";
import type { SegmentStart } from "./segmenter.js";

/** The segment under way. */
export interface OpenSegment {
  readonly sequence: number;
  readonly start: SegmentStart;
  readonly file: SegmentFile;
  readonly key: KeyFile | null;
  readonly cipher: Cipher | null;
  /** As lists tell of it while it grows. */
  readonly entry: OpenEntry;
  /** Before the number of a part. */
  readonly partBase: string;
  parts: number;
}

/** What is written down of a segment that has ended; of the next one as well, where it has begun before that. */
export interface Closing {
  hasBegun: boolean;
  opening: Partial<HlsState> | null;
}
