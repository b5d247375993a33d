// What an upstream must know before the next message of a stream makes sense to it: the last metadata and the descriptions of every
// track that a publisher has sent, as newcomers get them.
import { role } from "../../codec/av.js";
import { withoutSetDataFrame, withSetDataFrame } from "../../codec/rtmp/metadata.js";
import { mediaStreamId, messageType, type Message } from "../../codec/rtmp/message.js";
import { Headers } from "../../stream/headers.js";
import { at, makePacket, roleOf, sentTime, type PacketType } from "../../stream/packet.js";

/** The headers of one publisher. */
export class SentHeaders {
  private readonly known = new Headers();

  /** Remembers a message if it is a header. */
  note(message: Message): void {
    if (isHeader(message)) this.known.put(makePacket(message.type as PacketType, message.timestamp, bodyOf(message)));
  }

  /** All that are known, as a publisher sends them, with the time of the next message of their type; metadata has none. */
  at(timeOf: (type: PacketType) => number): Message[] {
    return this.known.list().map((header) => {
      const packet = at(header, timeOf(header.type));
      return { type: packet.type, streamId: mediaStreamId, timestamp: sentTime(packet), payload: withSetDataFrame(packet.payload) };
    });
  }
}

/** Whether a publisher's message describes what comes behind it. */
export function isHeader(message: Message): boolean {
  return roleOf(message.type as PacketType, bodyOf(message)) === role.header;
}

/** As players get it. */
function bodyOf({ type, payload }: Message): Buffer {
  return type === messageType.data ? withoutSetDataFrame(payload) : payload;
}
