// What a stream is made of, for people: the codecs of its pictures and its sound. They are those of the first frames, and of the first
// behind every header, for a new configuration may be another codec's, and what is announced may never come.
import { audioCodec, videoCodec } from "../codec/av.js";
import { messageType } from "../codec/rtmp/message.js";
import { isFrame, type Packet } from "./packet.js";

/** The codecs of one publisher's stream; empty where none has shown. */
export class CodecNames {
  video = "";
  audio = "";
  private isVideoNamed = false;
  private isAudioNamed = false;

  /** To be told of every packet. */
  learn(packet: Packet): void {
    const { type, payload, isHeader } = packet;
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
}
