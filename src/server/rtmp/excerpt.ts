// What a viewer gets who wants less of a stream than all others, or wants it elsewhere: without a track, for a time only, on a second
// message stream of its connection. It is cut out of the batches that all others get as they are; only who asks for it pays.
import { audioRole, role, videoRole } from "../../codec/av.js";
import { readdress, writtenAt, type Written } from "../../codec/rtmp/chunk-writer.js";
import { mediaStreamId, messageType } from "../../codec/rtmp/message.js";
import { MainTrack } from "../../stream/main-track.js";

/** How a viewer wants a stream, as JSON. */
export interface Manner {
  readonly isPaused: boolean;
  readonly hasAudio: boolean;
  /** `later`: from the next key frame on. */
  readonly video: "all" | "none" | "later";
  /** How much of it, in ms of its own time; null: all. */
  readonly durationMs: number | null;
  /** The time that it began at; null: nothing has come yet. */
  readonly sinceMs: number | null;
}

/** As nearly everybody wants it. */
export const plainManner: Manner = { isPaused: false, hasAudio: true, video: "all", durationMs: null, sinceMs: null };

/** The same manner for so long; null: without an end, as a manner has none of itself. */
export function lasting(manner: Manner, durationMs: number | null): Manner {
  return durationMs === null ? manner : { ...manner, durationMs };
}

/** One viewer's. Nothing to close: drop it. */
export class Excerpt {
  private readonly streamId: number;
  private readonly chunkSize: number;
  private readonly mainTrack = new MainTrack();
  manner: Manner;
  /** The viewer has had as much as it wanted: nothing more passes. */
  isOver = false;

  /** `chunkSize` is what the batches are cut at. */
  constructor(streamId: number, chunkSize: number, manner: Manner) {
    this.streamId = streamId;
    this.chunkSize = chunkSize;
    this.manner = manner;
  }

  /** Whether it passes everything as it is, so that it is not needed. */
  get isPlain(): boolean {
    const { hasAudio, video, durationMs } = this.manner;
    return hasAudio && video === "all" && durationMs === null && this.streamId === mediaStreamId;
  }

  /** Takes a batch of whole messages and makes the viewer's own of it, in new memory. */
  take(batch: Buffer): Buffer {
    const kept: Buffer[] = [];
    for (let at = 0; at < batch.length;) {
      const message = writtenAt(batch, at, this.chunkSize);
      if (this.wants(message, batch)) kept.push(batch.subarray(at, message.end));
      at = message.end;
    }
    const own = Buffer.concat(kept);
    let at = 0;
    for (const { length } of kept) {
      readdress(own, at, this.streamId);
      at += length;
    }
    return own;
  }

  private wants({ type, timestamp, body, end }: Written, batch: Buffer): boolean {
    const isMedia = type === messageType.audio || type === messageType.video;
    if (isMedia) this.count(timestamp);
    if (this.isOver) return false;
    if (!isMedia) return true;
    const payload = batch.subarray(body, end);
    return type === messageType.audio ? this.wantsAudio(payload) : this.wantsVideo(payload);
  }

  private count(timestamp: number): void {
    const { durationMs, sinceMs } = this.manner;
    if (durationMs === null) return;
    if (sinceMs === null) this.manner = { ...this.manner, sinceMs: timestamp };
    else if (((timestamp - sinceMs) | 0) >= durationMs) this.isOver = true;
  }

  /** Headers pass always: who is given a track again needs them. */
  private wantsAudio(payload: Buffer): boolean {
    return this.manner.hasAudio || audioRole(payload) === role.header;
  }

  private wantsVideo(payload: Buffer): boolean {
    const isStart = this.mainTrack.starts(payload);
    if (this.manner.video === "all" || videoRole(payload) === role.header) return true;
    if (this.manner.video === "none" || !isStart) return false;
    this.manner = { ...this.manner, video: "all" };
    return true;
  }
}
