// What the beginning of a segment tells of it without decoding it: whether it is a transport stream, of which tracks, and its first time.
// It is for bytes that others wrote. Source: ISO/IEC 13818-1 sections 2.4.3 (packets, PES) and 2.4.4 (tables).

export interface TsFacts {
  /** Equal for segments that a player needs no new decoder for: the tracks, and the first parameter set of H.264. */
  readonly make: string;
  /** The presentation time of the first frame, in ticks of 90 kHz modulo 2³³; null where none has a time. */
  readonly startTicks: number | null;
}

const packetBytes = 188;
const syncByte = 0x47;
/** The tables and the first frame stand at the beginning. */
const mostPackets = 4000;
/** What is looked at of the first picture for its parameter set. */
const mostPictureBytes = 2048;
/** Times are a number of 33 bits. */
export const tsTimeModulo = 2 ** 33;

/** The facts; null: this is no transport stream, or one without tables. */
export function probeTs(bytes: Buffer): TsFacts | null {
  if (bytes.length === 0 || bytes.length % packetBytes !== 0) return null;
  let pmtPid: number | null = null;
  let tracks: readonly { readonly type: number; readonly pid: number }[] | null = null;
  let startTicks: number | null = null;
  let picture: Buffer | null = null;
  const end = Math.min(bytes.length, mostPackets * packetBytes);
  for (let at = 0; at < end; at += packetBytes) {
    const packet = bytes.subarray(at, at + packetBytes);
    if (packet[0] !== syncByte) return null;
    const pid = packet.readUInt16BE(1) & 0x1fff;
    const isStart = (packet[1]! & 0x40) !== 0;
    const payload = payloadOf(packet);
    if (payload === null) continue;
    if (pid === 0 && isStart) pmtPid ??= pmtPidOf(payload);
    else if (pid === pmtPid && isStart) tracks ??= tracksOf(payload);
    else if (tracks !== null) {
      const main = tracks.find(({ type }) => type === 0x1b || type === 0x24) ?? tracks[0];
      if (pid !== main?.pid) continue;
      if (isStart && startTicks !== null) break;
      if (isStart) startTicks = ptsOf(payload);
      if (startTicks === null) continue;
      picture = picture === null ? payload : Buffer.concat([picture, payload]);
      if (picture.length >= mostPictureBytes) break;
    }
  }
  if (tracks === null || tracks.length === 0) return null;
  const parts = tracks.map(({ type, pid }) => `${type.toString(16)}@${pid.toString(16)}`);
  return { make: [...parts, parameterSetOf(picture)].join(" "), startTicks };
}

function payloadOf(packet: Buffer): Buffer | null {
  const control = (packet[3]! >> 4) & 3;
  if ((control & 1) === 0) return null;
  const from = (control & 2) === 0 ? 4 : 5 + packet[4]!;
  return from < packetBytes ? packet.subarray(from) : null;
}

/** A section behind its pointer, as far as it stands in this packet. */
function sectionOf(payload: Buffer): Buffer {
  return payload.subarray(1 + (payload[0] ?? 0));
}

function pmtPidOf(payload: Buffer): number | null {
  const section = sectionOf(payload);
  for (let at = 8; at + 4 <= section.length - 4; at += 4) {
    const program = section.readUInt16BE(at);
    if (program !== 0) return section.readUInt16BE(at + 2) & 0x1fff;
  }
  return null;
}

function tracksOf(payload: Buffer): { readonly type: number; readonly pid: number }[] | null {
  const section = sectionOf(payload);
  if (section.length < 12) return null;
  const end = Math.min(section.length, 3 + (section.readUInt16BE(1) & 0xfff) - 4);
  const tracks = [];
  for (let at = 12 + (section.readUInt16BE(10) & 0xfff); at + 5 <= end;) {
    tracks.push({ type: section[at]!, pid: section.readUInt16BE(at + 1) & 0x1fff });
    at += 5 + (section.readUInt16BE(at + 3) & 0xfff);
  }
  return tracks;
}

function ptsOf(payload: Buffer): number | null {
  if (payload.length < 14 || payload.readUIntBE(0, 3) !== 1 || (payload[7]! & 0x80) === 0) return null;
  const high = (payload[9]! >> 1) & 7;
  return high * 2 ** 30 + (payload.readUInt16BE(10) >> 1) * 2 ** 15 + (payload.readUInt16BE(12) >> 1);
}

/** The first sequence parameter set of H.264 in what a picture begins with, in hexadecimal digits; empty: there is none. */
function parameterSetOf(picture: Buffer | null): string {
  if (picture === null) return "";
  for (let at = picture.indexOf("\0\0\x01", 0, "latin1"); at >= 0; at = picture.indexOf("\0\0\x01", at + 3, "latin1")) {
    if ((picture[at + 3]! & 0x1f) !== 7) continue;
    const end = picture.indexOf("\0\0\x01", at + 3, "latin1");
    return picture
      .subarray(at + 3, end < 0 ? at + 67 : end)
      .toString("hex")
      .replace(/(?:00)+$/, "");
  }
  return "";
}
