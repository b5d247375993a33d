// Recordings of one stream: one file after the other, by the plan of its vhost. The file under way is remembered, with the packet that it
// began with, so that whatever ends the process, the next one goes on in it behind what is whole, from what the origin still has; where
// that is too little, or the stream has ended meanwhile, it ends the file as it is. A disk that fails costs a file.
//
//   packets ─▶ waiting for a place to start ─▶ NAME.tmp ─(the publisher leaves, or dvr_duration is over at a key frame)─▶ NAME, on_dvr
import { existsSync } from "node:fs";
import { rm, stat } from "node:fs/promises";
import { asDolphinError, type DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Position } from "../../base/position.js";
import { messageType } from "../../codec/rtmp/message.js";
import type { DvrBlock } from "../../conf/meaning/config.js";
import { catchUp, positionAfter } from "../../stream/catch-up.js";
import { Headers } from "../../stream/headers.js";
import { isFrame, makePacket, type Packet, type PacketType } from "../../stream/packet.js";
import { FrameReader } from "../media/frames.js";
import { fillStream, fillTime, pathBelow, type StreamName } from "../media/names.js";
import type { Output } from "../media/output.js";
import type { StateFiles } from "../media/state-files.js";
import { findFlvEnd, finishFlv, FlvRecording, temporaryOf } from "./flv-recording.js";
import { findMp4End, finishLeftMp4, Mp4Recording } from "./mp4-recording.js";
import type { Ended, LeftOff, Recording } from "./recording.js";

/** A finished recording, as hooks are told of it. */
export interface FinishedRecording extends Ended {
  readonly startedAtMs: number;
}

export interface DvrOptions {
  readonly name: StreamName;
  readonly settings: DvrBlock;
  readonly states: StateFiles;
  readonly log: Log;
  /** It is on the disk. */
  readonly onFile: (file: FinishedRecording) => void;
}

/** The file under way, as JSON. */
interface FileState {
  readonly path: string;
  readonly startedAtMs: number;
  /** What is taken from the stream's times, which no longer wrap. */
  readonly baseMs: number;
  /** When it begins, by the same times. */
  readonly startMs: number;
  /** Behind its first packet. */
  readonly first: Position;
  readonly headers: readonly { readonly type: PacketType; readonly payload: string }[];
}

interface DvrState extends StreamName {
  readonly kind: "dvr";
  clockId: number;
  /** Behind the last packet of a stream that has ended. */
  last: Position | null;
  file: FileState | null;
}

interface Inherited {
  readonly state: FileState;
  readonly leftOff: LeftOff;
}

/** How long pictures are waited for where there is sound. */
const pictureWaitMs = 1000;
/** What has come is with the disk after so long at most. */
const syncMs = 2000;
/** After a disk has failed it is tried again. */
const retryMs = 10_000;
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
  private clockId: number;
  private last: Position | null = null;
  private lastMs: number | null = null;
  private firstSoundMs: number | null = null;
  private retryAtMs = 0;
  private turn: Promise<void> = Promise.resolve();
  private inTurnCount = 0;
  private timer: NodeJS.Timeout | null = null;

  private constructor(options: DvrOptions, state: DvrState) {
    this.options = options;
    this.state = state;
    this.clockId = state.clockId;
    this.last = state.last;
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

  get isIdle(): boolean {
    return this.recording === null && this.inherited === null && this.inTurnCount === 0;
  }

  begin(clockId: number, kept: readonly Packet[]): void {
    const { inherited } = this;
    this.inherited = null;
    const isSameClock = this.clockId === clockId;
    this.clockId = clockId;
    const isStarted = inherited !== null && inherited.leftOff.position !== null;
    const from = inherited === null ? this.last : (inherited.leftOff.position ?? inherited.state.first);
    const found = isSameClock && from !== null ? catchUp(from, kept) : null;
    const place = typeof found === "object" && found !== null ? found.from - (inherited !== null && !isStarted ? 1 : 0) : null;
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
    if (this.recording === null && !this.startsWith(packet, timeMs)) return;
    this.recording ??= this.start(packet, timeMs);
    if (this.file !== null) this.recording.write(packet, Math.max(0, timeMs - this.file.baseMs));
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
    this.stopTimer();
    const { recording } = this;
    this.recording = null;
    if (recording !== null) this.inTurn(() => recording.leave());
    await this.turn;
  }

  private stopTimer(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
  }

  /** What comes next has a clock and headers of its own. */
  private forget(): void {
    this.headers = new Headers();
    this.hasAudio = false;
    this.hasVideo = false;
    this.lastMs = null;
    this.firstSoundMs = null;
  }

  private learn(packet: Packet): void {
    if (packet.isHeader) this.headers.put(packet);
    if (packet.type === messageType.audio) this.hasAudio = true;
    if (packet.type === messageType.video) this.hasVideo = true;
  }

  private timeOf({ type, timestamp, isHeader }: Packet): number {
    if (type === messageType.data && isHeader) return this.lastMs ?? timestamp; // metadata has none
    this.lastMs = this.lastMs === null ? timestamp : this.lastMs + ((timestamp - this.lastMs) | 0);
    return this.lastMs;
  }

  private startsWith(packet: Packet, timeMs: number): boolean {
    if (Date.now() < this.retryAtMs || !isFrame(packet)) return false;
    const { settings } = this.options;
    if (packet.type === messageType.audio) this.firstSoundMs ??= timeMs;
    if (packet.isKeyFrame) return true;
    if (!settings.waitsForKeyFrame) return true;
    return !this.hasVideo && packet.type === messageType.audio && timeMs - (this.firstSoundMs ?? timeMs) >= pictureWaitMs;
  }

  private isOverBefore(packet: Packet, timeMs: number): boolean {
    const { recording, file } = this;
    const { plan, durationMs, waitsForKeyFrame } = this.options.settings;
    if (recording === null || file === null) return false;
    if (recording.hasFailed || !recording.fits(packet)) return true;
    const isPlace = packet.isKeyFrame || !this.hasVideo || !waitsForKeyFrame;
    return plan === "segment" && isFrame(packet) && isPlace && timeMs - file.startMs >= durationMs;
  }

  private start(packet: Packet, timeMs: number): Recording {
    const startedAtMs = Date.now();
    const headers = this.headers.list().map(({ type, payload }) => ({ type, payload: payload.toString("base64") }));
    const isBare = packet.type === messageType.audio && !headers.some(({ type }) => type === messageType.audio);
    if (isBare) headers.push({ type: packet.type, payload: packet.payload.subarray(0, mp3HeadBytes).toString("base64") });
    const baseMs = this.options.settings.timeJitter === "off" ? 0 : timeMs;
    const file: FileState = {
      path: freeName(this.pathAt(startedAtMs)),
      startedAtMs,
      baseMs,
      startMs: timeMs,
      first: positionAfter(packet),
      headers,
    };
    this.file = file;
    const { clockId } = this;
    this.inTurn(async () => {
      Object.assign(this.state, { file, clockId });
      await this.saveState();
    });
    return this.recordingOf(file, null);
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
    const { recording, file } = this;
    this.recording = null;
    this.file = null;
    this.firstSoundMs = null;
    if (recording === null || file === null) return;
    this.inTurn(async () => {
      const ended = await recording.finish();
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
      const ended = isMp4(path) ? await finishLeftMp4(path, leftOff, tracksOf(state)) : await finishFlv(path, leftOff);
      await this.ended(state, ended);
    });
  }

  private async ended(file: FileState, ended: Ended | null): Promise<void> {
    if (this.state.file?.path === file.path) {
      this.state.file = null;
      await this.saveState();
    }
    if (ended !== null) this.options.onFile({ ...ended, startedAtMs: file.startedAtMs });
  }

  /** The disk has failed: what is whole stays, and the stream goes on without a recording for a while. */
  private failed(error: DolphinError): void {
    const { log } = this.options;
    log.error({ event: "dvr.failed", code: error.code }, `${error.message}; the stream goes on, its recording when it can`);
    this.retryAtMs = Date.now() + retryMs;
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
    return pathBelow(root, fillTime(fillStream(template.slice(fixed.lastIndexOf("/") + 1), name), atMs));
  }
}

/** The name, or the same with a number where there is such a file: none is overwritten. */
function freeName(path: string): string {
  const dot = path.lastIndexOf(".");
  let free = path;
  for (let number = 1; existsSync(free) || existsSync(temporaryOf(free)); number++)
    free = `${path.slice(0, dot)}-${number}${path.slice(dot)}`;
  return free;
}

async function findLeft(file: FileState): Promise<Inherited | null> {
  try {
    await stat(temporaryOf(file.path));
    const leftOff = isMp4(file.path) ? await findMp4End(temporaryOf(file.path)) : await findFlvEnd(temporaryOf(file.path), 0, file.baseMs);
    return { state: file, leftOff };
  } catch {
    return null; // it is gone, or is no file: then there is nothing to go on with
  }
}

function headersOf({ headers }: FileState): Packet[] {
  return headers.map(({ type, payload }) => makePacket(type, 0, Buffer.from(payload, "base64")));
}

function tracksOf(file: FileState): Pick<FrameReader, "video" | "audio"> {
  const reader = new FrameReader();
  for (const header of headersOf(file)) reader.take(header);
  return reader;
}

function isMp4(path: string): boolean {
  return path.endsWith(".mp4");
}

function patternOf(line: string): RegExp {
  return new RegExp(`^${line.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", "[^/]*")}$`);
}

function keyOf({ vhost, app, stream }: StreamName): string {
  return `dvr ${vhost}/${app}/${stream}`;
}

function isState(found: unknown): found is DvrState {
  return typeof found === "object" && found !== null && "kind" in found && found.kind === "dvr";
}
