// The vocabulary of RTMP messages: type numbers, control messages and the chunk streams that we send on.
// Pure bytes ↔ values; commands are AMF and live in command.ts. Source: Adobe RTMP 1.0 sections 5.4, 6.2 and 7.1.

/** Message type ids (sections 5.4 and 7.1). */
export const messageType = {
  setChunkSize: 1,
  abort: 2,
  acknowledgement: 3,
  userControl: 4,
  windowAckSize: 5,
  setPeerBandwidth: 6,
  audio: 8,
  video: 9,
  dataAmf3: 15,
  commandAmf3: 17,
  data: 18,
  command: 20,
  aggregate: 22,
} as const;

/** User control events (section 6.2). */
export const controlEvent = {
  streamBegin: 0,
  streamEof: 1,
  setBufferLength: 3,
  pingRequest: 6,
  pingResponse: 7,
  // ours, between an origin and its own edges
  history: 0x4448,
  clock: 0x4449,
} as const;

/** The chunk streams we write on. A fixed one per kind lets every player of a stream share the same bytes. */
const chunkStream = { control: 2, command: 3, audio: 4, status: 5, video: 6, data: 7 } as const;

/** The message stream that a connection gets first, and nearly always the only one: all bytes that players share are of this one. */
export const mediaStreamId = 1;

/** One message as it leaves a ChunkReader. Whoever gets `payload` owns it; nobody writes into it later. */
export interface Message {
  readonly type: number;
  readonly streamId: number;
  /** Milliseconds, modulo 2³². */
  readonly timestamp: number;
  readonly payload: Buffer;
}

/** A message as JSON; the payload is in base64. */
export interface SavedMessage extends Omit<Message, "payload"> {
  readonly payload: string;
}

export function saveMessage({ type, streamId, timestamp, payload }: Message): SavedMessage {
  return { type, streamId, timestamp, payload: payload.toString("base64") };
}

export function resumeMessage({ payload, ...rest }: SavedMessage): Message {
  return { ...rest, payload: Buffer.from(payload, "base64") };
}

/** A protocol control message with one 32-bit number: chunk size, acknowledgement, window size. */
export function controlMessage(type: number, value: number): Message {
  const payload = Buffer.allocUnsafe(4);
  payload.writeUInt32BE(value >>> 0);
  return { type, streamId: 0, timestamp: 0, payload };
}

/** Set Peer Bandwidth with the limit type "dynamic" (section 5.4.5). */
export function peerBandwidth(windowBytes: number): Message {
  const payload = Buffer.allocUnsafe(5);
  payload.writeUInt32BE(windowBytes >>> 0);
  payload[4] = 2;
  return { type: messageType.setPeerBandwidth, streamId: 0, timestamp: 0, payload };
}

/** A user control message; its values are 32 bits each (a stream id, a time, a buffer length in ms). */
export function userControl(event: number, ...values: readonly number[]): Message {
  const payload = Buffer.allocUnsafe(2 + 4 * values.length);
  payload.writeUInt16BE(event);
  values.forEach((value, i) => payload.writeUInt32BE(value >>> 0, 2 + 4 * i));
  return { type: messageType.userControl, streamId: 0, timestamp: 0, payload };
}

/** The chunk stream on which a message of this type is written. */
export function chunkStreamOf(type: number, streamId: number): number {
  switch (type) {
    case messageType.audio:
      return chunkStream.audio;
    case messageType.video:
    case messageType.aggregate:
      return chunkStream.video;
    case messageType.data:
    case messageType.dataAmf3:
      return chunkStream.data;
    case messageType.command:
    case messageType.commandAmf3:
      return streamId === 0 ? chunkStream.command : chunkStream.status;
    default:
      return chunkStream.control;
  }
}
