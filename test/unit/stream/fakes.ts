import type { ErrorCode } from "../../../src/base/errors.js";
import { writeMessages } from "../../../src/codec/rtmp/chunk-writer.js";
import { ChunkReader } from "../../../src/codec/rtmp/chunk-reader.js";
import { controlMessage, messageType, type Message } from "../../../src/codec/rtmp/message.js";
import { encodeAmf } from "../../../src/codec/rtmp/amf0.js";
import { makePacket, type Packet, type PacketType } from "../../../src/stream/packet.js";
import type { Consumer } from "../../../src/stream/fanout.js";

export const chunkSize = 60_000;

/** A consumer that writes down what it is told; its backlog is what the test says. */
export class FakeConsumer implements Consumer {
  readonly sent: Buffer[] = [];
  /** The same where it was: others may be there by now. */
  readonly shared: Buffer[] = [];
  /** The packet behind which it stands. */
  last: Packet | null = null;
  readonly lives: boolean[] = [];
  readonly drops: ErrorCode[] = [];
  backlogBytes = 0;
  /** What a real consumer does when it is dropped: it leaves its seat. */
  onDrop: () => void = () => {};

  send(bytes: Buffer, last: Packet | null): void {
    this.shared.push(bytes);
    this.sent.push(this.backlogBytes > 0 ? bytes : Buffer.from(bytes)); // what nobody holds is written over
    this.last = last ?? this.last;
  }

  drop(code: ErrorCode): void {
    this.drops.push(code);
    this.onDrop();
  }

  onLive(isLive: boolean): void {
    this.lives.push(isLive);
  }

  /** All that it was sent, as RTMP messages. */
  messages(): Message[] {
    const messages: Message[] = [];
    const reader = new ChunkReader((message) => void messages.push(message));
    reader.push(writeMessages([controlMessage(messageType.setChunkSize, chunkSize)], 128));
    for (const bytes of this.sent) reader.push(bytes);
    return messages;
  }

  /** What the payloads of {@link packetOf} say, in order. */
  names(): string[] {
    return this.messages().map(({ payload }) => nameOf(payload));
  }
}

/** Kinds of packets as tests call them. */
export type Kind = "meta" | "text" | "aac" | "audio" | "avc" | "key" | "inter";

/** The smallest record with a sequence and a picture parameter set. */
const avcConfig = Buffer.of(1, 0x42, 0xc0, 0x0c, 0xff, 0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x0c, 1, 0, 2, 0x68, 0xce);

const heads: Readonly<Record<Kind, readonly [PacketType, Buffer]>> = {
  meta: [18, encodeAmf("onMetaData", {})],
  text: [18, encodeAmf("onTextData")],
  aac: [8, Buffer.of(0xaf, 0, 0x12, 0x10)],
  audio: [8, Buffer.of(0xaf, 1)],
  avc: [9, Buffer.concat([Buffer.of(0x17, 0, 0, 0, 0), avcConfig])],
  key: [9, Buffer.of(0x17, 1, 0, 0, 0)],
  inter: [9, Buffer.of(0x27, 1, 0, 0, 0)],
};

/** The payload of a packet of this kind, with a name by which it is known again, for example `key 7`. */
export function payloadOf(kind: Kind, name: number | string = ""): Buffer {
  return Buffer.concat([heads[kind][1], encodeAmf(`${kind} ${name}`.trim())]);
}

export function typeOf(kind: Kind): PacketType {
  return heads[kind][0];
}

export function packetOf(kind: Kind, timestamp = 0, name: number | string = timestamp): Packet {
  return makePacket(typeOf(kind), timestamp, payloadOf(kind, name));
}

/** The name in a payload of {@link payloadOf}. */
export function nameOf(payload: Buffer): string {
  const text = /(?:meta|text|aac|audio|avc|key|inter)(?: \S+)?$/.exec(payload.toString("latin1"));
  return text?.[0] ?? `? ${payload.toString("hex")}`;
}
