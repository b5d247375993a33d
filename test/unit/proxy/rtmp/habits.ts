// A server's chunk writer with every habit that the specification allows, written for tests without the code under test: any
// fmt where it is valid, any order of chunks of different chunk streams, chunk sizes that change within messages, extended
// timestamps repeated or not.
import { controlMessage, messageType, type Message } from "../../../../src/codec/rtmp/message.js";
import { chunk } from "../../codec/rtmp/chunks.js";

interface Last {
  readonly message: Message;
  readonly field: number;
  readonly isDifference: boolean;
  readonly isExtended: boolean;
}

interface Open {
  readonly csid: number;
  readonly payload: Buffer;
  readonly extended: number | undefined;
  sent: number;
}

const extendedMark = 0xffffff;

export class HabitWriter {
  private readonly last = new Map<number, Last>();
  private readonly open = new Map<number, Open>();
  private readonly repeats: boolean;
  private readonly isCareful: boolean;
  private chunkSize = 128;

  /** `isCareful`: it never writes fmt 3 behind fmt 0, which readers understand in three ways. */
  constructor(habit: "repeated" | "once", isCareful = false) {
    this.repeats = habit === "repeated";
    this.isCareful = isCareful;
  }

  /** Whether a message of this chunk stream is under way. */
  isOpen(csid: number): boolean {
    return this.open.has(csid);
  }

  /** The chunk streams whose message is under way. */
  underWay(): number[] {
    return Array.from(this.open.keys());
  }

  lastTimestamp(csid: number): number {
    return this.last.get(csid)?.message.timestamp ?? 0;
  }

  /** The first chunk of a message, with the wanted fmt or the next lower one that is valid. */
  begin(csid: number, message: Message, wanted: number): Buffer {
    const { type, streamId, timestamp, payload } = message;
    const last = this.last.get(csid);
    const difference = last === undefined ? 0 : (timestamp - last.message.timestamp) >>> 0;
    const fmt = this.formFor(last, message, difference, wanted);
    const field = fmt === 0 ? timestamp : fmt === 3 ? last!.field : difference;
    const isExtended = field >= extendedMark;
    const extended = isExtended ? field : undefined;
    this.last.set(csid, { message, field, isDifference: fmt === 0 ? false : fmt === 3 ? last!.isDifference : true, isExtended });
    const first = payload.subarray(0, this.chunkSize);
    if (payload.length > first.length) this.open.set(csid, { csid, payload, extended, sent: first.length });
    if (type === messageType.setChunkSize) this.chunkSize = payload.readUInt32BE(0);
    return chunk({
      csid,
      fmt,
      time: isExtended ? extendedMark : field,
      ...(extended !== undefined && (fmt < 3 || this.repeats) ? { extended } : {}),
      length: payload.length,
      type,
      streamId,
      payload: first,
    });
  }

  /** The next chunk of the message under way on a chunk stream. */
  next(csid: number): Buffer {
    const open = this.open.get(csid)!;
    const payload = open.payload.subarray(open.sent, open.sent + this.chunkSize);
    open.sent += payload.length;
    if (open.sent === open.payload.length) this.open.delete(csid);
    return chunk({ csid, fmt: 3, ...(open.extended !== undefined && this.repeats ? { extended: open.extended } : {}), payload });
  }

  /** Takes back the message under way on a chunk stream. */
  abort(csid: number): Buffer {
    this.open.delete(csid);
    return this.write(2, controlMessage(messageType.abort, csid), 3);
  }

  /** A whole message. */
  write(csid: number, message: Message, wanted: number): Buffer {
    const parts = [this.begin(csid, message, wanted)];
    while (this.isOpen(csid)) parts.push(this.next(csid));
    return Buffer.concat(parts);
  }

  private formFor(last: Last | undefined, message: Message, difference: number, wanted: number): 0 | 1 | 2 | 3 {
    if (last === undefined || last.message.streamId !== message.streamId || wanted === 0) return 0;
    const isSameShape = last.message.type === message.type && last.message.payload.length === message.payload.length;
    // fmt 3 behind fmt 0: most readers differ unless the time is 0
    const isSameTime = last.field === difference && (last.isDifference || (last.field === 0 && !this.isCareful));
    if (wanted === 3 && isSameShape && isSameTime) return 3;
    return wanted >= 2 && isSameShape ? 2 : 1;
  }
}
