// A picture as it stands in a transport stream: NAL units behind start codes, an access unit delimiter first, and the parameter sets
// before a picture that decoding can start at, where the encoder has left them to the record. First it is measured, then written to where
// it belongs. Source: ITU-T H.264 annex B and section 7.4.1.2.3, ITU-T H.265 annex B; ISO/IEC 13818-1 section 2.14 (delimiters are
// required).
import type { VideoTrack } from "../av-track.js";

const startCode = Buffer.of(0, 0, 0, 1);
const avcDelimiter = Buffer.of(0, 0, 0, 1, 0x09, 0xf0);
/** Any kind of slice may follow. */
const hevcDelimiter = Buffer.of(0, 0, 0, 1, 0x46, 0x01, 0x50);
const avcDelimiterType = 9;
const hevcDelimiterType = 35;

/** How many bytes a picture takes; 0 where its lengths lead out of it: then no decoder could read it. */
export function annexBBytes(track: VideoTrack, frame: Buffer, isKeyFrame: boolean): number {
  const { lengthBytes } = track;
  const isAvc = track.fourCc === "avc1";
  let bytes = 0;
  let hasSets = false;
  for (let at = 0; at + lengthBytes <= frame.length;) {
    const length = lengthAt(frame, at, lengthBytes);
    const from = at + lengthBytes;
    at = from + length;
    if (at > frame.length) return 0;
    if (length === 0) continue;
    const type = typeOf(frame[from]!, isAvc);
    if (isDelimiter(type, isAvc)) continue;
    hasSets ||= isSet(type, isAvc);
    bytes += startCode.length + length;
  }
  if (bytes === 0) return 0;
  if (isKeyFrame && !hasSets) for (const set of track.sets) bytes += startCode.length + set.length;
  return bytes + (isAvc ? avcDelimiter : hevcDelimiter).length;
}

/** Writes a picture that takes more than 0 bytes, and returns where it ends. */
export function writeAnnexB(out: Buffer, to: number, track: VideoTrack, frame: Buffer, isKeyFrame: boolean): number {
  const { lengthBytes } = track;
  const isAvc = track.fourCc === "avc1";
  const delimiter = isAvc ? avcDelimiter : hevcDelimiter;
  out.set(delimiter, to);
  let end = to + delimiter.length;
  if (isKeyFrame && !bringsSets(track, frame)) for (const set of track.sets) end = writeUnit(out, end, set);
  for (let at = 0; at + lengthBytes <= frame.length;) {
    const from = at + lengthBytes;
    at = from + lengthAt(frame, at, lengthBytes);
    if (at > from && !isDelimiter(typeOf(frame[from]!, isAvc), isAvc)) end = writeUnit(out, end, frame.subarray(from, at));
  }
  return end;
}

function bringsSets({ lengthBytes, fourCc }: VideoTrack, frame: Buffer): boolean {
  const isAvc = fourCc === "avc1";
  for (let at = 0; at + lengthBytes <= frame.length;) {
    const length = lengthAt(frame, at, lengthBytes);
    if (length > 0 && isSet(typeOf(frame[at + lengthBytes]!, isAvc), isAvc)) return true;
    at += lengthBytes + length;
  }
  return false;
}

function writeUnit(out: Buffer, to: number, unit: Buffer): number {
  out[to] = out[to + 1] = out[to + 2] = 0;
  out[to + 3] = 1;
  out.set(unit, to + startCode.length);
  return to + startCode.length + unit.length;
}

function lengthAt(frame: Buffer, at: number, lengthBytes: number): number {
  let length = 0;
  for (let index = 0; index < lengthBytes; index++) length = length * 256 + frame[at + index]!;
  return length;
}

function typeOf(first: number, isAvc: boolean): number {
  return isAvc ? first & 0x1f : (first >> 1) & 0x3f;
}

function isDelimiter(type: number, isAvc: boolean): boolean {
  return type === (isAvc ? avcDelimiterType : hevcDelimiterType);
}

/** Sequence and picture parameter sets; of H.265 the video's too. */
function isSet(type: number, isAvc: boolean): boolean {
  return isAvc ? type === 7 || type === 8 : type >= 32 && type <= 34;
}
