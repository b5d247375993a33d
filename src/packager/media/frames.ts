// Packets → frames: what a file is made of, with times that no longer wrap and the tracks as they are at the moment. Of several tracks of
// a kind the first counts; codecs that no file here has room for are left out, and named for one line of the log.
import { mp3Track, isSameTrack, readAudioTrack, readVideoTrack, type AudioTrack, type VideoTrack } from "../../codec/av-track.js";
import { audioUnit, videoUnit, type Unit } from "../../codec/av-unit.js";
import { messageType } from "../../codec/rtmp/message.js";
import type { Packet } from "../../stream/packet.js";

/** Frames of one stream that wait for a place to start or for a second track: with more it is waited for no longer. */
export const maxWaitingFrameBytes = 16 << 20;

export interface Frame {
  readonly kind: "video" | "audio";
  /** By the stream's clock; continuous, and beyond 32 bits. */
  readonly dtsMs: number;
  /** What is to be added for the time of display; may be negative. */
  readonly compositionMs: number;
  readonly isKeyFrame: boolean;
  readonly body: Buffer;
  readonly packet: Packet;
}

/** Reads one stream. Nothing to close. */
export class FrameReader {
  video: VideoTrack | null = null;
  audio: AudioTrack | null = null;
  /** Codecs that were left out, by their fourCC. */
  readonly leftOut = new Set<string>();
  private lastMs: number | null = null;
  private readonly main = { video: -1, audio: -1 };

  private readonly isWide: boolean;

  /** Goes on behind a time that no longer wraps. `isWide`: there is room for AV1 and Opus as well. */
  constructor(lastMs: number | null = null, isWide = false) {
    this.lastMs = lastMs;
    this.isWide = isWide;
  }

  /** The last time that was read; null: none. */
  get timeMs(): number | null {
    return this.lastMs;
  }

  /** Takes the next packet; null: it is no frame, or of a track that is left out. */
  take(packet: Packet): Frame | null {
    if (packet.type === messageType.data) return null;
    const kind = packet.type === messageType.video ? "video" : "audio";
    const unit = kind === "video" ? videoUnit(packet.payload) : audioUnit(packet.payload);
    if (unit === null) return null;
    if (this.main[kind] < 0) this.main[kind] = unit.track;
    if (this.main[kind] !== unit.track) return null;
    if (unit.isConfig) {
      this.configure(kind, unit);
      return null;
    }
    if (unit.fourCc === ".mp3") this.learnMp3(unit.body);
    const track = kind === "video" ? this.video : this.audio;
    if (track?.fourCc !== unit.fourCc) {
      if (track === null || unit.fourCc !== "") this.leftOut.add(unit.fourCc);
      return null;
    }
    const dtsMs = this.unwrap(packet.timestamp);
    return { kind, dtsMs, compositionMs: unit.compositionMs, isKeyFrame: unit.isKeyFrame, body: unit.body, packet };
  }

  private configure(kind: Frame["kind"], { fourCc, body }: Unit): void {
    // What describes the stream outlives the packets around it.
    if (kind === "video") {
      const track = this.isWide || fourCc !== "av01" ? readVideoTrack(fourCc, Buffer.from(body)) : null;
      if (track === null) this.leftOut.add(fourCc);
      if (!isSameTrack(track, this.video)) this.video = track;
    } else {
      const track = this.isWide || fourCc !== "Opus" ? readAudioTrack(fourCc, Buffer.from(body)) : null;
      if (track === null) this.leftOut.add(fourCc);
      if (!isSameTrack(track, this.audio)) this.audio = track;
    }
  }

  private learnMp3(frame: Buffer): void {
    const track = mp3Track(frame);
    if (track !== null && !isSameTrack(track, this.audio)) this.audio = track;
  }

  private unwrap(timestamp: number): number {
    const last = this.lastMs;
    this.lastMs = last === null ? timestamp : last + ((timestamp - last) | 0);
    return this.lastMs;
  }
}
