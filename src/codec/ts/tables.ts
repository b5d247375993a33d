// The two tables by which a player finds the tracks of a transport stream: which program there is (PAT), and of what it is made (PMT).
// Source: ISO/IEC 13818-1 sections 2.4.4.3 (PAT), 2.4.4.8 (PMT) and annex A (the checksum).
import type { AudioTrack, VideoTrack } from "../av-track.js";

/** Packet identifiers, which are SRS's. */
export const pid = { pat: 0, pmt: 0x1001, video: 0x100, aac: 0x101, mp3: 0x102 } as const;

/** What a transport stream is made of; not both are null. */
export interface TsTracks {
  readonly video: VideoTrack | null;
  readonly audio: AudioTrack | null;
}

export function audioPid(audio: AudioTrack): number {
  return audio.fourCc === "mp4a" ? pid.aac : pid.mp3;
}

/** The section of the PAT. */
export const patSection = section(0x00, 1, 0, [0x00, 0x01, 0xe0 | (pid.pmt >> 8), pid.pmt & 0xff]);

/** The section of the PMT; `version` (0 to 31) is another one whenever the tracks are. */
export function pmtSection({ video, audio }: TsTracks, version: number): Buffer {
  const clock = video === null ? audioPid(audio!) : pid.video;
  const body = [0xe0 | (clock >> 8), clock & 0xff, 0xf0, 0x00];
  if (video !== null) body.push(...entry(video.fourCc === "avc1" ? 0x1b : 0x24, pid.video));
  if (audio !== null) body.push(...entry(audioType(audio), audioPid(audio)));
  return section(0x02, 1, version, body);
}

/** MPEG-1's sampling rates are a type, the lower ones of MPEG-2 another. */
function audioType({ fourCc, sampleRate }: AudioTrack): number {
  if (fourCc === "mp4a") return 0x0f;
  return sampleRate >= 32_000 ? 0x03 : 0x04;
}

function entry(type: number, at: number): number[] {
  return [type, 0xe0 | (at >> 8), at & 0xff, 0xf0, 0x00];
}

function section(tableId: number, id: number, version: number, body: readonly number[]): Buffer {
  const length = 5 + body.length + 4;
  const head = [tableId, 0xb0 | (length >> 8), length & 0xff, id >> 8, id & 0xff, 0xc1 | (version << 1), 0, 0];
  const out = Buffer.from([...head, ...body, 0, 0, 0, 0]);
  out.writeUInt32BE(checksum(out.subarray(0, -4)), out.length - 4);
  return out;
}

/** CRC-32 of MPEG-2: not reflected, without a final inversion. */
export function checksum(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 0x80000000) === 0 ? crc << 1 : (crc << 1) ^ 0x04c11db7;
  }
  return crc >>> 0;
}
