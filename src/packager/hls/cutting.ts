// When a segment ends. SRS's rule, with what its users have found wrong put right: sound cuts only where pictures are not to be waited
// for, and a frame that cuts is counted first, so that neighbours join without a gap. Pure; table tests hold every line of it.
//
//   a key frame            once the segment has lasted hls_fragment × hls_td_ratio
//   any picture            the same, where hls_wait_keyframe is off
//   sound                  the same in a stream without pictures; with some that have stopped for hls_fragment × hls_aof_ratio, then
//   a changed track        at once, where it begins
import type { HlsBlock } from "../../conf/meaning/recording.js";
import type { Frame } from "../media/frames.js";

export type CutSettings = Pick<HlsBlock, "fragmentMs" | "tdRatio" | "aofRatio" | "waitsForKeyFrame">;

/** What is known of the segment under way. */
export interface Cuttable {
  readonly startMs: number;
  readonly hasVideo: boolean;
  /** When the last picture came; null: none has. */
  readonly lastVideoMs: number | null;
  /** With this frame a track begins that has changed or is new: it cannot be of this segment. */
  readonly isStale: boolean;
  /** So much longer than it is told to be, to follow the clock; may be negative. */
  readonly moreMs?: number;
}

/** A segment is no shorter, whatever is configured. */
const shortestMs = 200;

/** Whether a segment ends before this frame. */
export function isCutBefore(
  { kind, dtsMs, isKeyFrame }: Pick<Frame, "kind" | "dtsMs" | "isKeyFrame">,
  at: Cuttable,
  by: CutSettings,
): boolean {
  const durationMs = dtsMs - at.startMs;
  if (at.isStale) return true;
  if (durationMs < Math.max(shortestMs, by.fragmentMs * by.tdRatio + (at.moreMs ?? 0))) return false;
  if (kind === "video") return isKeyFrame || !by.waitsForKeyFrame;
  if (!at.hasVideo) return true;
  const longestMs = by.fragmentMs * by.aofRatio;
  return durationMs >= longestMs && dtsMs - (at.lastVideoMs ?? at.startMs) >= longestMs;
}
