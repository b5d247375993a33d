// A recording as MP4. While it grows it is fragmented: every second, or at a key frame, what has come is appended as a whole, with a note
// of where in the stream it ends, so a death costs that second at most, and nothing where the origin still has it. Its end makes a plain
// file of it, head first, which any player can seek in.
import { open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { messageOf, type DolphinError } from "../../base/errors.js";
import type { Position } from "../../base/position.js";
import { isSameTrack } from "../../codec/av-track.js";
import { maxBoxHeadBytes, readBoxHead } from "../../codec/mp4/box.js";
import { finishedFront } from "../../codec/mp4/finish.js";
import { fragment, noteIn, runsIn, type FoundFragment, type Run, type Sample } from "../../codec/mp4/fragment.js";
import { initSegment, videoTimescale, type Mp4Tracks } from "../../codec/mp4/moov.js";
import { messageType } from "../../codec/rtmp/message.js";
import { positionAfter } from "../../stream/catch-up.js";
import type { Packet } from "../../stream/packet.js";
import { tickOf, type AudioClock } from "../media/audio-clock.js";
import { FrameReader } from "../media/frames.js";
import { FileWriter } from "./file-writer.js";
import { temporaryOf } from "./flv-recording.js";
import type { Ended, LeftOff, Recording } from "./recording.js";

/** How much of a recording is appended at once. */
const fragmentMs = 1000;
const ticksPerMs = 90;
/** Of the last picture, whose end nobody has seen. */
const lastPictureTicks = 40 * ticksPerMs;
const copyBytes = 1 << 20;

export interface Mp4Options {
  readonly path: string;
  /** What describes the stream. */
  readonly headers: readonly Packet[];
  readonly onError: (error: DolphinError) => void;
  readonly leftOff: LeftOff | null;
}

interface Pending {
  readonly ticks: number;
  readonly compositionTicks: number;
  readonly isKeyFrame: boolean;
  readonly body: Buffer;
}

export class Mp4Recording implements Recording {
  private readonly path: string;
  private readonly file: FileWriter;
  private readonly reader = new FrameReader();
  private tracks: Mp4Tracks | null = null;
  private video: Pending[] = [];
  private audio: Pending[] = [];
  private readonly clock: AudioClock = { nextTicks: null };
  private sequence = 0;
  private startedMs = 0;
  private durationMs: number;
  private before: Position | null;
  private readonly isResumed: boolean;

  constructor({ path, headers, onError, leftOff }: Mp4Options) {
    this.path = path;
    this.isResumed = leftOff !== null && leftOff.position !== null;
    this.before = leftOff?.position ?? null;
    this.durationMs = leftOff?.durationMs ?? 0;
    for (const header of headers) this.reader.take(header);
    this.file = new FileWriter(temporaryOf(path), onError, this.isResumed ? leftOff!.keptBytes : null);
  }

  get hasFailed(): boolean {
    return this.file.hasFailed;
  }

  get sizeBytes(): number {
    return this.file.sizeBytes;
  }

  fits(packet: Packet): boolean {
    if (packet.type === messageType.data || this.tracks === null) return true;
    const isNew = packet.type === messageType.audio && this.tracks.audio === null; // an MP3 tells of itself in each frame
    if (!packet.isHeader && !isNew) return true;
    const probe = new FrameReader();
    probe.take(packet);
    const [now, next] = packet.type === messageType.video ? [this.tracks.video, probe.video] : [this.tracks.audio, probe.audio];
    return next === null || isSameTrack(now, next);
  }

  write(packet: Packet, timeMs: number): void {
    const frame = this.reader.take(packet);
    if (frame !== null) {
      this.begin();
      const { kind, isKeyFrame, body, compositionMs } = frame;
      const isDue = timeMs - this.startedMs >= fragmentMs || (kind === "video" && isKeyFrame);
      const isPicture = kind === "video" || this.video.length === 0 || timeMs - this.startedMs >= 2 * fragmentMs;
      if (isDue && isPicture) this.append(kind === "video" ? timeMs * ticksPerMs : null);
      if (this.video.length + this.audio.length === 0) this.startedMs = timeMs;
      const memory = Buffer.from(body); // fragments outlive the memory that packets came in
      const isOwn = this.reader[kind] === this.tracks![kind]; // what a track has become, or a new one, is for another file
      if (isOwn && kind === "video") {
        this.video.push({ ticks: timeMs * ticksPerMs, compositionTicks: compositionMs * ticksPerMs, isKeyFrame, body: memory });
      } else if (isOwn && kind === "audio") {
        const { frameSamples: samples, sampleRate: rate } = this.tracks!.audio!;
        const ticks = tickOf(this.clock, timeMs, { samples, rate, isCounted: false });
        this.audio.push({ ticks: Math.round((ticks * rate) / videoTimescale), compositionTicks: 0, isKeyFrame: true, body: memory });
      }
      this.durationMs = Math.max(this.durationMs, timeMs);
    }
    if (packet.type !== messageType.data) this.before = positionAfter(packet);
  }

  async sync(): Promise<void> {
    await this.file.sync();
  }

  leave(): Promise<void> {
    return this.file.close(); // what is pending is still at the origin
  }

  async finish(): Promise<Ended | null> {
    this.append(null);
    await this.file.close();
    const found = this.tracks === null ? null : await finishMp4(this.path, this.tracks);
    if (found === null) await rm(temporaryOf(this.path), { force: true });
    return found;
  }

  /** The tracks are those that are known with the first frame. */
  private begin(): void {
    if (this.tracks !== null) return;
    const { video, audio } = this.reader;
    this.tracks = { video, audio };
    if (!this.isResumed) this.file.append(initSegment(this.tracks));
  }

  /** Appends what has come; `nextTicks`: when the picture behind it begins. */
  private append(nextTicks: number | null): void {
    const runs: Run[] = [];
    const { video, audio } = this;
    if (video.length > 0)
      runs.push({ track: "video", startTicks: video[0]!.ticks, samples: samplesOf(video, nextTicks, lastPictureTicks) });
    if (audio.length > 0) {
      const { frameSamples } = this.tracks!.audio!;
      runs.push({ track: "audio", startTicks: audio[0]!.ticks, samples: samplesOf(audio, null, frameSamples) });
    }
    this.video = [];
    this.audio = [];
    if (runs.length === 0) return;
    this.sequence += 1;
    this.file.append(fragment(this.sequence, runs, Buffer.from(JSON.stringify(this.before))));
    this.file.flush();
  }
}

function samplesOf(pending: readonly Pending[], nextTicks: number | null, lastTicks: number): Sample[] {
  return pending.map(({ ticks, compositionTicks, isKeyFrame, body }, index) => {
    const next = pending[index + 1]?.ticks ?? nextTicks ?? ticks + lastTicks;
    return { durationTicks: Math.max(0, next - ticks), compositionTicks, isKeyFrame, body };
  });
}

/** Finds the last whole fragment of a file that was left. */
export async function findMp4End(path: string, fromBytes = 0): Promise<LeftOff> {
  let position: Position | null = null;
  let keptBytes = 0;
  let durationMs = 0;
  let note: Position | null = null;
  await walk(path, fromBytes, async (box) => {
    const { type, end } = box;
    if (type === "skip") note = JSON.parse(noteIn(await box.read())?.toString() ?? "null") as Position | null;
    if (type === "moof") {
      const [run] = runsIn(await box.read());
      if (run?.track === "video") durationMs = run.startTicks / ticksPerMs;
    }
    if (type === "mdat" || type === "moov") keptBytes = end;
    if (type === "mdat") position = note;
  });
  return { keptBytes, position, durationMs };
}

/** Makes a plain file of the fragments, under its name; null: it has none. A disk that is too full for that leaves them as they are. */
async function finishMp4(path: string, tracks: Mp4Tracks): Promise<Ended | null> {
  const temporary = temporaryOf(path);
  const fragments: FoundFragment[] = [];
  let durationMs = 0;
  let moof: Pick<FoundFragment, "moofAt" | "runs"> = { moofAt: 0, runs: [] };
  await walk(temporary, 0, async (box) => {
    const { type, at, bodyAt, end } = box;
    if (type === "moof") moof = { moofAt: at, runs: runsIn(await box.read()) };
    if (type === "mdat") fragments.push({ ...moof, mediaAt: bodyAt, mediaBytes: end - bodyAt });
    for (const { track, startTicks, samples } of type === "mdat" ? moof.runs : []) {
      const rate = track === "video" ? videoTimescale : (tracks.audio?.sampleRate ?? videoTimescale);
      const ticks = samples.reduce((sum, { durationTicks }) => sum + durationTicks, startTicks);
      durationMs = Math.max(durationMs, Math.round((ticks * 1000) / rate));
    }
  });
  if (fragments.length === 0) return null;
  const plain = `${path}.plain`;
  try {
    await copyInto(plain, temporary, finishedFront(tracks, fragments), fragments);
    await rename(plain, path);
    await rm(temporary, { force: true });
  } catch (thrown) {
    await rm(plain, { force: true }).catch(() => undefined);
    if (!/ENOSPC|EDQUOT|EFBIG/.test(messageOf(thrown))) throw thrown;
    await rename(temporary, path);
  }
  const { size } = await stat(path);
  return { path, durationMs, sizeBytes: size };
}

async function copyInto(to: string, from: string, front: Buffer, fragments: readonly FoundFragment[]): Promise<void> {
  const [input, output] = [await open(from, "r"), await open(to, "w", 0o644)];
  try {
    await output.writeFile(front);
    const bytes = Buffer.allocUnsafe(copyBytes);
    for (const { mediaAt, mediaBytes } of fragments) {
      for (let copied = 0; copied < mediaBytes;) {
        const { bytesRead } = await input.read(bytes, 0, Math.min(copyBytes, mediaBytes - copied), mediaAt + copied);
        if (bytesRead === 0) throw new Error(`${from} has become shorter`);
        await output.writeFile(bytes.subarray(0, bytesRead));
        copied += bytesRead;
      }
    }
  } finally {
    await input.close();
    await output.close();
  }
}

interface FoundBox {
  readonly type: string;
  readonly at: number;
  readonly bodyAt: number;
  readonly end: number;
  read(): Promise<Buffer>;
}

/** Walks over the whole boxes of a file. */
async function walk(path: string, fromBytes: number, visit: (box: FoundBox) => Promise<void>): Promise<void> {
  const { size } = await stat(path);
  const handle = await open(path, "r");
  try {
    for (let at = fromBytes; ;) {
      const head = readBoxHead(await readAt(handle, at, Math.min(maxBoxHeadBytes, size - at)), 0);
      if (head === null || head.sizeBytes < head.headBytes || at + head.sizeBytes > size) return;
      const bodyAt = at + head.headBytes;
      const end = at + head.sizeBytes;
      await visit({ type: head.type, at, bodyAt, end, read: () => readAt(handle, bodyAt, end - bodyAt) });
      at = end;
    }
  } finally {
    await handle.close();
  }
}

async function readAt(handle: FileHandle, at: number, count: number): Promise<Buffer> {
  const bytes = Buffer.alloc(Math.max(0, count));
  if (count > 0) await handle.read(bytes, 0, count, at);
  return bytes;
}

/** Ends a file that was left and that nobody goes on with; null: there is nothing in it. */
export async function finishLeftMp4(path: string, { keptBytes }: LeftOff, tracks: Mp4Tracks): Promise<Ended | null> {
  const handle = await open(temporaryOf(path), "r+");
  try {
    await handle.truncate(keptBytes);
  } finally {
    await handle.close();
  }
  return finishMp4(path, tracks);
}
