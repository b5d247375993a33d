// Frames → a transport stream: packets of 188 bytes that any player can be thrown into at a segment's beginning. It keeps what runs on
// from one segment to the next (continuity counters, the version of the tables), as plain data, so that whoever goes on writes the very
// bytes that this one would have written. Source: ISO/IEC 13818-1 sections 2.4.3.2 (packets), 2.4.3.4 (adaptation field), 2.4.3.6 (PES).
//
//   tables()  PAT ─ PMT                     first in a segment, and before each key frame
//   video()   PES of one picture            its first packet carries the clock, and whether decoding can start here
//   audio()   PES of several frames         carries the clock where there is no video
import { adtsHeadBytes, maxAdtsFrameBytes, writeAdtsHead } from "./adts.js";
import { annexBBytes, writeAnnexB } from "./annex-b.js";
import { headBytes, layPes, packetBytes, payloadBytes, type Packets } from "./packets.js";
import { audioPid, patSection, pid, pmtSection, type TsTracks } from "./tables.js";

/** What goes on from segment to segment, as JSON. */
export interface TsState {
  /** The counter of the next packet, by its packet identifier. */
  readonly counters: Record<number, number>;
  version: number;
}

export function makeTsState(): TsState {
  return { counters: {}, version: 0 };
}

/** Added to all times, so that neither the clock nor a picture is ever before 0. */
const offsetTicks = 126_000;
/** How far the clock is behind the decoding time: what a decoder may buffer. */
const clockBehindTicks = 63_000;
const wrapTicks = 2 ** 33;
const clockFieldBytes = 8;
const pesHeadBytes = 9;
const timeBytes = 5;
/** A PES of video that is longer has no length. */
const longestPes = 0xffff;
const videoStreamId = 0xe0;
const audioStreamId = 0xc0;

export interface Picture {
  /** In ticks of 1/90000 s, from any origin; may be beyond 33 bits. */
  readonly dtsTicks: number;
  /** Not before the decoding time. */
  readonly ptsTicks: number;
  readonly isKeyFrame: boolean;
  /** NAL units, a length before each. */
  readonly body: Buffer;
}

/** Writes transport streams of one make. Nothing to close. */
export class TsWriter {
  private readonly tracks: TsTracks;
  private readonly state: TsState;
  private readonly pmt: Buffer;

  /** Goes on with a state, which is its own from now on. */
  constructor(tracks: TsTracks, state: TsState) {
    this.tracks = tracks;
    this.state = state;
    this.pmt = pmtSection(tracks, state.version);
  }

  /** PAT and PMT. */
  tables(out: Packets): void {
    const at = out.reserve(2);
    this.table(out.bytes, at, pid.pat, patSection);
    this.table(out.bytes, at + packetBytes, pid.pmt, this.pmt);
  }

  /** One picture, with the tables before a key frame; nothing of bytes that are no picture. */
  video(out: Packets, { dtsTicks, ptsTicks, isKeyFrame, body }: Picture): void {
    const { video } = this.tracks;
    const bodyBytes = video === null ? 0 : annexBBytes(video, body, isKeyFrame);
    if (video === null || bodyBytes === 0) return;
    if (isKeyFrame) this.tables(out);
    const pes = beginPes(out, pesHeadBytes + (ptsTicks === dtsTicks ? timeBytes : 2 * timeBytes) + bodyBytes, clockFieldBytes);
    const from = writePesHead(pes.laid, videoStreamId, ptsTicks, dtsTicks, bodyBytes);
    writeAnnexB(pes.laid, from, video, body, isKeyFrame);
    spreadPes(out, pes);
    this.heads(out.bytes, pes, pid.video);
    clockField(out.bytes, pes, dtsTicks + offsetTicks - clockBehindTicks, isKeyFrame);
  }

  /** Frames that follow each other; those that are too long for their head are left out. */
  audio(out: Packets, ptsTicks: number, frames: readonly Buffer[]): void {
    const { audio, video } = this.tracks;
    if (audio === null) return;
    const isAac = audio.fourCc === "mp4a";
    let bodyBytes = 0;
    for (const { length } of frames) bodyBytes += isAac ? (length > maxAdtsFrameBytes ? 0 : adtsHeadBytes + length) : length;
    if (bodyBytes === 0) return;
    const at = audioPid(audio);
    const pes = beginPes(out, pesHeadBytes + timeBytes + bodyBytes, video === null ? clockFieldBytes : 0);
    let to = writePesHead(pes.laid, audioStreamId, ptsTicks, ptsTicks, bodyBytes);
    for (const frame of frames) {
      if (isAac && frame.length > maxAdtsFrameBytes) continue;
      if (isAac) {
        writeAdtsHead(pes.laid, to, audio, frame.length);
        to += adtsHeadBytes;
      }
      pes.laid.set(frame, to);
      to += frame.length;
    }
    spreadPes(out, pes);
    this.heads(out.bytes, pes, at);
    if (video === null) clockField(out.bytes, pes, ptsTicks + offsetTicks - clockBehindTicks, true);
  }

  private table(out: Buffer, to: number, at: number, section: Buffer): void {
    writeHead(out, to, at, this.count(at, 1), true);
    out[to + headBytes] = 0; // the section begins at once
    out.set(section, to + headBytes + 1);
    out.fill(0xff, to + headBytes + 1 + section.length, to + packetBytes);
  }

  /** The heads of all packets, and what fills them up. */
  private heads(out: Buffer, { at: from, packets, fieldBytes, restBytes }: Pes, at: number): void {
    const counter = this.count(at, packets);
    for (let index = 0; index < packets; index++) writeHead(out, from + index * packetBytes, at, counter + index, index === 0);
    if (fieldBytes > 0 && packets > 1) emptyField(out, from, fieldBytes);
    if (restBytes < payloadBytes) emptyField(out, from + (packets - 1) * packetBytes, payloadBytes - restBytes);
  }

  /** The counter of the first of so many packets, which count from now on. */
  private count(at: number, packets: number): number {
    const { counters } = this.state;
    const counter = counters[at] ?? 0;
    counters[at] = (counter + packets) & 15;
    return counter;
  }
}

/** Where a PES lies, and what its packets are. */
interface Pes {
  /** Its first packet. */
  readonly at: number;
  /** Its bytes, before they are spread. */
  readonly laid: Buffer;
  readonly bytes: number;
  readonly packets: number;
  /** Before the bytes of its first packet. */
  readonly fieldBytes: number;
  /** In its last packet, which may be the first. */
  readonly restBytes: number;
}

function beginPes(out: Packets, bytes: number, fieldBytes: number): Pes {
  const firstRoom = payloadBytes - fieldBytes;
  const packets = bytes <= firstRoom ? 1 : 1 + Math.ceil((bytes - firstRoom) / payloadBytes);
  const restBytes = packets === 1 ? bytes : bytes - firstRoom - (packets - 2) * payloadBytes;
  return { at: out.reserve(packets), laid: layPes(bytes), bytes, packets, fieldBytes, restBytes };
}

function spreadPes(out: Packets, { at, bytes, packets, fieldBytes, restBytes }: Pes): void {
  if (packets > 1) {
    const firstBytes = payloadBytes - fieldBytes;
    out.put(0, at + headBytes + fieldBytes, firstBytes);
    out.spread(firstBytes, at + packetBytes, packets - 2);
  }
  out.putEnd(bytes - restBytes, at + packets * packetBytes - restBytes, restBytes);
}

function writeHead(out: Buffer, to: number, at: number, counter: number, isFirst: boolean): void {
  out[to] = 0x47;
  out[to + 1] = (isFirst ? 0x40 : 0) | (at >> 8);
  out[to + 2] = at & 0xff;
  out[to + 3] = 0x10 | (counter & 15);
}

/** Begins what is laid, and returns where it ends. */
function writePesHead(out: Buffer, streamId: number, ptsTicks: number, dtsTicks: number, bodyBytes: number): number {
  const hasBoth = ptsTicks !== dtsTicks;
  const timesBytes = hasBoth ? 2 * timeBytes : timeBytes;
  const length = 3 + timesBytes + bodyBytes;
  const told = length > longestPes ? 0 : length;
  out[0] = out[1] = 0;
  out[2] = 1;
  out[3] = streamId;
  out[4] = told >> 8;
  out[5] = told & 0xff;
  out[6] = 0x84; // aligned to a frame
  out[7] = hasBoth ? 0xc0 : 0x80;
  out[8] = timesBytes;
  writeTime(out, pesHeadBytes, hasBoth ? 3 : 2, ptsTicks + offsetTicks);
  if (hasBoth) writeTime(out, pesHeadBytes + timeBytes, 1, dtsTicks + offsetTicks);
  return pesHeadBytes + timesBytes;
}

/** 33 bits in five bytes with markers between. */
function writeTime(out: Buffer, at: number, mark: number, ticks: number): void {
  const time = modulo(ticks);
  const high = Math.floor(time / 2 ** 30);
  const middle = Math.floor(time / 2 ** 15) & 0x7fff;
  const low = time % 2 ** 15;
  out[at] = (mark << 4) | (high << 1) | 1;
  out[at + 1] = middle >> 7;
  out[at + 2] = ((middle << 1) & 0xff) | 1;
  out[at + 3] = low >> 7;
  out[at + 4] = ((low << 1) & 0xff) | 1;
}

/** An adaptation field that says nothing, of so many bytes with its length. */
function emptyField(out: Buffer, packetAt: number, sizeBytes: number): void {
  out[packetAt + 3]! |= 0x20;
  const at = packetAt + headBytes;
  out[at] = sizeBytes - 1;
  if (sizeBytes === 1) return;
  out[at + 1] = 0;
  out.fill(0xff, at + 2, at + sizeBytes);
}

/** Says the time in the field of the first packet. */
function clockField(out: Buffer, { at: packetAt }: Pes, ticks: number, isRandomAccess: boolean): void {
  const at = packetAt + headBytes;
  const base = modulo(ticks);
  const high = Math.floor(base / 2);
  out[at + 1] = 0x10 | (isRandomAccess ? 0x40 : 0);
  out[at + 2] = high >>> 24;
  out[at + 3] = (high >>> 16) & 0xff;
  out[at + 4] = (high >>> 8) & 0xff;
  out[at + 5] = high & 0xff;
  out[at + 6] = ((base % 2) << 7) | 0x7e;
  out[at + 7] = 0;
}

function modulo(ticks: number): number {
  return ((ticks % wrapTicks) + wrapTicks) % wrapTicks;
}
