// The unit of the live model: one audio, video or data message on its way from a publisher to its viewers. It is made
// once, when the message is complete, and shared by caches, batches and relays; nobody changes it.
import { audioRole, role, videoRole, type Role } from "../codec/av.js";
import { isMetadata } from "../codec/rtmp/metadata.js";
import { messageType } from "../codec/rtmp/message.js";
import type { Held } from "../codec/rtmp/slabs.js";

/** Audio, video or data, by RTMP's and FLV's common numbers. */
export type PacketType = 8 | 9 | 18;

export const packetTypes: readonly PacketType[] = [messageType.audio, messageType.video, messageType.data];

export interface Packet {
  readonly type: PacketType;
  /** Milliseconds on the source's own timeline, modulo 2³². */
  readonly timestamp: number;
  readonly payload: Buffer;
  /** A video frame that decoding can start at. */
  readonly isKeyFrame: boolean;
  /** Describes what comes behind it, and every new viewer needs it first: a decoder configuration ("sequence header"), metadata. */
  readonly isHeader: boolean;
}

/** Makes a packet and classifies it by its first bytes, unless that was done. The payload belongs to the packet from now on. */
export function makePacket(type: PacketType, timestamp: number, payload: Buffer, is: Role = roleOf(type, payload)): Packet {
  return { type, timestamp, payload, isKeyFrame: is === role.keyFrame, isHeader: is === role.header };
}

/** Whether a packet is something to be seen or heard. */
export function isFrame({ type, payload }: Packet): boolean {
  const is = roleOf(type, payload);
  return is === role.frame || is === role.keyFrame;
}

/** The same packet at another time. */
export function at(packet: Packet, timestamp: number): Packet {
  return packet.timestamp === timestamp ? packet : { ...packet, timestamp };
}

/** Names the memory of packets, in the order in which they came, as still needed (codec/rtmp/slabs.ts). */
export function hold(packets: readonly Packet[], held: Held): void {
  packets.some(({ payload }) => held.add(payload));
}

/**
 * The time that a packet is sent with. Metadata describes the stream and is no event in it: players take it for that at any other time
 * than 0, and ffmpeg for a track of subtitles.
 */
export function sentTime(packet: Packet): number {
  return packet.type === messageType.data && packet.isHeader ? 0 : packet.timestamp;
}

/** What a message is to a player, by its first bytes. */
export function roleOf(type: PacketType, payload: Buffer): Role {
  if (type === messageType.video) return videoRole(payload);
  if (type === messageType.audio) return audioRole(payload);
  return isMetadata(payload) ? role.header : role.other;
}
