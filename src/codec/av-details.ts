// What a decoder's configuration tells people: profile, level and size of pictures, rate and channels of sound. Asked for when somebody
// looks, and of headers alone; what cannot be read is left at nothing, for it is shown and never decided by.
// Source: ISO/IEC 14496-10 section 7.3.2.1.1 (AVC), ITU-T H.265 sections 7.3.2.2 and 7.3.3 (HEVC), AV1 section 5.5, ISO/IEC 14496-3
// section 1.6.2.1 (AAC); the words for profiles are SRS's.

/** Of a video track; 0 and empty where it is not told. */
export interface VideoDetails {
  readonly profile: string;
  readonly level: string;
  readonly width: number;
  readonly height: number;
}

/** Of an audio track. */
export interface AudioDetails {
  readonly profile: string;
  readonly sampleRate: number;
  readonly channels: number;
}

const noVideo: VideoDetails = { profile: "", level: "", width: 0, height: 0 };
const noAudio: AudioDetails = { profile: "", sampleRate: 0, channels: 0 };

const avcProfiles: Readonly<Record<number, string>> = {
  66: "Baseline",
  77: "Main",
  88: "Extended",
  100: "High",
  110: "High(10)",
  122: "High(422)",
  244: "High(444)",
};
/** Profiles whose parameter sets tell of chroma (7.3.2.1.1). */
const avcWithChroma: ReadonlySet<number> = new Set([100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135]);
const hevcProfiles: Readonly<Record<number, string>> = { 1: "Main", 2: "Main10", 3: "Main Still Picture", 4: "Rext" };
const av1Profiles: readonly string[] = ["Main", "High", "Professional"];
const aacProfiles: Readonly<Record<number, string>> = { 1: "Main", 2: "LC", 3: "SSR", 5: "HE", 29: "HEv2" };
const aacRates: readonly number[] = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];

/** Reads a configuration of a codec that is named by its fourCC. Never throws. */
export function videoDetails(fourCc: string, config: Buffer): VideoDetails {
  if (fourCc === "avc1") return avcDetails(config);
  if (fourCc === "hvc1") return hevcDetails(config);
  return fourCc === "av01" ? av1Details(config) : noVideo;
}

/** The same for sound. */
export function audioDetails(fourCc: string, config: Buffer): AudioDetails {
  if (fourCc === "mp4a") return aacDetails(config);
  // RFC 7845 section 5.1: the head's tenth byte; without one it is WebRTC's two channels.
  if (fourCc === "Opus") return { profile: "", sampleRate: 48_000, channels: config[9] ?? 2 };
  return noAudio;
}

function avcDetails(config: Buffer): VideoDetails {
  if (config.length < 8 || config[0] !== 1) return noVideo;
  const profileIdc = config[1]!;
  const isConstrained = profileIdc === 66 && (config[2]! & 0x40) !== 0;
  const profile = isConstrained ? "Baseline(Constrained)" : (avcProfiles[profileIdc] ?? "Other");
  const level = config.readUInt8(3) === 9 ? "1b" : String(config.readUInt8(3) / 10);
  const sps = new Bits(config.subarray(9, 8 + config.readUInt16BE(6)));
  return { profile, level, ...avcSize(sps) };
}

/** `bits` stands behind the unit's header. */
function avcSize(bits: Bits): Pick<VideoDetails, "width" | "height"> {
  const profile = bits.take(8);
  bits.take(16);
  bits.golomb(); // seq_parameter_set_id
  let chroma = 1;
  if (avcWithChroma.has(profile)) {
    chroma = bits.golomb();
    if (chroma === 3) bits.take(1);
    bits.golomb();
    bits.golomb();
    bits.take(1);
    if (bits.take(1) === 1)
      for (let list = 0; list < (chroma === 3 ? 12 : 8); list++) if (bits.take(1) === 1) skipScaling(bits, list < 6 ? 16 : 64);
  }
  bits.golomb(); // log2_max_frame_num_minus4
  const order = bits.golomb();
  if (order === 0) bits.golomb();
  else if (order === 1) {
    bits.take(1);
    bits.golomb();
    bits.golomb();
    const count = Math.min(bits.golomb(), 255);
    for (let at = 0; at < count; at++) bits.golomb();
  }
  bits.golomb(); // max_num_ref_frames
  bits.take(1);
  const macroblocks = bits.golomb() + 1;
  const units = bits.golomb() + 1;
  const isFrameOnly = bits.take(1) === 1;
  if (!isFrameOnly) bits.take(1);
  bits.take(1); // direct_8x8_inference_flag
  const [left, right, top, bottom] = bits.take(1) === 1 ? [bits.golomb(), bits.golomb(), bits.golomb(), bits.golomb()] : [0, 0, 0, 0];
  const [cropX, cropY] = [chroma === 1 || chroma === 2 ? 2 : 1, (chroma === 1 ? 2 : 1) * (isFrameOnly ? 1 : 2)];
  return sized(bits, macroblocks * 16 - (left + right) * cropX, (isFrameOnly ? 1 : 2) * units * 16 - (top + bottom) * cropY);
}

function skipScaling(bits: Bits, size: number): void {
  let [last, next] = [8, 8];
  for (let at = 0; at < size && next !== 0; at++) {
    const coded = bits.golomb();
    next = (last + (coded % 2 === 1 ? (coded + 1) / 2 : -coded / 2) + 256) % 256;
    if (next !== 0) last = next;
  }
}

function hevcDetails(config: Buffer): VideoDetails {
  if (config.length < 23) return noVideo;
  const profile = hevcProfiles[config[1]! & 0x1f] ?? "Other";
  const level = String(config[12]! / 30);
  const sps = hevcSps(config);
  return { profile, level, ...(sps === null ? { width: 0, height: 0 } : hevcSize(new Bits(sps))) };
}

/** The first sequence parameter set, behind the unit's header; null: there is none. */
function hevcSps(config: Buffer): Buffer | null {
  let at = 23;
  for (let array = 0; array < config[22]! && at + 3 <= config.length; array++) {
    const type = config[at]! & 0x3f;
    const count = config.readUInt16BE(at + 1);
    at += 3;
    for (let unit = 0; unit < count && at + 2 <= config.length; unit++) {
      const size = config.readUInt16BE(at);
      if (type === 33) return config.subarray(at + 4, at + 2 + size);
      at += 2 + size;
    }
  }
  return null;
}

function hevcSize(bits: Bits): Pick<VideoDetails, "width" | "height"> {
  bits.take(4);
  const layers = bits.take(3);
  bits.take(1);
  bits.skip(96); // profile_tier_level, its general part
  const present: [number, number][] = [];
  for (let layer = 0; layer < layers; layer++) present.push([bits.take(1), bits.take(1)]);
  if (layers > 0) bits.skip((8 - layers) * 2);
  for (const [hasProfile, hasLevel] of present) bits.skip(hasProfile * 88 + hasLevel * 8);
  bits.golomb(); // sps_seq_parameter_set_id
  const chroma = bits.golomb();
  if (chroma === 3) bits.take(1);
  const [width, height] = [bits.golomb(), bits.golomb()];
  const [left, right, top, bottom] = bits.take(1) === 1 ? [bits.golomb(), bits.golomb(), bits.golomb(), bits.golomb()] : [0, 0, 0, 0];
  const [cropX, cropY] = [chroma === 1 || chroma === 2 ? 2 : 1, chroma === 1 ? 2 : 1];
  return sized(bits, width - (left + right) * cropX, height - (top + bottom) * cropY);
}

function av1Details(config: Buffer): VideoDetails {
  if (config.length < 4 || config[0] !== 0x81) return noVideo;
  const profile = av1Profiles[config[1]! >> 5] ?? "Other";
  const index = config[1]! & 0x1f;
  return { profile, level: `${2 + (index >> 2)}.${index & 3}`, ...av1Size(config.subarray(4)) };
}

/** Of a sequence header that stands first, and tells no timing, as those of encoders do. */
function av1Size(units: Buffer): Pick<VideoDetails, "width" | "height"> {
  const head = units[0] ?? 0;
  if (((head >> 3) & 15) !== 1) return { width: 0, height: 0 };
  let at = (head & 4) === 0 ? 1 : 2;
  if ((head & 2) !== 0) while (((units[at++] ?? 0) & 0x80) !== 0);
  const bits = new Bits(units.subarray(at), false);
  bits.take(4); // seq_profile, still_picture
  if (bits.take(1) === 1) bits.take(5);
  else {
    if (bits.take(1) === 1) return { width: 0, height: 0 }; // timing_info
    const hasDelay = bits.take(1) === 1;
    const points = bits.take(5) + 1;
    for (let point = 0; point < points; point++) {
      bits.take(12);
      if (bits.take(5) > 7) bits.take(1);
      if (hasDelay && bits.take(1) === 1) bits.take(4);
    }
  }
  const [widthBits, heightBits] = [bits.take(4) + 1, bits.take(4) + 1];
  return sized(bits, bits.take(widthBits) + 1, bits.take(heightBits) + 1);
}

function aacDetails(config: Buffer): AudioDetails {
  if (config.length < 2) return noAudio;
  const bits = new Bits(config, false);
  const readType = (): number => {
    const type = bits.take(5);
    return type === 31 ? 32 + bits.take(6) : type;
  };
  const readRate = (): number => {
    const index = bits.take(4);
    return index === 15 ? bits.take(24) : (aacRates[index] ?? 0);
  };
  const type = readType();
  let sampleRate = readRate();
  const channels = bits.take(4);
  if (type === 5 || type === 29) sampleRate = readRate(); // what it sounds like, and not its core
  return { profile: aacProfiles[type] ?? "Other", sampleRate, channels: channels === 7 ? 8 : channels };
}

/** What no codec can have was not read right. */
function sized(bits: Bits, width: number, height: number): Pick<VideoDetails, "width" | "height"> {
  const isSound = !bits.isOver && width > 0 && height > 0 && width <= 65_536 && height <= 65_536;
  return isSound ? { width, height } : { width: 0, height: 0 };
}

/** A reader of bits, which gives zeros behind the end. `isEscaped`: a 3 behind two zeros is left out (section 7.4.1). */
class Bits {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer, isEscaped = true) {
    this.bytes = isEscaped
      ? Buffer.from(bytes.filter((byte, at) => byte !== 3 || at < 2 || bytes[at - 1] !== 0 || bytes[at - 2] !== 0))
      : bytes;
  }

  /** Whether more was asked for than there is. */
  get isOver(): boolean {
    return this.at > this.bytes.length * 8;
  }

  take(count: number): number {
    let value = 0;
    for (let left = count; left > 0; left--, this.at++) value = value * 2 + (((this.bytes[this.at >> 3] ?? 0) >> (7 - (this.at & 7))) & 1);
    return value;
  }

  skip(count: number): void {
    this.at += count;
  }

  /** An unsigned number of Exp-Golomb (section 9.1). */
  golomb(): number {
    let zeros = 0;
    while (zeros < 32 && this.take(1) === 0) zeros += 1;
    return zeros === 32 ? 0 : 2 ** zeros - 1 + this.take(zeros);
  }
}
