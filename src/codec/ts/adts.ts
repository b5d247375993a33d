// The head that each frame of AAC has in a transport stream. Source: ISO/IEC 13818-7 section 6.2 (ADTS).
import { aacRates, type AudioTrack } from "../av-track.js";

export const adtsHeadBytes = 7;
/** What the length of a frame has room for. */
export const maxAdtsFrameBytes = 0x1fff - adtsHeadBytes;

/** The head of one frame of so many bytes, which are at most {@link maxAdtsFrameBytes}. */
export function adtsHead(track: AudioTrack, frameBytes: number): Buffer {
  const head = Buffer.allocUnsafe(adtsHeadBytes);
  writeAdtsHead(head, 0, track, frameBytes);
  return head;
}

/** The same, written to its place. */
export function writeAdtsHead(out: Buffer, at: number, track: AudioTrack, frameBytes: number): void {
  const size = frameBytes + adtsHeadBytes;
  const profile = Math.min(Math.max(track.objectType, 1), 4) - 1; // main, LC, SSR or LTP: what is not one of them is coded as LC is
  const rate = Math.max(0, aacRates.indexOf(track.sampleRate));
  const channels = track.channels === 8 ? 7 : track.channels & 7;
  out[at] = 0xff;
  out[at + 1] = 0xf1; // MPEG-4, no checksum
  out[at + 2] = ((track.objectType > 4 ? 1 : profile) << 6) | (rate << 2) | (channels >> 2);
  out[at + 3] = ((channels & 3) << 6) | (size >> 11);
  out[at + 4] = (size >> 3) & 0xff;
  out[at + 5] = ((size & 7) << 5) | 0x1f;
  out[at + 6] = 0xfc;
}
