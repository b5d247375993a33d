// The head of an MP4: which tracks there are, and, in a file that is finished, where each frame stands. One that grows says only that
// fragments follow (fragment.ts). Source: ISO/IEC 14496-12 sections 8.2 to 8.8, ISO/IEC 14496-14 section 5.6 (esds), ISO/IEC 14496-15.
import type { AudioTrack, VideoTrack } from "../av-track.js";
import { box, fullBox, u16, u32, u64 } from "./box.js";

/** What a file is made of; not both are null. */
export interface Mp4Tracks {
  readonly video: VideoTrack | null;
  readonly audio: AudioTrack | null;
}

export const trackId = { video: 1, audio: 2 } as const;
export const videoTimescale = 90_000;
const movieTimescale = 1000;
/** Tracks are shown from the beginning on; a frame of audio is known by its place. */
const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000);
const undetermined = u16(0x55c4, 0);

/** Frames of one track in a finished file, as its tables tell of them. */
export interface SampleTable {
  /** When its first frame is decoded, in ticks of the track. */
  readonly startTicks: number;
  /** From there: when the first frame is shown, and when the last one has been. */
  readonly shown: { readonly fromTicks: number; readonly toTicks: number };
  /** Runs of frames of one length. */
  readonly durations: readonly (readonly [count: number, ticks: number])[];
  /** Runs of frames of one distance between decoding and display; empty: there is none. */
  readonly compositions: readonly (readonly [count: number, ticks: number])[];
  readonly sizes: readonly number[];
  /** Where each chunk begins, from the beginning of the media, and how many frames it has. */
  readonly chunks: readonly { readonly offsetBytes: number; readonly count: number }[];
  /** Numbers (from 1) of frames that decoding can start at; null: all. */
  readonly keys: readonly number[] | null;
}

/** The beginning of a file that grows by fragments. */
export function initSegment(tracks: Mp4Tracks): Buffer {
  const ids = listOf(tracks).map(({ id }) => id);
  const extends_ = ids.map((id) => fullBox("trex", 0, 0, u32(id, 1, 0, 0, 0)));
  const traks = listOf(tracks).map((track) => trak(track, null));
  const ftyp = box("ftyp", Buffer.from("iso6"), u32(1), Buffer.from("iso6cmfcmp41"));
  return Buffer.concat([ftyp, box("moov", mvhd(0), ...traks, box("mvex", ...extends_))]);
}

/** The beginning of a finished file: `mdatAt` is where the media will begin when this stands in front of it. */
export function finishedHead(
  tracks: Mp4Tracks,
  tables: { readonly video: SampleTable | null; readonly audio: SampleTable | null },
): Buffer {
  const ftyp = box("ftyp", Buffer.from("isom"), u32(0x200), Buffer.from("isomiso6mp41"));
  const moovAt = (mdatAt: number): Buffer => {
    const list = listOf(tracks).map((track) => ({ track, table: track.id === trackId.video ? tables.video : tables.audio }));
    const durations = list.map(({ track, table }) => (table === null ? 0 : shownOf(table, track.timescale).end));
    const traks = list.map(({ track, table }) => trak(track, table === null ? null : { table, mdatAt }));
    return box("moov", mvhd(Math.max(0, ...durations)), ...traks);
  };
  // Offsets have a fixed size, so the head is as long whatever stands in them.
  const bytes = ftyp.length + moovAt(0).length;
  return Buffer.concat([ftyp, moovAt(bytes + mdatHeadBytes)]);
}

/** The head of the media behind {@link finishedHead}, always with a length of 64 bits. */
const mdatHeadBytes = 16;
export function mdatHead(bodyBytes: number): Buffer {
  return Buffer.concat([u32(1), Buffer.from("mdat"), u64(bodyBytes + mdatHeadBytes)]);
}

type Listed = { readonly id: number; readonly timescale: number } & (
  | { readonly kind: "video"; readonly of: VideoTrack }
  | { readonly kind: "audio"; readonly of: AudioTrack }
);

function listOf({ video, audio }: Mp4Tracks): Listed[] {
  const list: Listed[] = [];
  if (video !== null) list.push({ id: trackId.video, timescale: videoTimescale, kind: "video", of: video });
  if (audio !== null) list.push({ id: trackId.audio, timescale: audio.sampleRate, kind: "audio", of: audio });
  return list;
}

function ticksOf({ durations }: SampleTable): number {
  return durations.reduce((sum, [count, ticks]) => sum + count * ticks, 0);
}

function movieTicks(ticks: number, timescale: number): number {
  return Math.round((ticks * movieTimescale) / timescale);
}

/** When a track is shown in the movie, and with which place of its media that begins. */
function shownOf({ startTicks, shown }: SampleTable, timescale: number): { start: number; end: number; mediaTicks: number } {
  const { fromTicks, toTicks } = shown;
  return { start: movieTicks(startTicks + fromTicks, timescale), end: movieTicks(startTicks + toTicks, timescale), mediaTicks: fromTicks };
}

function mvhd(duration: number): Buffer {
  const rest = [u32(0x10000), u16(0x0100, 0), u32(0, 0), matrix, u32(0, 0, 0, 0, 0, 0), u32(3)];
  return fullBox("mvhd", 1, 0, u64(0), u64(0), u32(movieTimescale), u64(duration), ...rest);
}

interface Filled {
  readonly table: SampleTable;
  readonly mdatAt: number;
}

function trak(track: Listed, filled: Filled | null): Buffer {
  const { id, timescale, kind } = track;
  const ticks = filled === null ? 0 : ticksOf(filled.table);
  const shown = filled === null ? { start: 0, end: 0, mediaTicks: 0 } : shownOf(filled.table, timescale);
  const [width, height] = track.kind === "video" ? [track.of.width, track.of.height] : [0, 0];
  const size = u32(width * 0x10000, height * 0x10000);
  const tkhd = fullBox(
    "tkhd",
    1,
    3,
    u64(0),
    u64(0),
    u32(id, 0),
    u64(shown.end),
    u32(0, 0),
    u16(0, 0, kind === "audio" ? 0x0100 : 0, 0),
    matrix,
    size,
  );
  // A track that begins later is empty until then, and shown to the end of what is shown last.
  const edit = (length: number, from: number): Buffer => Buffer.concat([u64(length), u32(from < 0 ? -1 : 0, from), u16(1, 0)]);
  const whole = edit(shown.end - shown.start, shown.mediaTicks);
  const edits = shown.start > 0 ? [box("edts", fullBox("elst", 1, 0, u32(2), edit(shown.start, -1), whole))] : [];
  const mdhd = fullBox("mdhd", 1, 0, u64(0), u64(0), u32(timescale), u64(ticks), undetermined);
  const name = kind === "video" ? "vide" : "soun";
  const hdlr = fullBox("hdlr", 0, 0, u32(0), Buffer.from(name), u32(0, 0, 0), Buffer.from("dolphin\0"));
  const header = kind === "video" ? fullBox("vmhd", 0, 1, u16(0, 0, 0, 0)) : fullBox("smhd", 0, 0, u16(0, 0));
  const dinf = box("dinf", fullBox("dref", 0, 0, u32(1), fullBox("url ", 0, 1)));
  const entry = track.kind === "video" ? videoEntry(track.of) : audioEntry(track.of);
  const stbl = box("stbl", fullBox("stsd", 0, 0, u32(1), entry), ...(filled === null ? emptyTables : tablesOf(filled)));
  return box("trak", tkhd, ...edits, box("mdia", mdhd, hdlr, box("minf", header, dinf, stbl)));
}

const emptyTables = [
  fullBox("stts", 0, 0, u32(0)),
  fullBox("stsc", 0, 0, u32(0)),
  fullBox("stsz", 0, 0, u32(0, 0)),
  fullBox("stco", 0, 0, u32(0)),
];

function tablesOf({ table, mdatAt }: Filled): Buffer[] {
  const { durations, compositions, sizes, chunks, keys } = table;
  const runs = (pairs: SampleTable["durations"]): Buffer =>
    bigList(pairs, ([count, ticks], out, at) => (out.writeUInt32BE(count, at), out.writeUInt32BE(ticks >>> 0, at + 4)), 8);
  const perChunk: number[] = [];
  chunks.forEach(({ count }, index) => {
    if (chunks[index - 1]?.count !== count) perChunk.push(index + 1, count, 1);
  });
  return [
    fullBox("stts", 0, 0, runs(durations)),
    ...(compositions.length > 0 ? [fullBox("ctts", 1, 0, runs(compositions))] : []),
    ...(keys === null
      ? []
      : [
          fullBox(
            "stss",
            0,
            0,
            bigList(keys, (key, out, at) => out.writeUInt32BE(key, at), 4),
          ),
        ]),
    fullBox("stsc", 0, 0, u32(perChunk.length / 3), Buffer.concat(inGroups(perChunk))),
    fullBox(
      "stsz",
      0,
      0,
      u32(0),
      bigList(sizes, (size, out, at) => out.writeUInt32BE(size, at), 4),
    ),
    fullBox(
      "co64",
      0,
      0,
      bigList(chunks, ({ offsetBytes }, out, at) => u64(mdatAt + offsetBytes).copy(out, at), 8),
    ),
  ];
}

/** A count and as many entries, which may be more than a call takes arguments. */
function bigList<T>(list: readonly T[], write: (one: T, out: Buffer, at: number) => void, entryBytes: number): Buffer {
  const out = Buffer.alloc(4 + list.length * entryBytes);
  out.writeUInt32BE(list.length);
  list.forEach((one, index) => write(one, out, 4 + index * entryBytes));
  return out;
}

function inGroups(values: readonly number[]): Buffer[] {
  const groups: Buffer[] = [];
  for (let at = 0; at < values.length; at += 3000) groups.push(u32(...values.slice(at, at + 3000)));
  return groups;
}

function videoEntry({ fourCc, record, width, height }: VideoTrack): Buffer {
  const head = [u32(0), u16(0, 1, 0, 0), u32(0, 0, 0), u16(width, height), u32(0x480000, 0x480000, 0), u16(1), Buffer.alloc(32)];
  return box(fourCc, ...head, u16(24, 0xffff), box({ avc1: "avcC", hvc1: "hvcC", av01: "av1C" }[fourCc], record));
}

/** Source: Encapsulation of Opus in ISO Base Media File Format, section 4.3. */
function opusEntry({ record, channels, sampleRate }: AudioTrack): Buffer {
  const specific = Buffer.from(record.subarray(8));
  specific[0] = 0; // its own version, and what follows is the other way round
  specific.writeUInt16BE(record.readUInt16LE(10), 2);
  specific.writeUInt32BE(record.readUInt32LE(12), 4);
  specific.writeInt16BE(record.readInt16LE(16), 8);
  return box("Opus", u32(0), u16(0, 1), u32(0, 0), u16(channels, 16, 0, 0), u32(sampleRate * 0x10000), box("dOps", specific));
}

function audioEntry(track: AudioTrack): Buffer {
  const { fourCc, record, channels, sampleRate } = track;
  if (fourCc === "Opus") return opusEntry(track);
  const isAac = fourCc === "mp4a";
  const objectType = isAac ? 0x40 : sampleRate >= 32_000 ? 0x6b : 0x69;
  const specific = isAac ? descriptor(5, record) : Buffer.alloc(0);
  const config = descriptor(4, Buffer.of(objectType, 0x15, 0, 0, 0), u32(0, 0), specific);
  const esds = fullBox("esds", 0, 0, descriptor(3, u16(0), Buffer.of(0), config, descriptor(6, Buffer.of(2))));
  const rate = sampleRate < 0x10000 ? sampleRate * 0x10000 : 0;
  return box("mp4a", u32(0), u16(0, 1), u32(0, 0), u16(channels, 16, 0, 0), u32(rate), esds);
}

function descriptor(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag, 0x80, 0x80, 0x80, body.length), body]);
}
