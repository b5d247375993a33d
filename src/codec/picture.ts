// From a sequence parameter set to the size of the picture: what a file's head names, and lists of variants.
// Source: ITU-T H.264 section 7.3.2.1.1, ITU-T H.265 section 7.3.2.2.
import { Bits, withoutEmulation } from "./bits.js";

export interface PictureSize {
  readonly width: number;
  readonly height: number;
}

const unknown: PictureSize = { width: 0, height: 0 };
/** Profiles of H.264 whose parameter set names the chroma format. */
const highProfiles = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
/** Reference frames and the like of more than this make no sense. */
const mostOffsets = 255;

/** The size of an H.264 picture; 0 × 0 where the bytes make no sense. */
export function avcSize(sps: Buffer): PictureSize {
  const bits = new Bits(withoutEmulation(sps.subarray(1)));
  const profile = bits.read(8);
  bits.skip(16);
  bits.unsigned(); // seq_parameter_set_id
  let chroma = 1;
  let isSeparate = false;
  if (highProfiles.has(profile)) {
    chroma = bits.unsigned();
    if (chroma === 3) isSeparate = bits.flag();
    bits.unsigned(); // bit_depth_luma_minus8
    bits.unsigned();
    bits.skip(1);
    if (bits.flag()) for (let list = 0; list < (chroma === 3 ? 12 : 8); list++) if (bits.flag()) skipScaling(bits, list < 6 ? 16 : 64);
  }
  bits.unsigned(); // log2_max_frame_num_minus4
  const order = bits.unsigned();
  if (order === 0) bits.unsigned();
  else if (order === 1) {
    bits.skip(1);
    bits.signed();
    bits.signed();
    const offsets = bits.unsigned();
    if (offsets > mostOffsets) return unknown;
    for (let i = 0; i < offsets; i++) bits.signed();
  }
  bits.unsigned(); // max_num_ref_frames
  bits.skip(1);
  const widthMbs = bits.unsigned() + 1;
  const heightUnits = bits.unsigned() + 1;
  const isFrames = bits.flag();
  if (!isFrames) bits.skip(1);
  bits.skip(1);
  const [left, right, top, bottom] = bits.flag() ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()] : [0, 0, 0, 0];
  if (bits.isOver) return unknown;
  const field = isFrames ? 1 : 2;
  const hasChroma = chroma !== 0 && !isSeparate;
  const cropX = hasChroma && chroma !== 3 ? 2 : 1;
  const cropY = (hasChroma && chroma === 1 ? 2 : 1) * field;
  return { width: widthMbs * 16 - (left + right) * cropX, height: heightUnits * 16 * field - (top + bottom) * cropY };
}

/** The size of an H.265 picture; 0 × 0 as above. */
export function hevcSize(sps: Buffer): PictureSize {
  const bits = new Bits(withoutEmulation(sps.subarray(2)));
  bits.skip(4);
  const subLayers = bits.read(3);
  bits.skip(1);
  bits.skip(96); // general profile, tier and level
  const present = Array.from({ length: subLayers }, () => [bits.flag(), bits.flag()] as const);
  if (subLayers > 0) bits.skip(2 * (8 - subLayers));
  for (const [hasProfile, hasLevel] of present) bits.skip((hasProfile ? 88 : 0) + (hasLevel ? 8 : 0));
  bits.unsigned(); // sps_seq_parameter_set_id
  const chroma = bits.unsigned();
  if (chroma === 3) bits.skip(1);
  const width = bits.unsigned();
  const height = bits.unsigned();
  const [left, right, top, bottom] = bits.flag() ? [bits.unsigned(), bits.unsigned(), bits.unsigned(), bits.unsigned()] : [0, 0, 0, 0];
  if (bits.isOver) return unknown;
  const cropX = chroma === 1 || chroma === 2 ? 2 : 1;
  const cropY = chroma === 1 ? 2 : 1;
  return { width: width - (left + right) * cropX, height: height - (top + bottom) * cropY };
}

function skipScaling(bits: Bits, size: number): void {
  let last = 8;
  let next = 8;
  for (let i = 0; i < size; i++) {
    if (next !== 0) next = (last + bits.signed() + 256) % 256;
    if (next !== 0) last = next;
  }
}
