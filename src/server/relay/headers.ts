// What an upstream must know before the next message of a stream makes sense to it: the last metadata and decoder configurations
// that a publisher has sent.
import { isAudioHeader, isVideoHeader } from "../../codec/av.js";
import { isPublishedMetadata } from "../../codec/rtmp/metadata.js";
import { messageType, type Message } from "../../codec/rtmp/message.js";

/** The headers of one publisher, as it has sent them. */
export class Headers {
  private readonly last = new Map<number, Message>();

  /** Remembers a message if it is a header. */
  note(message: Message): void {
    if (isHeader(message)) this.last.set(message.type, message);
  }

  /** All that are known, with the time of the message that will follow them; metadata has none. */
  at(timestamp: number): Message[] {
    return Array.from(this.last.values(), (header) => ({ ...header, timestamp: header.type === messageType.data ? 0 : timestamp }));
  }
}

/** Whether a publisher's message configures a decoder, or is the metadata. */
export function isHeader({ type, payload }: Message): boolean {
  if (type === messageType.video) return isVideoHeader(payload);
  return type === messageType.audio ? isAudioHeader(payload) : isPublishedMetadata(payload);
}
