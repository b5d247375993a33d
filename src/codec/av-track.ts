// What a track's configuration says: how its frames are laid out, how long they last, what players call the codec. Made of the records
// that publishers send (av-unit.ts); an MP3 has none and tells in each frame.
// Source: ISO/IEC 14496-15 sections 5.3.3.1 (AVC), 8.3.3.1 (HEVC) and annex E (codecs); ISO/IEC 14496-3 section 1.6.2.1 (AAC);
// ISO/IEC 11172-3 section 2.4.2.3 (MP3); RFC 6381.
import { videoDetails } from "./av-details.js";
import { Bits } from "./bits.js";
import { avcSize, hevcSize } from "./picture.js";

export interface VideoTrack {
  readonly fourCc: "avc1" | "hvc1" | "av01";
  /** The record as it was sent. */
  readonly record: Buffer;
  /** Of the length before each NAL unit. */
  readonly lengthBytes: number;
  /** Parameter sets in the order in which a decoder wants them. */
  readonly sets: readonly Buffer[];
  readonly width: number;
  readonly height: number;
  /** As a list of variants and a page name it (RFC 6381). */
  readonly codecs: string;
}

export interface AudioTrack {
  readonly fourCc: "mp4a" | ".mp3" | "Opus";
  /** The AudioSpecificConfig; empty of MP3. */
  readonly record: Buffer;
  /** MPEG-4's audio object type as an ADTS head can name it. */
  readonly objectType: number;
  /** Of the samples that a frame counts: the core's where a codec doubles it. */
  readonly sampleRate: number;
  readonly channels: number;
  readonly frameSamples: number;
  readonly codecs: string;
}

/** Sampling frequencies by their index. */
export const aacRates: readonly number[] = [96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350];
const mp3Rates: readonly number[] = [44100, 48000, 32000];

/** Reads the record of a video track; null: not one that can be written into a file here. */
export function readVideoTrack(fourCc: string, record: Buffer): VideoTrack | null {
  if (fourCc === "avc1") return readAvc(record);
  if (fourCc === "av01") return readAv1(record);
  return fourCc === "hvc1" ? readHevc(record) : null;
}

/** Reads the record of an audio track; null as above. */
export function readAudioTrack(fourCc: string, record: Buffer): AudioTrack | null {
  if (fourCc === "Opus") return readOpus(record);
  if (fourCc !== "mp4a") return null;
  const bits = new Bits(record);
  const objectType = readObjectType(bits);
  let sampleRate = readRate(bits);
  let channels = bits.read(4);
  if (bits.isOver || objectType === 0 || sampleRate === 0) return null;
  let core = objectType;
  if (objectType === 5 || objectType === 29) {
    readRate(bits); // what the core's is doubled to
    core = readObjectType(bits);
    if (objectType === 29 && channels === 1) channels = 2;
  }
  if (channels === 7) channels = 8;
  if (channels === 0) channels = 2; // the map stands in a program config element
  sampleRate = Math.round(sampleRate);
  return {
    fourCc: "mp4a",
    record,
    objectType: core,
    sampleRate,
    channels,
    frameSamples: bits.read(1) === 1 ? 960 : 1024,
    codecs: `mp4a.40.${objectType}`,
  };
}

/** What a frame of MP3 says of its track; null: it is no frame of layer III. */
export function mp3Track(frame: Buffer): AudioTrack | null {
  if (frame.length < 4 || frame[0] !== 0xff || (frame[1]! & 0xe6) !== 0xe2) return null;
  const version = (frame[1]! >> 3) & 3;
  const rate = mp3Rates[(frame[2]! >> 2) & 3];
  if (version === 1 || rate === undefined) return null;
  const isFirst = version === 3;
  return {
    fourCc: ".mp3",
    record: Buffer.alloc(0),
    objectType: 34,
    sampleRate: isFirst ? rate : version === 2 ? rate / 2 : rate / 4,
    channels: frame[3]! >> 6 === 3 ? 1 : 2,
    frameSamples: isFirst ? 1152 : 576,
    codecs: "mp4a.40.34",
  };
}

/** Whether two tracks are written alike: nothing changes for a player where one follows the other. */
export function isSameTrack(one: VideoTrack | AudioTrack | null, other: VideoTrack | AudioTrack | null): boolean {
  if (one === other || one === null || other === null) return one === other;
  return one.fourCc === other.fourCc && one.codecs === other.codecs && one.record.equals(other.record) && rateOf(one) === rateOf(other);
}

function rateOf(track: VideoTrack | AudioTrack): string {
  return "sampleRate" in track ? `${track.sampleRate}/${track.channels}` : "";
}

function readAvc(record: Buffer): VideoTrack | null {
  if (record.length < 7 || record[0] !== 1) return null;
  const sps: Buffer[] = [];
  const pps: Buffer[] = [];
  const behind = readSets(record, 6, record[5]! & 0x1f, sps);
  if (behind === null || behind >= record.length || readSets(record, behind + 1, record[behind]!, pps) === null) return null;
  const [first] = sps;
  if (first === undefined || first.length < 4 || pps.length === 0) return null;
  const codecs = `avc1.${first.toString("hex", 1, 4).toUpperCase()}`;
  return { fourCc: "avc1", record, lengthBytes: (record[4]! & 3) + 1, sets: [...sps, ...pps], ...avcSize(first), codecs };
}

/** Source: AV1 Codec ISO Media File Format Binding, sections 2.3.3 and 5. */
function readAv1(record: Buffer): VideoTrack | null {
  if (record.length < 4 || record[0] !== 0x81) return null;
  const [profile, level] = [record[1]! >> 5, record[1]! & 0x1f];
  const isHigh = (record[2]! & 0x40) !== 0;
  const depth = !isHigh ? "08" : profile === 2 && (record[2]! & 0x20) !== 0 ? "12" : "10";
  const codecs = `av01.${profile}.${String(level).padStart(2, "0")}${(record[2]! & 0x80) === 0 ? "M" : "H"}.${depth}`;
  const { width, height } = videoDetails("av01", record);
  return { fourCc: "av01", record, lengthBytes: 0, sets: [], width, height, codecs };
}

const opusHeadBytes = 19;

/** Source: RFC 7845 section 5.1. */
function readOpus(record: Buffer): AudioTrack | null {
  if (record.length < opusHeadBytes || record.toString("latin1", 0, 8) !== "OpusHead") return null;
  return { fourCc: "Opus", record, objectType: 0, sampleRate: 48_000, channels: record[9]!, frameSamples: 960, codecs: "opus" };
}

/** How many samples of 48 kHz a packet of Opus lasts. Source: RFC 6716 section 3.1. */
export function opusSamples(packet: Buffer): number {
  if (packet.length === 0) return 0;
  const config = packet[0]! >> 3;
  const ofOne = config < 12 ? [480, 960, 1920, 2880][config & 3]! : config < 16 ? [480, 960][config & 1]! : 120 << (config & 3);
  const code = packet[0]! & 3;
  const count = code === 0 ? 1 : code < 3 ? 2 : (packet[1] ?? 1) & 0x3f;
  return ofOne * count;
}

const hevcVps = 32;
const hevcSps = 33;
const hevcPps = 34;

function readHevc(record: Buffer): VideoTrack | null {
  if (record.length < 23) return null;
  const byType = new Map<number, Buffer[]>();
  let at = 23;
  for (let array = 0; array < record[22]!; array++) {
    if (at + 3 > record.length) return null;
    const type = record[at]! & 0x3f;
    const sets = byType.get(type) ?? [];
    byType.set(type, sets);
    const behind = readSets(record, at + 3, record.readUInt16BE(at + 1), sets);
    if (behind === null) return null;
    at = behind;
  }
  const sets = [hevcVps, hevcSps, hevcPps].flatMap((type) => byType.get(type) ?? []);
  const [sps] = byType.get(hevcSps) ?? [];
  if (sps === undefined || byType.get(hevcPps) === undefined) return null;
  return { fourCc: "hvc1", record, lengthBytes: (record[21]! & 3) + 1, sets, ...hevcSize(sps), codecs: hevcCodecs(record) };
}

/** `hvc1.1.6.L93.B0`: profile, its compatibility with the bits turned round, tier and level, constraints without trailing zeros. */
function hevcCodecs(record: Buffer): string {
  const space = ["", "A", "B", "C"][record[1]! >> 6]!;
  let turned = 0;
  for (let bit = 0; bit < 32; bit++) if ((record[2 + (bit >> 3)]! & (0x80 >> (bit & 7))) !== 0) turned += 2 ** bit;
  let last = 12;
  while (last > 6 && record[last - 1] === 0) last--;
  const constraints = Array.from(record.subarray(6, last), (byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
  const tier = (record[1]! & 0x20) === 0 ? "L" : "H";
  return ["hvc1", `${space}${record[1]! & 0x1f}`, turned.toString(16).toUpperCase(), `${tier}${record[12]!}`, ...constraints].join(".");
}

/** Appends parameter sets, a length of two bytes before each; returns where they end, null: outside. */
function readSets(record: Buffer, from: number, count: number, into: Buffer[]): number | null {
  let at = from;
  for (let i = 0; i < count; i++) {
    if (at + 2 > record.length) return null;
    const end = at + 2 + record.readUInt16BE(at);
    if (end > record.length) return null;
    if (end > at + 2) into.push(record.subarray(at + 2, end));
    at = end;
  }
  return at;
}

function readObjectType(bits: Bits): number {
  const type = bits.read(5);
  return type === 31 ? 32 + bits.read(6) : type;
}

function readRate(bits: Bits): number {
  const index = bits.read(4);
  return index === 15 ? bits.read(24) : (aacRates[index] ?? 0);
}
