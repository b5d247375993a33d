// What a stream is made of, for people: the codecs of its pictures and its sound, how many came, and what their configurations tell. The
// codecs are those of the first frames, and of the first behind every header, for a new configuration may be another codec's, and what
// is announced may never come.
import { audioCodec, configOf, videoCodec } from "../codec/av.js";
import { audioDetails, videoDetails, type AudioDetails, type VideoDetails } from "../codec/av-details.js";
import { messageType } from "../codec/rtmp/message.js";
import { isFrame, type Packet } from "./packet.js";

/** The codecs of one publisher's stream; empty where none has shown. */
export class CodecNames {
  video = "";
  audio = "";
  videoFrames = 0;
  audioFrames = 0;
  /** Null where no configuration has told. */
  videoDetails: VideoDetails | null = null;
  audioDetails: AudioDetails | null = null;
  /** Between the last two key frames (ms); null: there were none. */
  keyFrameMs: number | null = null;
  private lastKeyFrameMs: number | null = null;
  private isVideoNamed = false;
  private isAudioNamed = false;

  /** To be told of every packet. */
  learn(packet: Packet): void {
    const { type, payload, isHeader } = packet;
    if (isHeader) this.look(packet);
    else if (type === messageType.video) this.videoFrames += 1;
    else if (type === messageType.audio) this.audioFrames += 1;
    if (packet.isKeyFrame) this.meetKeyFrame(packet.timestamp);
    const isNamed = type === messageType.video ? this.isVideoNamed : this.isAudioNamed;
    if (isNamed ? !isHeader : !isFrame(packet)) return;
    if (type === messageType.video) {
      this.isVideoNamed = !isHeader;
      if (!isHeader) this.video = videoCodec(payload);
    } else if (type === messageType.audio) {
      this.isAudioNamed = !isHeader;
      if (!isHeader) this.audio = audioCodec(payload);
    }
  }

  private look({ type, payload }: Packet): void {
    if (type !== messageType.video && type !== messageType.audio) return;
    const isVideo = type === messageType.video;
    const found = configOf(payload, isVideo ? "video" : "audio");
    if (found === null) return;
    if (isVideo) this.videoDetails = videoDetails(found.fourCc, found.config);
    else this.audioDetails = audioDetails(found.fourCc, found.config);
  }

  private meetKeyFrame(timestamp: number): void {
    if (this.lastKeyFrameMs !== null) this.keyFrameMs = (timestamp - this.lastKeyFrameMs) >>> 0;
    this.lastKeyFrameMs = timestamp;
  }
}
