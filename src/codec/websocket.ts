// WebSocket as far as a server that only sends needs it: the answer to a handshake, the heads of its frames, and what a viewer says,
// of which pings and the close matter. Pure; whose socket it is and what a frame carries is the caller's. Source: RFC 6455.
//
//   frame = fin, opcode(1) mask, length(1) [length(2 or 8)] [mask(4), of clients] payload
import { createHash } from "node:crypto";
import { DolphinError } from "../base/errors.js";

/** First bytes of frames that are whole messages (section 5.2). */
export const frame = { binary: 0x82, close: 0x88, pong: 0x8a } as const;

/** Longest payload of a control frame, in bytes (section 5.5). */
const maxControlBytes = 125;
/** What follows a first length of 126, and of 127. */
const shortBytes = 2;
const longBytes = 8;
const maskBytes = 4;

/** The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key (section 4.2.2). */
export function acceptFor(key: string): string {
  return createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
}

/** Whether it is a Sec-WebSocket-Key: 16 bytes in base64. */
export function isKey(text: string): boolean {
  return /^[A-Za-z0-9+/]{22}==$/.test(text);
}

/** The size of the head of a server's frame with so many bytes. */
export function frameHeadBytes(payloadBytes: number): number {
  if (payloadBytes <= maxControlBytes) return 2;
  return payloadBytes < 1 << 16 ? 2 + shortBytes : 2 + longBytes;
}

/** Writes the head of a server's frame at the beginning of `out`, and returns the position after it. */
export function writeFrameHead(out: Buffer, first: number, payloadBytes: number): number {
  out[0] = first;
  if (payloadBytes <= maxControlBytes) return out.writeUInt8(payloadBytes, 1);
  if (payloadBytes < 1 << 16) {
    out[1] = 126;
    return out.writeUInt16BE(payloadBytes, 2);
  }
  out[1] = 127;
  out.writeUInt32BE(Math.floor(payloadBytes / 2 ** 32), 2);
  return out.writeUInt32BE(payloadBytes >>> 0, 6);
}

/** A whole frame of a server's. */
export function frameOf(first: number, payload: Buffer): Buffer {
  const out = Buffer.allocUnsafe(frameHeadBytes(payload.length) + payload.length);
  payload.copy(out, writeFrameHead(out, first, payload.length));
  return out;
}

/** The payload of a close frame: one of the codes of section 7.4.1. */
export function closeFrame(code: number): Buffer {
  const payload = Buffer.allocUnsafe(2);
  payload.writeUInt16BE(code);
  return frameOf(frame.close, payload);
}

/** What a client says that somebody must act on. */
export interface ClientSays {
  /** The payload is the callee's. */
  onPing(payload: Buffer): void;
  onClose(): void;
}

interface Head {
  readonly opcode: number;
  readonly headBytes: number;
  readonly payloadBytes: number;
}

/** Reads a client's frames, cut anywhere. It keeps at most one control frame; other payloads are passed over. */
export class ClientFrames {
  private readonly says: ClientSays;
  private rest: Buffer = Buffer.alloc(0);
  private skipBytes = 0;

  constructor(says: ClientSays) {
    this.says = says;
  }

  /** Takes what was read. Throws FLV_REQUEST for what is no frame of a client's; nothing may be pushed after that. */
  push(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    for (;;) {
      const skipped = Math.min(this.skipBytes, all.length - at);
      at += skipped;
      this.skipBytes -= skipped;
      const head = this.skipBytes > 0 ? null : headAt(all, at);
      if (head === null) break;
      const { opcode, headBytes, payloadBytes } = head;
      if (opcode < 8) {
        at += headBytes;
        this.skipBytes = payloadBytes;
        continue;
      }
      const end = at + headBytes + payloadBytes;
      if (end > all.length) break;
      if (opcode === 8) this.says.onClose();
      if (opcode === 9) this.says.onPing(unmasked(all.subarray(at + headBytes - maskBytes, end)));
      at = end;
    }
    this.rest = Buffer.from(all.subarray(at));
  }
}

/** The head of the frame at `at`; null where it is not whole yet. */
function headAt(bytes: Buffer, at: number): Head | null {
  const [first, second] = [bytes[at], bytes[at + 1]];
  if (first === undefined || second === undefined) return null;
  const opcode = first & 0x0f;
  const length = second & 0x7f;
  const isControl = opcode >= 8;
  if ((first & 0x70) !== 0) refuse("a frame has a reserved bit, which only an extension could give a meaning");
  if ((second & 0x80) === 0) refuse("a frame of a client is not masked");
  if (opcode > 10 || (opcode > 2 && opcode < 8)) refuse(`a frame has the unknown opcode ${opcode}`);
  if (isControl && ((first & 0x80) === 0 || length > maxControlBytes)) refuse("a control frame is cut in pieces, or too long");
  const lengthBytes = length === 126 ? shortBytes : length === 127 ? longBytes : 0;
  const headBytes = 2 + lengthBytes + maskBytes;
  if (bytes.length < at + headBytes) return null;
  if (lengthBytes === 0) return { opcode, headBytes, payloadBytes: length };
  if (lengthBytes === shortBytes) return { opcode, headBytes, payloadBytes: bytes.readUInt16BE(at + 2) };
  const payloadBytes = bytes.readUInt32BE(at + 2) * 2 ** 32 + bytes.readUInt32BE(at + 6);
  if (payloadBytes > Number.MAX_SAFE_INTEGER) refuse("a frame is longer than any can be");
  return { opcode, headBytes, payloadBytes };
}

/** A payload behind its mask. */
function unmasked(bytes: Buffer): Buffer {
  const payload = Buffer.from(bytes.subarray(maskBytes));
  for (let i = 0; i < payload.length; i++) payload[i] = payload[i]! ^ bytes[i % maskBytes]!;
  return payload;
}

function refuse(why: string): never {
  throw new DolphinError("FLV_REQUEST", why);
}
