// The head that each frame of AAC has in a transport stream. Source: ISO/IEC 13818-7 section 6.2 (ADTS).
import { aacRates, type AudioTrack } from "../av-track.js";

const adtsHeadBytes = 7;
/** What the length of a frame has room for. */
export const maxAdtsFrameBytes = 0x1fff - adtsHeadBytes;

/** The head of one frame of so many bytes, which are at most {@link maxAdtsFrameBytes}. */
export function adtsHead(track: AudioTrack, frameBytes: number): Buffer {
  const size = frameBytes + adtsHeadBytes;
  const profile = Math.min(Math.max(track.objectType, 1), 4) - 1; // main, LC, SSR or LTP: what is not one of them is coded as LC is
  const rate = Math.max(0, aacRates.indexOf(track.sampleRate));
  const channels = track.channels === 8 ? 7 : track.channels & 7;
  return Buffer.of(
    0xff,
    0xf1, // MPEG-4, no checksum
    ((track.objectType > 4 ? 1 : profile) << 6) | (rate << 2) | (channels >> 2),
    ((channels & 3) << 6) | (size >> 11),
    (size >> 3) & 0xff,
    ((size & 7) << 5) | 0x1f,
    0xfc,
  );
}
