// Recordings of one stream: one file after the other, by the plan of its vhost. The file under way is remembered, with the packet that it
// began with, so that whatever ends the process, the next one goes on in it behind what is whole, from what the origin still has; where
// that is too little, or the stream has ended meanwhile, it ends the file as it is. A disk that fails costs a file.
//
//   packets ─▶ waiting for a place to start ─▶ NAME.tmp ─(the publisher leaves, or dvr_duration is over at a key frame)─▶ NAME, on_dvr
import { rm } from "node:fs/promises";
import { asDolphinError, type DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Position } from "../../base/position.js";
import { messageType } from "../../codec/rtmp/message.js";
import type { DvrBlock } from "../../conf/meaning/recording.js";
import type { RecordingReport } from "../../ipc/lists.js";
import { placeAmong, positionAfter } from "../../stream/catch-up.js";
import { Headers } from "../../stream/headers.js";
import { isFrame, type Packet } from "../../stream/packet.js";
import { maxWaitingFrameBytes } from "../media/frames.js";
import { fillStream, fillTime, pathBelow, type StreamName } from "../media/names.js";
import type { Output } from "../media/output.js";
import type { StateFiles } from "../media/state-files.js";
import { RoomWatch } from "./room.js";
import {
  findLeft,
  headersOf,
  isMp4,
  isState,
  keyOf,
  takeName,
  tracksOf,
  type DvrState,
  type FileState,
  type FinishedRecording,
  type Inherited,
} from "./dvr-state.js";
import { finishFlv, FlvRecording, takeFlv, temporaryOf } from "./flv-recording.js";
import { finishLeftMp4, Mp4Recording } from "./mp4-recording.js";
import type { Ended, LeftOff, Recording } from "./recording.js";

export interface DvrOptions {
  readonly name: StreamName;
  readonly settings: DvrBlock;
  /** Nothing is recorded on a disk that has less room; null: until it has none. */
  readonly minFreeBytes: number | null;
  readonly states: StateFiles;
  readonly log: Log;
  /** It is on the disk. */
  readonly onFile: (file: FinishedRecording) => void;
}

/** How long the second track is waited for where one has begun. */
const secondTrackMs = 1000;
/** What has come is with the disk after so long at most. */
const syncMs = 2000;
/** After a disk has failed it is tried again. */
const retryMs = 3_000;
/** So many finished recordings of a stream are listed. */
export const maxListedRecordings = 1_000;
/** Between what is in a file already and what is added to it: a picture's time. */
const appendGapMs = 40;
/** What an MP3 tells of itself, with FLV's byte before it. */
const mp3HeadBytes = 5;

/** The recordings of one stream. `close` ends them. */
export class DvrOutput implements Output {
  private readonly options: DvrOptions;
  private readonly state: DvrState;
  private inherited: Inherited | null = null;
  private recording: Recording | null = null;
  private file: FileState | null = null;
  private headers = new Headers();
  private hasAudio = false;
  private hasVideo = false;
  /** Of its first frame of sound: of MP3 what describes it. */
  private soundHead: Buffer | null = null;
  private clockId: number;
  private last: Position | null = null;
  private lastMs: number | null = null;
  /** From the first that a recording begins with, while it waits for a second track. */
  private held: { readonly packet: Packet; readonly timeMs: number }[] = [];
  private heldBytes = 0;
  /** Whether a track has changed or come that the file under way has no room for. */
  private isStale = false;
  /** Whether it has waited for a second track since the publisher came. */
  private hasWaited = false;
  private retryAtMs = 0;
  /** Since the disk has failed no recording was whole: that was told. */
  private isFailing = false;
  private turn: Promise<void> = Promise.resolve();
  private inTurnCount = 0;
  private timer: NodeJS.Timeout | null = null;
  private room: RoomWatch;

  private constructor(options: DvrOptions, state: DvrState) {
    this.options = options;
    this.state = state;
    this.clockId = state.clockId;
    this.last = state.last;
    this.room = new RoomWatch(options, () => this.finish());
  }

  /** Whether a stream is recorded at all: `all`, or a line of `app/stream`, in which `*` stands for any name. */
  static isWanted({ apply }: DvrBlock, { app, stream }: StreamName): boolean {
    return apply.some((line) => line === "all" || patternOf(line).test(`${app}/${stream}`));
  }

  /** Reads what is remembered of the stream. Throws PACK_NAME for one that nothing may be written of. */
  static async load(options: DvrOptions): Promise<DvrOutput> {
    const { name, states } = options;
    const found = await states.load(keyOf(name));
    const output = new DvrOutput(options, isState(found) ? found : { kind: "dvr", ...name, clockId: 0, last: null, file: null });
    output.pathAt(0);
    const { file } = output.state;
    if (file !== null) output.inherited = await findLeft(file);
    return output;
  }

  /** The recording under way; null: none is. */
  get current(): RecordingReport | null {
    const { recording, file } = this;
    if (recording === null || file === null) return null;
    const { vhost, app, stream } = this.options.name;
    const { path, startedAtMs, baseMs } = file;
    const durationMs = Math.max(0, (this.lastMs ?? baseMs) - baseMs);
    return { vhost, app, stream, path, state: "recording", startedAtMs, durationMs, sizeBytes: recording.sizeBytes };
  }

  get isIdle(): boolean {
    return this.recording === null && this.inherited === null && this.inTurnCount === 0;
  }

  begin(clockId: number, kept: readonly Packet[]): void {
    const { inherited } = this;
    this.room.begin(() => this.pathAt(Date.now()));
    this.inherited = null;
    const isSameClock = this.clockId === clockId;
    this.clockId = clockId;
    const isStarted = inherited !== null && inherited.leftOff.position !== null;
    const from = inherited === null ? this.last : (inherited.leftOff.position ?? inherited.state.first);
    const isRunning = inherited === null && this.recording !== null;
    const found = isSameClock && from !== null ? placeAmong(from, kept, isRunning) : null;
    const place = found === null ? null : found - (inherited !== null && !isStarted ? 1 : 0);
    const goesOn = place !== null || (isSameClock && kept.length === 0 && this.recording !== null);
    if (!goesOn) {
      if (inherited !== null) this.finishInherited(inherited);
      this.finish();
      this.forget();
    }
    const firstNew = place ?? 0;
    for (const packet of kept.slice(0, firstNew)) this.learn(packet);
    if (goesOn && inherited !== null) this.resume(inherited);
    for (const packet of kept.slice(firstNew)) this.push(packet);
    this.timer ??= setInterval(() => void this.recording?.sync(), syncMs);
  }

  push(packet: Packet): void {
    this.learn(packet);
    const timeMs = this.timeOf(packet);
    if (packet.type !== messageType.data) this.last = positionAfter(packet);
    if (this.recording !== null && this.isOverBefore(packet, timeMs)) this.finish();
    if (this.isSoundBefore(packet)) this.drop();
    if (this.recording !== null) this.write(packet, timeMs);
    else if (this.held.length > 0 || this.startsWith(packet)) this.hold(packet, timeMs);
  }

  /** A file says at its beginning which tracks it has, so one that is late is waited for. */
  private hold(packet: Packet, timeMs: number): void {
    this.held.push({ packet, timeMs });
    this.heldBytes += packet.payload.length;
    const isEarly = Math.abs(timeMs - this.held[0]!.timeMs) < secondTrackMs && !(this.hasAudio && this.hasVideo);
    if (this.hasWaited || !isEarly || this.heldBytes > maxWaitingFrameBytes) this.startHeld();
  }

  /** Sound alone begins a recording; where pictures come while it waits for them, their key frame does. */
  private isSoundBefore({ type }: Packet): boolean {
    const isSound = this.held[0]?.packet.type === messageType.audio;
    return isSound && type === messageType.video && this.options.settings.waitsForKeyFrame;
  }

  private drop(): void {
    this.held = [];
    this.heldBytes = 0;
  }

  private startHeld(): void {
    const { held } = this;
    this.drop();
    this.hasWaited = true;
    const [first] = held;
    if (first === undefined) return;
    this.recording = this.start(first.packet, first.timeMs);
    for (const { packet, timeMs } of held) this.write(packet, timeMs);
  }

  private write(packet: Packet, timeMs: number): void {
    if (this.file !== null) this.recording?.write(packet, Math.max(0, timeMs - this.file.baseMs));
  }

  end(): void {
    if (this.inherited !== null) this.finishInherited(this.inherited);
    this.inherited = null;
    this.finish();
    this.forget();
    this.stopTimer();
    const { clockId, last } = this;
    if (clockId === 0) return;
    this.inTurn(async () => {
      Object.assign(this.state, { clockId, last });
      await this.saveState();
    });
  }

  async close(isOver: boolean): Promise<void> {
    if (isOver) this.end();
    this.drop(); // it is still at the origin
    this.stopTimer();
    const { recording } = this;
    this.recording = null;
    if (recording !== null) this.inTurn(() => recording.leave());
    await this.turn;
  }

  private stopTimer(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.room.end();
  }

  /** What comes next has a clock and headers of its own. */
  private forget(): void {
    this.headers = new Headers();
    this.hasAudio = false;
    this.hasVideo = false;
    this.soundHead = null;
    this.lastMs = null;
    this.hasWaited = false;
  }

  private learn(packet: Packet): void {
    if (packet.isHeader) this.headers.put(packet);
    const { type, payload } = packet;
    if (type === messageType.video) this.hasVideo = true;
    if (type !== messageType.audio) return;
    this.hasAudio = true;
    if (!packet.isHeader) this.soundHead ??= Buffer.from(payload.subarray(0, mp3HeadBytes));
  }

  private timeOf({ type, timestamp, isHeader }: Packet): number {
    if (type === messageType.data && isHeader) return this.lastMs ?? timestamp; // metadata has none
    this.lastMs = this.lastMs === null ? timestamp : this.lastMs + ((timestamp - this.lastMs) | 0);
    return this.lastMs;
  }

  private startsWith(packet: Packet): boolean {
    if (Date.now() < this.retryAtMs || !this.room.isThere || !isFrame(packet)) return false;
    if (packet.isKeyFrame || !this.options.settings.waitsForKeyFrame) return true;
    return !this.hasVideo && packet.type === messageType.audio;
  }

  private isOverBefore(packet: Packet, timeMs: number): boolean {
    const { recording, file } = this;
    const { plan, durationMs, waitsForKeyFrame } = this.options.settings;
    if (recording === null || file === null) return false;
    if (recording.hasFailed) return true;
    this.isStale ||= !recording.fits(packet);
    const isPlace = packet.isKeyFrame || !this.hasVideo || !waitsForKeyFrame;
    return isFrame(packet) && isPlace && (this.isStale || (plan === "segment" && timeMs - file.startMs >= durationMs));
  }

  private start(packet: Packet, timeMs: number): Recording {
    const startedAtMs = Date.now();
    const headers = this.headers.list().map(({ type, payload }) => ({ type, payload: payload.toString("base64") }));
    const { soundHead } = this;
    const isBare = soundHead !== null && !headers.some(({ type }) => type === messageType.audio);
    if (isBare) headers.push({ type: messageType.audio, payload: soundHead.toString("base64") });
    const { timeJitter, plan } = this.options.settings;
    const wanted = this.pathAt(startedAtMs);
    const before = plan === "append" && !isMp4(wanted) ? takeFlv(wanted) : null;
    const baseMs = before !== null ? timeMs - before.durationMs - appendGapMs : timeJitter === "off" ? 0 : timeMs;
    const file: FileState = {
      path: before === null ? takeName(wanted) : wanted,
      startedAtMs,
      baseMs,
      startMs: timeMs,
      first: positionAfter(packet),
      headers,
    };
    this.file = file;
    this.isStale = false;
    const { clockId } = this;
    this.inTurn(async () => {
      Object.assign(this.state, { file, clockId });
      await this.saveState();
    });
    return before === null ? this.recordingOf(file, null) : this.appendTo(file, before, timeMs - baseMs);
  }

  /** Goes on in a file of an earlier publish, whose description of the stream may be another one. */
  private appendTo(file: FileState, before: LeftOff, timeMs: number): Recording {
    const recording = this.recordingOf(file, before);
    for (const header of headersOf(file)) if (header.isHeader && header.type !== messageType.data) recording.write(header, timeMs);
    return recording;
  }

  private resume({ state, leftOff }: Inherited): void {
    this.file = state;
    this.lastMs = leftOff.position === null ? state.startMs : state.baseMs + leftOff.durationMs;
    this.recording = this.recordingOf(state, leftOff.position === null ? null : leftOff);
    this.options.log.info({ event: "dvr.resumed", file: state.path, durMs: leftOff.durationMs });
  }

  private recordingOf(file: FileState, leftOff: LeftOff | null): Recording {
    const headers = headersOf(file);
    const { path } = file;
    const { hasAudio, hasVideo } = this;
    const onError = (error: DolphinError): void => this.failed(error);
    if (isMp4(path)) return new Mp4Recording({ path, headers, onError, leftOff });
    const own = headers.filter(({ isHeader }) => isHeader);
    return new FlvRecording({ path, headers: own, hasAudio, hasVideo, onError, leftOff });
  }

  private finish(): void {
    this.startHeld();
    const { recording, file } = this;
    this.recording = null;
    this.file = null;
    if (recording === null || file === null) return;
    this.inTurn(async () => {
      const ended = await recording.finish();
      if (!recording.hasFailed) this.isFailing = false;
      await this.ended(file, ended);
    });
  }

  private finishInherited({ state, leftOff }: Inherited): void {
    this.inTurn(async () => {
      const { path } = state;
      if (leftOff.position === null) {
        await rm(temporaryOf(path), { force: true });
        await this.ended(state, null);
        return;
      }
      const ended = isMp4(path) ? await finishLeftMp4(path, leftOff, tracksOf(state)) : await finishFlv(path);
      await this.ended(state, ended);
    });
  }

  private async ended(file: FileState, ended: Ended | null): Promise<void> {
    const finished = ended === null ? null : { ...ended, startedAtMs: file.startedAtMs };
    if (this.state.file?.path === file.path || finished !== null) {
      if (this.state.file?.path === file.path) this.state.file = null;
      // One that was added to is one.
      const others = (this.state.finished ?? []).filter(({ path }) => path !== file.path);
      if (finished !== null) this.state.finished = [...others, finished].slice(-maxListedRecordings);
      await this.saveState();
    }
    if (finished !== null) this.options.onFile(finished);
  }

  /** The disk has failed: what is whole stays, and the stream goes on without a recording for a while. */
  private failed(error: DolphinError): void {
    this.retryAtMs = Date.now() + retryMs;
    if (this.isFailing) return;
    this.isFailing = true;
    const why = `${error.message}; the stream goes on, its recording when it can`;
    this.options.log.error({ event: "dvr.failed", code: error.code }, why);
  }

  private inTurn(work: () => Promise<unknown>): void {
    this.inTurnCount += 1;
    this.turn = this.turn
      .then(work)
      .then(
        () => undefined,
        (thrown: unknown) => this.failed(asDolphinError(thrown)),
      )
      .finally(() => (this.inTurnCount -= 1));
  }

  private saveState(): Promise<void> {
    return this.options.states.save(keyOf(this.options.name), this.state);
  }

  /** Where a recording goes that begins now, and is not there yet by the end of this packager's files. Throws PACK_NAME. */
  private pathAt(atMs: number): string {
    const { name, settings } = this.options;
    const template = /\.(flv|mp4)$/.test(settings.path) ? settings.path : `${settings.path.replace(/\/+$/, "")}/[stream].[timestamp].flv`;
    const fixed = template.slice(0, (template.indexOf("[") + 1 || template.length + 1) - 1);
    const root = fixed.slice(0, fixed.lastIndexOf("/") + 1) || "./";
    return pathBelow(root, fillTime(fillStream(template.slice(fixed.lastIndexOf("/") + 1), name), atMs, settings.isUtc));
  }
}

function patternOf(line: string): RegExp {
  return new RegExp(`^${line.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")}$`);
}
