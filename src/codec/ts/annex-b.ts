// A picture as it stands in a transport stream: NAL units behind start codes, an access unit delimiter first, and the parameter sets
// before a picture that decoding can start at, where the encoder has left them to the record. Views and constants, nothing is copied.
// Source: ITU-T H.264 annex B and section 7.4.1.2.3, ITU-T H.265 annex B; ISO/IEC 13818-1 section 2.14 (delimiters are required).
import type { VideoTrack } from "../av-track.js";

const startCode = Buffer.of(0, 0, 0, 1);
const avcDelimiter = Buffer.of(0, 0, 0, 1, 0x09, 0xf0);
/** Any kind of slice may follow. */
const hevcDelimiter = Buffer.of(0, 0, 0, 1, 0x46, 0x01, 0x50);
const avcDelimiterType = 9;
const hevcDelimiterType = 35;
const avcSetTypes = new Set([7, 8]);
const hevcSetTypes = new Set([32, 33, 34]);

/** The pieces of one picture; empty where its lengths lead out of it: then no decoder could read it. */
export function annexB(track: VideoTrack, frame: Buffer, isKeyFrame: boolean): Buffer[] {
  const isAvc = track.fourCc === "avc1";
  const delimiterType = isAvc ? avcDelimiterType : hevcDelimiterType;
  const setTypes = isAvc ? avcSetTypes : hevcSetTypes;
  const units: Buffer[] = [];
  let hasSets = false;
  let at = 0;
  while (at + track.lengthBytes <= frame.length) {
    const length = frame.readUIntBE(at, track.lengthBytes);
    const from = at + track.lengthBytes;
    at = from + length;
    if (at > frame.length) return [];
    if (length === 0) continue;
    const type = isAvc ? frame[from]! & 0x1f : (frame[from]! >> 1) & 0x3f;
    if (type === delimiterType) continue;
    if (setTypes.has(type)) hasSets = true;
    units.push(startCode, frame.subarray(from, at));
  }
  if (units.length === 0) return [];
  const sets = isKeyFrame && !hasSets ? track.sets.flatMap((set) => [startCode, set]) : [];
  return [isAvc ? avcDelimiter : hevcDelimiter, ...sets, ...units];
}
