// The unit of the live model: one audio, video or data message on its way from a publisher to its viewers. It is made
// once, when the message is complete, and shared by caches, batches and relays; nobody changes it.
import { isAudioHeader, isKeyFrame, isVideoHeader } from "../codec/av.js";
import { messageType } from "../codec/rtmp/message.js";

/** Audio, video or data, by RTMP's and FLV's common numbers. */
export type PacketType = 8 | 9 | 18;

export interface Packet {
  readonly type: PacketType;
  /** Milliseconds on the source's own timeline, modulo 2³². */
  readonly timestamp: number;
  readonly payload: Buffer;
  /** A video frame that decoding can start at. */
  readonly isKeyFrame: boolean;
  /** A decoder configuration ("sequence header"), which every new viewer needs first. */
  readonly isHeader: boolean;
}

/** Makes a packet and classifies it by its first bytes. The payload belongs to the packet from now on. */
export function makePacket(type: PacketType, timestamp: number, payload: Buffer): Packet {
  const isVideo = type === messageType.video;
  return {
    type,
    timestamp,
    payload,
    isKeyFrame: isVideo && isKeyFrame(payload),
    isHeader: isVideo ? isVideoHeader(payload) : type === messageType.audio && isAudioHeader(payload),
  };
}

/** The same packet at another time. */
export function at(packet: Packet, timestamp: number): Packet {
  return packet.timestamp === timestamp ? packet : { ...packet, timestamp };
}
