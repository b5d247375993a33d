// FLV as a stream: the file header, and tags around the same payloads that RTMP carries.
// Source: Adobe FLV 10.1 sections E.2 to E.4.
//
//   tag = type(1) size(3) time(3) time's upper byte(1) stream id 0(3) payload, then the tag's size + 11 (4)

/** Bytes that a tag adds to its payload: 11 before it, and the back pointer after it. */
export const tagOverhead = 15;

/** The file header with the first back pointer. The flags announce what will come; some players wait for all that is announced. */
export function flvHeader(hasAudio: boolean, hasVideo: boolean): Buffer {
  return Buffer.of(0x46, 0x4c, 0x56, 1, (hasAudio ? 4 : 0) | (hasVideo ? 1 : 0), 0, 0, 0, 9, 0, 0, 0, 0);
}

/** Writes one tag at `at` into `out`, which has room for the payload and {@link tagOverhead}, and returns the position after it. */
export function writeTag(out: Buffer, at: number, type: number, timestamp: number, payload: Buffer): number {
  const length = payload.length;
  out[at] = type;
  out[at + 1] = length >>> 16;
  out[at + 2] = length >>> 8;
  out[at + 3] = length;
  out[at + 4] = timestamp >>> 16;
  out[at + 5] = timestamp >>> 8;
  out[at + 6] = timestamp;
  out[at + 7] = timestamp >>> 24;
  out[at + 8] = 0;
  out[at + 9] = 0;
  out[at + 10] = 0;
  payload.copy(out, at + 11);
  return out.writeUInt32BE(11 + length, at + 11 + length);
}
