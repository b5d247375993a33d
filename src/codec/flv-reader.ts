// FLV → its tags, from bytes that come in pieces of any size. Who reads them from where, and what their times mean, is the caller's.
// Source: Adobe FLV 10.1 sections E.2 to E.4; the other direction is flv.ts.
//
//   head (9, and a back pointer of 4) ─▶ tag's head (11) ─▶ payload and back pointer (4) ─▶ tag's head …
import { DolphinError } from "../base/errors.js";

export interface FlvTag {
  /** 8 audio, 9 video, 18 data. */
  readonly type: number;
  /** Milliseconds, below 2³². */
  readonly timestamp: number;
  /** The receiver's from now on. */
  readonly payload: Buffer;
}

/** Longest payload of a tag: what an RTMP server takes. Checked before there is memory for it. */
export const maxTagBytes = 8 << 20;

const headBytes = 13;
const tagHeadBytes = 11;
const backPointerBytes = 4;

type Tagged = Omit<FlvTag, "payload">;

/** Reads one file. Nothing to close: drop it. */
export class FlvReader {
  private readonly onTag: (tag: FlvTag) => void;
  /** The part that is awaited, and how much of it has come. */
  private part = Buffer.allocUnsafe(headBytes);
  private partBytes = 0;
  /** Null while a head is awaited. */
  private tag: Tagged | null = null;
  /** Where in the file the awaited part begins; 0: its head is awaited. */
  private at = 0;

  constructor(onTag: (tag: FlvTag) => void) {
    this.onTag = onTag;
  }

  /** Takes the next bytes, which stay the caller's. Throws FLV_FILE for what is no FLV or damaged; the reader is of no use then. */
  push(bytes: Buffer): void {
    let from = 0;
    while (from < bytes.length) {
      const copied = bytes.copy(this.part, this.partBytes, from);
      from += copied;
      this.partBytes += copied;
      if (this.partBytes === this.part.length) this.take();
    }
  }

  /** There is no more. Returns how many bytes of a tag came whose end did not. Throws FLV_FILE where not even the file's head did. */
  end(): number {
    if (this.at === 0) throw new DolphinError("FLV_FILE", `ends after ${this.partBytes} bytes, before an FLV file has begun`);
    return (this.tag === null ? 0 : tagHeadBytes) + this.partBytes;
  }

  private take(): void {
    const { part, tag } = this;
    if (this.at === 0) {
      checkHead(part);
      this.expect(tagHeadBytes, null);
    } else if (tag === null) {
      const size = part.readUIntBE(1, 3);
      const next = { type: part[0]!, timestamp: part.readUIntBE(4, 3) + part[7]! * 0x1000000 };
      this.checkTag(next.type, size);
      this.expect(size + backPointerBytes, next);
    } else {
      const size = part.length - backPointerBytes;
      const back = part.readUInt32BE(size);
      if (back !== tagHeadBytes + size)
        throw new DolphinError(
          "FLV_FILE",
          `is damaged before byte ${this.at + size}: a tag of ${tagHeadBytes + size} bytes ends as one of ${back}`,
        );
      this.expect(tagHeadBytes, null);
      this.onTag({ ...tag, payload: part.subarray(0, size) });
    }
  }

  private checkTag(type: number, size: number): void {
    if (type !== 8 && type !== 9 && type !== 18)
      throw new DolphinError("FLV_FILE", `is damaged or encrypted at byte ${this.at}: there is no tag of type ${type}`);
    if (size > maxTagBytes)
      throw new DolphinError("FLV_FILE", `is damaged at byte ${this.at}: a tag of ${size} bytes is longer than any that is taken`);
  }

  private expect(sizeBytes: number, tag: Tagged | null): void {
    this.at += this.partBytes;
    this.part = Buffer.allocUnsafe(sizeBytes);
    this.partBytes = 0;
    this.tag = tag;
  }
}

/** Version 1 is the only one there is; its head has always 9 bytes. */
function checkHead(head: Buffer): void {
  if (head.toString("latin1", 0, 3) === "FLV" && head[3] === 1 && head.readUInt32BE(5) === 9) return;
  throw new DolphinError("FLV_FILE", `begins with ${head.toString("hex", 0, 9)}, as no FLV file does`);
}
