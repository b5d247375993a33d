// A fragment: the frames of a moment, of all tracks, with where and when each is. What a file grows by, and what a segment is made of.
// It may carry a note of its writer's, in a box that every reader skips. Source: ISO/IEC 14496-12 sections 8.8.4 to 8.8.12.
import { box, boxesIn, fullBox, readU64, u32, u64 } from "./box.js";
import { trackId } from "./moov.js";

export interface Sample {
  readonly durationTicks: number;
  /** From decoding to display, in ticks; may be negative. */
  readonly compositionTicks: number;
  readonly isKeyFrame: boolean;
  readonly body: Buffer;
}

/** Frames of one track that follow each other. */
export interface Run {
  readonly track: "video" | "audio";
  readonly startTicks: number;
  readonly samples: readonly Sample[];
}

/** What is read of a frame. */
interface ReadSample extends Omit<Sample, "body"> {
  readonly sizeBytes: number;
}

export interface ReadRun {
  readonly track: "video" | "audio";
  readonly startTicks: number;
  /** From the beginning of the fragment's first box of the kind `moof`. */
  readonly offsetBytes: number;
  readonly samples: readonly ReadSample[];
}

/** A fragment's place in the file that has grown. */
export interface FoundFragment {
  /** Where its media begins, and how much there is. */
  readonly mediaAt: number;
  readonly mediaBytes: number;
  /** Where its `moof` begins: runs count from there. */
  readonly moofAt: number;
  readonly runs: readonly ReadRun[];
}

const baseIsMoof = 0x20000;
/** Offset, and of each sample: duration, size, flags, composition. */
const runFlags = 0x1 | 0x100 | 0x200 | 0x400 | 0x800;
const keyFlags = 0x02000000;
const otherFlags = 0x01010000;
const noteName = Buffer.from("dolphin ", "latin1");

/** A fragment of runs that have samples, and its media. `note` stands in front of both. */
export function fragment(sequence: number, runs: readonly Run[], note: Buffer | null = null): Buffer {
  const bodies = runs.map(({ samples }) => Buffer.concat(samples.map(({ body }) => body)));
  const moofWith = (offsets: readonly number[]): Buffer =>
    box("moof", fullBox("mfhd", 0, 0, u32(sequence)), ...runs.map((run, index) => traf(run, offsets[index] ?? 0)));
  const bytes = moofWith([]).length;
  let at = bytes + 8;
  const offsets = bodies.map(({ length }) => {
    const offset = at;
    at += length;
    return offset;
  });
  const noted = note === null ? [] : [box("skip", noteName, note)];
  return Buffer.concat([...noted, moofWith(offsets), box("mdat", ...bodies)]);
}

/** The note in a box of the kind `skip`; null: it is no note of ours. */
export function noteIn(skip: Buffer): Buffer | null {
  return skip.subarray(0, noteName.length).equals(noteName) ? skip.subarray(noteName.length) : null;
}

/** The runs of a box `moof` as {@link fragment} writes it; empty where it is none of ours. */
export function runsIn(moof: Buffer): ReadRun[] {
  return boxesIn(moof).flatMap(({ type, body }) => {
    const run = type === "traf" ? readTraf(body) : null;
    return run === null ? [] : [run];
  });
}

function traf({ track, startTicks, samples }: Run, offset: number): Buffer {
  const entries = Buffer.allocUnsafe(16 * samples.length);
  samples.forEach(({ durationTicks, compositionTicks, isKeyFrame, body }, index) => {
    const at = 16 * index;
    entries.writeUInt32BE(durationTicks, at);
    entries.writeUInt32BE(body.length, at + 4);
    entries.writeUInt32BE(isKeyFrame || track === "audio" ? keyFlags : otherFlags, at + 8);
    entries.writeInt32BE(compositionTicks, at + 12);
  });
  const tfhd = fullBox("tfhd", 0, baseIsMoof, u32(trackId[track]));
  const tfdt = fullBox("tfdt", 1, 0, u64(startTicks));
  return box("traf", tfhd, tfdt, fullBox("trun", 1, runFlags, u32(samples.length, offset), entries));
}

function readTraf(body: Buffer): ReadRun | null {
  const inside = new Map(boxesIn(body).map((one) => [one.type, one.body]));
  const tfhd = inside.get("tfhd");
  const tfdt = inside.get("tfdt");
  const trun = inside.get("trun");
  if (tfhd === undefined || tfdt === undefined || trun === undefined || tfdt.length < 12 || trun.length < 12) return null;
  const count = trun.readUInt32BE(4);
  if (trun.readUInt32BE(0) !== ((1 << 24) | runFlags) || trun.length !== 12 + 16 * count) return null;
  const samples = Array.from({ length: count }, (_, index): ReadSample => {
    const at = 12 + 16 * index;
    return {
      durationTicks: trun.readUInt32BE(at),
      sizeBytes: trun.readUInt32BE(at + 4),
      isKeyFrame: trun.readUInt32BE(at + 8) === keyFlags,
      compositionTicks: trun.readInt32BE(at + 12),
    };
  });
  const track = tfhd.readUInt32BE(4) === trackId.video ? "video" : "audio";
  return { track, startTicks: readU64(tfdt, 4), offsetBytes: trun.readUInt32BE(8), samples };
}
