// Frames → a transport stream: packets of 188 bytes that any player can be thrown into at a segment's beginning. It keeps what runs on
// from one segment to the next (continuity counters, the version of the tables), as plain data, so that whoever goes on writes the very
// bytes that this one would have written. Source: ISO/IEC 13818-1 sections 2.4.3.2 (packets), 2.4.3.4 (adaptation field), 2.4.3.6 (PES).
//
//   tables()  PAT ─ PMT                     first in a segment, and before each key frame
//   video()   PES of one picture            its first packet carries the clock, and whether decoding can start here
//   audio()   PES of several frames         carries the clock where there is no video
import type { AudioTrack } from "../av-track.js";
import { adtsHead, maxAdtsFrameBytes } from "./adts.js";
import { annexB } from "./annex-b.js";
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
const packetBytes = 188;
const headBytes = 4;
const payloadBytes = packetBytes - headBytes;
const clockFieldBytes = 8;
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
  tables(): Buffer {
    const out = Buffer.alloc(2 * packetBytes, 0xff);
    this.table(out, 0, pid.pat, patSection);
    this.table(out, packetBytes, pid.pmt, this.pmt);
    return out;
  }

  /** One picture, with the tables before a key frame; empty for bytes that are no picture. */
  video({ dtsTicks, ptsTicks, isKeyFrame, body }: Picture): Buffer {
    const { video } = this.tracks;
    const pieces = video === null ? [] : annexB(video, body, isKeyFrame);
    if (pieces.length === 0) return Buffer.alloc(0);
    const times = ptsTicks === dtsTicks ? [ptsTicks] : [ptsTicks, dtsTicks];
    const clock = { ticks: dtsTicks + offsetTicks - clockBehindTicks, isRandomAccess: isKeyFrame };
    const pes = this.pes({ at: pid.video, streamId: videoStreamId, times, pieces, clock });
    return isKeyFrame ? Buffer.concat([this.tables(), pes]) : pes;
  }

  /** Frames that follow each other; those that are too long for their head are left out. */
  audio(ptsTicks: number, frames: readonly Buffer[]): Buffer {
    const { audio, video } = this.tracks;
    if (audio === null) return Buffer.alloc(0);
    const pieces = frames.flatMap((frame) => piecesOf(audio, frame));
    if (pieces.length === 0) return Buffer.alloc(0);
    const clock = video === null ? { ticks: ptsTicks + offsetTicks - clockBehindTicks, isRandomAccess: true } : null;
    return this.pes({ at: audioPid(audio), streamId: audioStreamId, times: [ptsTicks], pieces, clock });
  }

  private pes({ at, streamId, times, pieces, clock }: Pes): Buffer {
    const head = pesHead(streamId, times, sizeOf(pieces));
    const total = head.length + sizeOf(pieces);
    const firstRoom = payloadBytes - (clock === null ? 0 : clockFieldBytes);
    const packets = total <= firstRoom ? 1 : 1 + Math.ceil((total - firstRoom) / payloadBytes);
    const out = Buffer.allocUnsafe(packets * packetBytes);
    const from = new Pieces([head, ...pieces]);
    for (let index = 0, left = total; index < packets; index++) {
      const to = index * packetBytes;
      this.head(out, to, at, index === 0);
      const field = index === 0 && clock !== null ? clockFieldBytes : 0;
      const taken = Math.min(left, payloadBytes - field);
      const fieldBytes = payloadBytes - taken;
      if (fieldBytes > 0) {
        out[to + 3]! |= 0x20;
        adaptationField(out, to + headBytes, fieldBytes, field > 0 ? clock : null);
      }
      from.copy(out, to + headBytes + fieldBytes, taken);
      left -= taken;
    }
    return out;
  }

  private table(out: Buffer, to: number, at: number, section: Buffer): void {
    this.head(out, to, at, true);
    out[to + headBytes] = 0; // the section begins at once
    section.copy(out, to + headBytes + 1);
  }

  private head(out: Buffer, to: number, at: number, isFirst: boolean): void {
    const { counters } = this.state;
    const counter = counters[at] ?? 0;
    counters[at] = (counter + 1) & 15;
    out[to] = 0x47;
    out[to + 1] = (isFirst ? 0x40 : 0) | (at >> 8);
    out[to + 2] = at & 0xff;
    out[to + 3] = 0x10 | counter;
  }
}

interface Clock {
  readonly ticks: number;
  readonly isRandomAccess: boolean;
}

interface Pes {
  readonly at: number;
  readonly streamId: number;
  /** Of display, and of decoding where that is another one. */
  readonly times: readonly number[];
  readonly pieces: readonly Buffer[];
  readonly clock: Clock | null;
}

function piecesOf(audio: AudioTrack, frame: Buffer): Buffer[] {
  if (audio.fourCc !== "mp4a") return [frame];
  return frame.length > maxAdtsFrameBytes ? [] : [adtsHead(audio, frame.length), frame];
}

function pesHead(streamId: number, times: readonly number[], bodyBytes: number): Buffer {
  const timeBytes = 5 * times.length;
  const length = 3 + timeBytes + bodyBytes;
  const head = Buffer.alloc(9 + timeBytes);
  head.writeUIntBE(1, 0, 3);
  head[3] = streamId;
  head.writeUInt16BE(length > longestPes ? 0 : length, 4);
  head[6] = 0x84; // aligned to a frame
  head[7] = times.length === 2 ? 0xc0 : 0x80;
  head[8] = timeBytes;
  times.forEach((ticks, index) => writeTime(head, 9 + 5 * index, times.length === 2 ? 3 - 2 * index : 2, ticks + offsetTicks));
  return head;
}

/** 33 bits in five bytes with markers between. */
function writeTime(out: Buffer, at: number, mark: number, ticks: number): void {
  const time = modulo(ticks);
  const high = Math.floor(time / 2 ** 30);
  const middle = Math.floor(time / 2 ** 15) & 0x7fff;
  const low = time % 2 ** 15;
  out[at] = (mark << 4) | (high << 1) | 1;
  out.writeUInt16BE((middle << 1) | 1, at + 1);
  out.writeUInt16BE((low << 1) | 1, at + 3);
}

function adaptationField(out: Buffer, at: number, sizeBytes: number, clock: Clock | null): void {
  out[at] = sizeBytes - 1;
  if (sizeBytes === 1) return;
  out[at + 1] = clock === null ? 0 : 0x10 | (clock.isRandomAccess ? 0x40 : 0);
  let to = at + 2;
  if (clock !== null) {
    const base = modulo(clock.ticks);
    out.writeUInt32BE(Math.floor(base / 2), to);
    out[to + 4] = ((base % 2) << 7) | 0x7e;
    out[to + 5] = 0;
    to += 6;
  }
  out.fill(0xff, to, at + sizeBytes);
}

function modulo(ticks: number): number {
  return ((ticks % wrapTicks) + wrapTicks) % wrapTicks;
}

function sizeOf(pieces: readonly Buffer[]): number {
  return pieces.reduce((bytes, { length }) => bytes + length, 0);
}

/** Buffers behind each other, read once from the front. */
class Pieces {
  private readonly pieces: readonly Buffer[];
  private index = 0;
  private at = 0;

  constructor(pieces: readonly Buffer[]) {
    this.pieces = pieces;
  }

  copy(out: Buffer, to: number, count: number): void {
    for (let left = count, at = to; left > 0;) {
      const piece = this.pieces[this.index]!;
      const copied = piece.copy(out, at, this.at, this.at + left);
      at += copied;
      left -= copied;
      this.at += copied;
      if (this.at < piece.length) continue;
      this.index += 1;
      this.at = 0;
    }
  }
}
