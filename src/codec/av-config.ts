// Whether what describes a track is whole: a decoder that begins with half of it shows nothing, so newcomers get the last one that is.
// Asked for headers only. It is no stricter than encoders are: a codec that is not known needs a byte, and no more.
// Source: ISO/IEC 14496-15 sections 5.3.3.1 (AVC) and 8.3.3.1 (HEVC); ISO/IEC 14496-3 section 1.6.2.1 (AAC); AV1 in ISOBMFF section
// 2.3.3; RFC 7845 section 5.1 (Opus); Enhanced RTMP v2, "MultichannelConfig" and "Metadata Frame".

const avc = { sps: 7 } as const;
const hevc = { sps: 33, pps: 34 } as const;

/** Whether a decoder of this codec can begin with a configuration. */
export function isCompleteConfig(fourCc: string, config: Buffer): boolean {
  switch (fourCc) {
    case "avc1":
      return isAnnexB(config) || isAvcRecord(config);
    case "hvc1":
      return isAnnexB(config) || isHevcRecord(config);
    case "av01":
      return isAv1Record(config);
    case "mp4a":
      return isAudioSpecificConfig(config);
    case "Opus":
      return config.length > 0 && (config.toString("latin1", 0, 8) !== "OpusHead" || config.length >= 19);
    case "ac-3":
    case "ec-3":
    case ".mp3":
      return true; // these have none
    default:
      return config.length > 0;
  }
}

/** Whether the description of an audio track's channels is whole. */
export function isCompleteChannels(channels: Buffer): boolean {
  const [order = 0, count = 0] = channels;
  const mapBytes = order === 1 ? 4 : order === 2 ? count : 0;
  return channels.length >= 2 + mapBytes;
}

/** Whether the metadata of a video track begins with a whole name and has something behind it. */
export function isCompleteMetadata(metadata: Buffer): boolean {
  return metadata.length > 3 && metadata[0] === 2 && metadata.length > 3 + metadata.readUInt16BE(1);
}

/** Parameter sets as they stand in a byte stream: not what the record should be, and what decoders take all the same. */
function isAnnexB(config: Buffer): boolean {
  const zeros = config.findIndex((byte) => byte !== 0);
  return (zeros === 2 || zeros === 3) && config[zeros] === 1 && config.length > zeros + 1;
}

/** At least one sequence and one picture parameter set, and all lengths inside. */
function isAvcRecord(config: Buffer): boolean {
  if (config.length < 7 || config[0] !== 1) return false;
  const sets = readSets(config, 6, config[5]! & 0x1f);
  if (sets === null || sets.first === null || (config[sets.first]! & 0x1f) !== avc.sps || sets.at >= config.length) return false;
  const pictures = readSets(config, sets.at + 1, config[sets.at]!);
  return pictures !== null && pictures.first !== null;
}

function isHevcRecord(config: Buffer): boolean {
  if (config.length < 23) return false;
  const found = new Set<number>();
  let at = 23;
  for (let array = 0; array < config[22]!; array++) {
    if (at + 3 > config.length) return false;
    const sets = readSets(config, at + 3, config.readUInt16BE(at + 1));
    if (sets === null) return false;
    if (sets.first !== null) found.add(config[at]! & 0x3f);
    at = sets.at;
  }
  return found.has(hevc.sps) && found.has(hevc.pps);
}

/** The record may leave the sequence header to the stream; what stands in it is whole. */
function isAv1Record(config: Buffer): boolean {
  if (config.length < 4 || config[0] !== 0x81) return false;
  let at = 4;
  while (at < config.length) {
    const head = config[at]!;
    if ((head & 0x80) !== 0) return false;
    at += (head & 4) === 0 ? 1 : 2;
    if ((head & 2) === 0) return at < config.length; // without a size it goes on to the end
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = config[at++];
      if (byte === undefined || shift > 28) return false;
      size += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    at += size;
  }
  return at === config.length;
}

function isAudioSpecificConfig(config: Buffer): boolean {
  const bits = (at: number, count: number): number => {
    let value = 0;
    for (let bit = at; bit < at + count; bit++) value = value * 2 + (((config[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1);
    return value;
  };
  const objectType = bits(0, 5);
  const frequencyAt = objectType === 31 ? 11 : 5;
  const frequency = bits(frequencyAt, 4);
  const endBits = frequencyAt + 4 + (frequency === 15 ? 24 : 0) + 4;
  return objectType !== 0 && (frequency <= 12 || frequency === 15) && config.length * 8 >= endBits;
}

/** Parameter sets behind each other, a length of two bytes before each: where the first begins, and where they end; null: outside. */
function readSets(config: Buffer, from: number, count: number): { readonly first: number | null; readonly at: number } | null {
  let at = from;
  let first: number | null = null;
  for (let i = 0; i < count; i++) {
    if (at + 2 > config.length) return null;
    const length = config.readUInt16BE(at);
    if (length > 0) first ??= at + 2;
    at += 2 + length;
    if (at > config.length) return null;
  }
  return { first, at };
}
