// Packets → the bytes of viewers who take no FLV: a transport stream, or the frames of AAC or MP3 alone. As with every container a batch is
// made once for all. Counters of a transport stream run on from batch to batch, so what one viewer is given besides (what it begins with,
// or goes on with) is counted backwards from where the batches stand: it ends where the next one begins.
//
//   batches      ──▶ … 5 6 7 │ 8 9 10 │ 11 …            a newcomer:  … 6 7 │ 8 9 10 │ 11 …
import { isSameTrack, mp3Track, readAudioTrack, readVideoTrack, type AudioTrack, type VideoTrack } from "../codec/av-track.js";
import { audioUnit, videoUnit, type Unit } from "../codec/av-unit.js";
import { messageType } from "../codec/rtmp/message.js";
import { adtsHead, maxAdtsFrameBytes } from "../codec/ts/adts.js";
import { packetBytes, Packets } from "../codec/ts/packets.js";
import { TsWriter, type TsState } from "../codec/ts/writer.js";
import { chunkOf, type Container } from "./container.js";
import type { Packet } from "./packet.js";

/** What viewers of a mount by that ending are given. */
export const remuxTaps = ["ts", "aac", "mp3"] as const;
export type RemuxTap = (typeof remuxTaps)[number];

const ticksPerMs = 90;
/** What one run of packets is gathered in; more is more pieces. */
const blockBytes = 64 << 10;
/** Frames of sound that share one head, and the time that they last at most. */
const sharedFrames = 5;
const sharedMs = 150;

/** A container of one source. `headers` are those in force, for who begins in the middle of a stream. */
export function remuxContainer(tap: RemuxTap, headers: () => readonly Packet[]): Container {
  if (tap === "ts") return tsContainer(headers);
  const reader = new TrackReader();
  return (packets) => {
    if (reader.audio === null) for (const header of headers()) reader.take(header);
    const pieces: Buffer[] = [];
    for (const packet of packets) {
      const unit = reader.take(packet);
      if (unit === null || packet.type !== messageType.audio || reader.audio === null) continue;
      if (tap === "aac" && unit.fourCc === "mp4a" && unit.body.length <= maxAdtsFrameBytes)
        pieces.push(adtsHead(reader.audio, unit.body.length), unit.body);
      if (tap === "mp3" && unit.fourCc === ".mp3") pieces.push(unit.body);
    }
    return chunkOf(pieces);
  };
}

function tsContainer(headers: () => readonly Packet[]): Container {
  const reader = new TrackReader();
  const state: TsState = { counters: {}, version: 0 };
  let written: Pick<TrackReader, "video" | "audio"> = { video: null, audio: null };
  return (packets, isBatch) => {
    const isUnknown = reader.video === null && reader.audio === null;
    if (isUnknown) for (const header of headers()) reader.take(header);
    const run = new TsRun(isBatch === true ? state : { counters: {}, version: state.version }, reader, written, isBatch !== true);
    for (const packet of packets) run.take(packet);
    const pieces = run.end();
    written = { video: reader.video, audio: reader.audio };
    state.version = run.version;
    if (isBatch !== true) for (const piece of pieces) countBack(piece, run.counters, state.counters);
    return chunkOf(pieces);
  };
}

/** Moves counters so that they end where others stand. */
function countBack(packets: Buffer, from: TsState["counters"], to: TsState["counters"]): void {
  for (let at = 0; at + packetBytes <= packets.length; at += packetBytes) {
    const pid = ((packets[at + 1]! & 0x1f) << 8) | packets[at + 2]!;
    const counter = packets[at + 3]! + (to[pid] ?? 0) - (from[pid] ?? 0);
    packets[at + 3] = (packets[at + 3]! & 0xf0) | (counter & 0x0f);
  }
}

/** One run of packets as a transport stream. */
class TsRun {
  private readonly state: TsState;
  private readonly reader: TrackReader;
  private readonly pieces: Buffer[] = [];
  private readonly out = new Packets(
    (bytes) => Buffer.allocUnsafeSlow(Math.max(blockBytes, bytes)),
    (block) => void this.pieces.push(block),
  );
  private writer: TsWriter | null = null;
  private sound: { readonly ms: number; readonly frames: Buffer[] } | null = null;
  private written: Pick<TrackReader, "video" | "audio">;
  private needsTables: boolean;

  constructor(state: TsState, reader: TrackReader, written: Pick<TrackReader, "video" | "audio">, needsTables: boolean) {
    this.state = state;
    this.reader = reader;
    this.written = written;
    this.needsTables = needsTables;
  }

  get counters(): TsState["counters"] {
    return this.state.counters;
  }

  get version(): number {
    return this.state.version;
  }

  take(packet: Packet): void {
    const unit = this.reader.take(packet);
    if (unit === null) return;
    if (packet.type === messageType.video) this.picture(packet, unit);
    else this.frame(packet, unit);
  }

  end(): readonly Buffer[] {
    this.endSound();
    this.out.flush();
    return this.pieces;
  }

  private picture({ timestamp }: Packet, { compositionMs, isKeyFrame, body }: Unit): void {
    this.endSound();
    const ms = Math.max(0, compositionMs); // a picture is not shown before it is decoded
    const [dtsTicks, ptsTicks] = [timestamp * ticksPerMs, (timestamp + ms) * ticksPerMs];
    this.ready().video(this.out, { dtsTicks, ptsTicks, isKeyFrame, body });
  }

  private frame({ timestamp }: Packet, { body }: Unit): void {
    const { sound } = this;
    if (sound !== null && (sound.frames.length >= sharedFrames || Math.abs((timestamp - sound.ms) | 0) > sharedMs)) this.endSound();
    this.sound ??= { ms: timestamp, frames: [] };
    this.sound.frames.push(body);
  }

  private endSound(): void {
    const { sound } = this;
    this.sound = null;
    if (sound !== null) this.ready().audio(this.out, sound.ms * ticksPerMs, sound.frames);
  }

  /** What is written to, with the tables before what needs them: other tracks, a beginning, and each batch of sound alone. */
  private ready(): TsWriter {
    const { video, audio } = this.reader;
    const isSame = isSameTrack(video, this.written.video) && isSameTrack(audio, this.written.audio);
    if (this.writer !== null && isSame) return this.writer;
    if (!isSame) this.state.version = (this.state.version + 1) & 31;
    const isNeeded = this.needsTables || !isSame || (this.writer === null && video === null);
    this.written = { video, audio };
    this.needsTables = false;
    this.writer = new TsWriter({ video, audio }, this.state);
    if (isNeeded) this.writer.tables(this.out);
    return this.writer;
  }
}

/** The tracks of a stream as its packets tell them; of several of a kind the first counts. */
class TrackReader {
  video: VideoTrack | null = null;
  audio: AudioTrack | null = null;
  private readonly main: Record<number, number> = {};

  /** The frame in a packet; null: it is none, or of a track or a codec that is left out. */
  take({ type, payload }: Packet): Unit | null {
    if (type === messageType.data) return null;
    const isVideo = type === messageType.video;
    const unit = isVideo ? videoUnit(payload) : audioUnit(payload);
    if (unit === null || (this.main[type] ??= unit.track) !== unit.track) return null;
    if (unit.isConfig) {
      const record = Buffer.from(unit.body); // it outlives the packets around it
      if (isVideo) this.video = same(this.video, readVideoTrack(unit.fourCc, record));
      else this.audio = same(this.audio, readAudioTrack(unit.fourCc, record));
      return null;
    }
    if (unit.fourCc === ".mp3") this.audio = same(this.audio, mp3Track(unit.body) ?? this.audio);
    return (isVideo ? this.video : this.audio)?.fourCc === unit.fourCc ? unit : null;
  }
}

/** The track that is known, where it is the same. */
function same<T extends VideoTrack | AudioTrack>(known: T | null, told: T | null): T | null {
  return isSameTrack(known, told) ? known : told;
}
