// HLS of one stream: segments and the list that names them, on the disk. The media never waits for it; all work with files is done in
// turn behind it. Whatever ends the process, the one after it finds in the state file where to go on: with the same numbers, and with
// the segment under way from its beginning.
//
//   packets ─▶ segmenter.ts ─▶ SEGMENT.tmp ─▶ SEGMENT ─▶ on_hls ─▶ list.ts ─▶ the state file, the list
import { createCipheriv, type Cipher } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { dirname, posix } from "node:path";
import { asDolphinError, messageOf, type DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Position } from "../../base/position.js";
import { messageType } from "../../codec/rtmp/message.js";
import type { TsTracks } from "../../codec/ts/tables.js";
import type { HlsBlock } from "../../conf/meaning/recording.js";
import { placeAmong, positionAfter } from "../../stream/catch-up.js";
import type { Packet } from "../../stream/packet.js";
import { threadOf, type FileThread } from "../media/file-thread.js";
import { spareOf } from "../media/file-work.js";
import { deleteFile, inFolder } from "../media/folders.js";
import { FrameReader } from "../media/frames.js";
import { fillStream, fillTime, pathBelow, type StreamName } from "../media/names.js";
import type { Output } from "../media/output.js";
import type { StateFiles } from "../media/state-files.js";
import { WorkQueue } from "../media/work-queue.js";
import { describe, listPathOf, makeKey, type Where } from "./described.js";
import { nextFloor } from "./floor.js";
import {
  addSegment,
  beginList,
  forgetFiles,
  goBehind,
  isHlsState,
  listText,
  makeHlsState,
  rateOf,
  spentFile,
  stateKey,
  takeExpired,
  variantOf,
  type HlsState,
  type InitFile,
  type KeyFile,
  type ListedSegment,
} from "./list.js";
import type { Closing, OpenSegment } from "./open-segment.js";
import type { WrittenPart } from "./segment-writer.js";
import { SegmentFile } from "./segment-file.js";
import { Segmenter, type SegmentStart } from "./segmenter.js";
import { blocks } from "./ts-segment.js";
import { dropMissing, replaceText, writeWhole, writingWhole } from "./whole-file.js";

/** A finished segment, as hooks are told of it. */
export interface FinishedSegment extends ListedSegment {
  readonly listPath: string;
}

export interface HlsOptions {
  readonly name: StreamName;
  readonly settings: HlsBlock;
  readonly states: StateFiles;
  readonly log: Log;
  /** It is on the disk, and the list will name it next. */
  readonly onSegment: (segment: FinishedSegment) => void;
}

/** A segment that lasted less is none: its number is used again. */
const shortestSegmentMs = 100;

/** The HLS of one stream. `close` ends it. */
export class HlsOutput implements Output {
  private readonly options: HlsOptions;
  /** As it is on the disk, or will be in turn: nothing else changes it. */
  private readonly state: HlsState;
  private readonly listPath: string;
  private readonly files: FileThread;
  private reader = new FrameReader();
  private segmenter: Segmenter | null = null;
  private open: OpenSegment | null = null;
  private closing: Closing | null = null;
  /** Behind the last packet that was taken; null: none was. */
  private last: Position | null = null;
  /** What another process has begun and not finished; null: nothing, or it is known what became of it. */
  private inherited: SegmentStart | null;
  private clockId: number;
  private epochMs: number;
  private sequence: number;
  private key: KeyFile | null;
  private init: InitFile | null;
  private floor: number;
  private keyBytes: Buffer | null = null;
  private readonly queue = new WorkQueue((thrown) => this.failed(asDolphinError(thrown)));
  private readonly inTurn = (work: () => Promise<unknown>): void => this.queue.run(work);
  /** Whether what came before the next segment could not be written. */
  private hasFailed = false;
  private isForgetful = false;
  private isGivenUp = false;
  private discarded: Promise<void> = Promise.resolve();
  private disposal: NodeJS.Timeout | null = null;

  private constructor(options: HlsOptions, state: HlsState) {
    this.options = options;
    this.state = state;
    this.inherited = state.open;
    this.clockId = state.clockId;
    this.last = state.last;
    this.epochMs = state.epochMs;
    this.sequence = state.next;
    this.key = state.key;
    this.init = state.init;
    this.floor = state.floor;
    this.listPath = listPathOf(options.name, options.settings);
    this.files = threadOf(options.settings.path);
  }

  /** Reads what is remembered of the stream. Throws PACK_NAME for one that nothing may be written of. */
  static async load(options: HlsOptions): Promise<HlsOutput> {
    const { name, states } = options;
    const found = await states.load(stateKey(name));
    const state = isHlsState(found) ? found : makeHlsState(name);
    await dropMissing(state);
    goBehind(state, await readFile(listPathOf(name, options.settings), "utf8").catch(() => ""), Date.now());
    const output = new HlsOutput(options, state);
    if (state.key !== null) output.keyBytes = await readFile(state.key.path).catch(() => null);
    output.scheduleDisposal();
    return output;
  }

  private get where(): Where {
    return { name: this.options.name, folder: this.options.settings.path, listPath: this.listPath };
  }

  get isIdle(): boolean {
    return this.segmenter === null && this.disposal === null && this.queue.isIdle;
  }

  begin(clockId: number, kept: readonly Packet[]): void {
    this.cancelDisposal();
    this.isGivenUp = false;
    const { inherited } = this;
    this.inherited = null;
    const isSameClock = this.clockId === clockId;
    this.clockId = clockId;
    const from = inherited?.position ?? this.last;
    const found = isSameClock && from !== null ? placeAmong(from, kept, inherited === null && this.segmenter !== null) : null;
    const place = found === null ? null : found - (inherited === null ? 0 : 1);
    const goesOn = place !== null || (isSameClock && kept.length === 0 && this.segmenter !== null);
    if (!goesOn) {
      this.breakOff();
      const last = kept.findLast(({ type }) => type !== messageType.data);
      this.epochMs = last === undefined ? 0 : Date.now() - last.timestamp;
    }
    if (this.segmenter === null) this.start(goesOn ? inherited : null);
    kept.forEach((packet, index) => {
      if (index >= (place ?? 0)) this.push(packet);
      else if (packet.isHeader) this.reader.take(packet); // what is in force where it goes on
    });
  }

  push(packet: Packet): void {
    if (packet.type === messageType.data) return;
    this.last = positionAfter(packet);
    if (this.segmenter === null || this.isGivenUp) return;
    const frame = this.reader.take(packet);
    if (frame === null) return;
    if (this.epochMs === 0) this.epochMs = Date.now() - frame.dtsMs;
    this.segmenter.push(frame, this.reader);
  }

  end(): void {
    if (this.segmenter === null && this.inherited === null) return;
    this.breakOff();
    this.inherited = null;
    const { clockId, last } = this;
    this.inTurn(async () => {
      Object.assign(this.state, { clockId, last, open: null, activeAtMs: Date.now() });
      await deleteFile(spareOf(this.listPath)).catch(() => undefined); // hidden, and the next list is written into it
      await this.options.states.save(stateKey(this.options.name), this.state);
      this.scheduleDisposal();
    });
  }

  async close(isOver: boolean): Promise<void> {
    this.cancelDisposal();
    if (isOver) this.end();
    const { open } = this;
    this.segmenter = null;
    this.open = null;
    if (open !== null) this.inTurn(() => open.file.discard()); // whoever goes on begins it anew
    this.inTurn(() => this.discarded);
    this.inTurn(() => this.options.states.release(stateKey(this.options.name)));
    await this.queue.settled();
    this.cancelDisposal();
  }

  /** Ends the segment under way; what comes next does not continue it. */
  private breakOff(): void {
    this.segmenter?.end();
    this.segmenter = null;
    this.closing = null;
  }

  private start(resumed: SegmentStart | null): void {
    const isFmp4 = this.options.settings.initFile !== null;
    this.reader = new FrameReader(resumed === null ? null : resumed.startMs, isFmp4);
    const events = {
      onOpen: (opened: SegmentStart, tracks: TsTracks): void => this.begun(opened, tracks),
      onBytes: (bytes: Buffer): void => this.write(bytes),
      onPart: (part: WrittenPart): void => this.addPart(part),
      onJump: (toMs: number): void => void (this.epochMs = Date.now() - toMs),
      onClose: (durationMs: number, pictures: number): void => this.closed(durationMs, pictures),
    };
    this.segmenter = new Segmenter(this.options.settings, events, resumed, this.sequence > 0);
  }

  private begun(start: SegmentStart, tracks: TsTracks): void {
    const { settings, name } = this.options;
    const { sequence, clockId, epochMs } = this;
    const nowMs = Date.now();
    const file = fillStream(fillTime(this.timed(nowMs), nowMs, settings.isUtc), name).replaceAll("[seq]", String(sequence));
    const path = pathBelow(settings.path, file);
    const before = { key: this.key, init: this.init };
    const cipher = this.cipherFor(sequence);
    const init = this.initFor(tracks);
    const { key, floor, closing } = this;
    this.closing = null;
    const programTimeMs = Math.round(epochMs + start.startMs);
    const entry = { sequence, isDiscontinuous: start.isDiscontinuous, programTimeMs, init };
    const from = (): string | null => spentFile(this.state, Date.now());
    const events = { onError: (error: DolphinError) => this.failed(error), onWritten: (bytes: Buffer) => blocks.giveBack(bytes) };
    const writer = new SegmentFile({ files: this.files, path: `${path}.tmp`, from, after: this.discarded, ...events });
    this.open = { sequence, start, key, cipher, file: writer, entry, partBase: path.replace(/(?:\.m4s)?$/, ".part"), parts: 0 };
    const opening = { open: start, clockId, epochMs, key, init, floor, variant: variantOf(tracks), activeAtMs: nowMs };
    // Written down with the end of the one before, unless there is a file that it needs first.
    if (closing?.hasBegun === false && key === before.key && init === before.init) closing.opening = opening;
    else this.inTurn(() => this.saveOpening(opening));
  }

  private async saveOpening(opening: Partial<HlsState>): Promise<void> {
    const { variant } = this.state;
    Object.assign(this.state, opening);
    if (this.state.variant !== null && variant !== null) this.state.variant = { ...this.state.variant, frameRate: variant.frameRate };
    await this.saveState();
  }

  /** The template of a segment's name, with the count of fragments in it where that is what tells the time. */
  private timed(nowMs: number): string {
    const { followsClock, segmentFile, fragmentMs } = this.options.settings;
    if (!followsClock) return segmentFile;
    const { count, moreMs } = nextFloor(this.floor, nowMs, Math.max(1, fragmentMs));
    this.floor = count;
    if (this.segmenter !== null) this.segmenter.moreMs = moreMs;
    return segmentFile.replaceAll("[timestamp]", String(count));
  }

  /** What describes these tracks: another file, under another name, whenever they are others. */
  private initFor(tracks: TsTracks): InitFile | null {
    const { settings, onSegment } = this.options;
    if (settings.initFile === null) return null;
    const { init, bytes } = describe(tracks, settings.initFile, this.init, this.where);
    if (this.init?.hash === init.hash) return this.init;
    this.init = init;
    const { path, uri } = init;
    const told = { sequence: 0, durationMs: 0, sizeBytes: bytes.length, isDiscontinuous: false, programTimeMs: Date.now() };
    this.inTurn(async () => {
      await writeWhole(this.files, path, bytes);
      onSegment({ ...told, key: null, init: null, path, uri, listPath: this.listPath });
    });
    return init;
  }

  private addPart({ bytes, durationMs, isIndependent }: WrittenPart): void {
    const { open } = this;
    if (open === null) return;
    const { sequence } = open;
    const path = `${open.partBase}${open.parts++}.m4s`;
    const part = { sequence, path, uri: posix.relative(dirname(this.listPath), path), durationMs, isIndependent };
    const write = writingWhole(this.files, path, bytes);
    this.inTurn(async () => {
      await write();
      if (this.state.parts.some((known) => known.path === path)) return; // begun anew: lists have told of it already
      this.state.parts.push(part);
      await this.saveState();
      await this.writeList(open);
    });
  }

  private write(bytes: Buffer): void {
    const { open } = this;
    if (open === null) return;
    if (open.cipher === null) open.file.append(bytes);
    else {
      open.file.append(open.cipher.update(bytes));
      blocks.giveBack(bytes);
    }
  }

  private closed(durationMs: number, pictures: number): void {
    const { open } = this;
    this.open = null;
    if (open === null) return;
    const { file, start, sequence, key, cipher } = open;
    if (durationMs < shortestSegmentMs && open.parts === 0) {
      this.discarded = file.discard(); // the next one has its name
      return;
    }
    this.sequence += 1;
    if (cipher !== null) file.append(cipher.final());
    const path = file.path.slice(0, -".tmp".length).replaceAll("[duration]", String(durationMs));
    const uri = posix.relative(dirname(this.listPath), path);
    const closing: Closing = { hasBegun: false, opening: null };
    this.closing = closing;
    const finished = file.finish(path); // now: until its turn comes it may only wait where that is counted
    this.inTurn(async () => {
      closing.hasBegun = true;
      const failure = await finished;
      if (failure !== null) {
        await this.saveOpening(closing.opening ?? {});
        throw failure;
      }
      if (this.hasFailed || file.foundNoFolder) await dropMissing(this.state);
      const isDiscontinuous = start.isDiscontinuous || this.hasFailed;
      this.hasFailed = false;
      const segment = { ...open.entry, uri, path, durationMs, sizeBytes: file.sizeBytes, isDiscontinuous, key };
      this.options.onSegment({ ...segment, listPath: this.listPath });
      this.state.open = null;
      this.state.activeAtMs = Date.now();
      if (this.state.variant !== null) this.state.variant = { ...this.state.variant, frameRate: rateOf(pictures, durationMs) };
      addSegment(this.state, segment, this.options.settings, Date.now());
      const saved = this.saveOpening(closing.opening ?? {}); // first: whoever goes on never makes anew what the list names
      if (!this.options.states.isGrowing(stateKey(this.options.name))) await saved;
      await Promise.all([saved, this.writeList(this.open?.sequence === sequence + 1 ? this.open : null)]);
      for (const old of takeExpired(this.state, Date.now(), file.usedUp)) await deleteFile(old);
    });
  }

  private async writeList(open: OpenSegment | null): Promise<void> {
    const { entryPrefix, partMs } = this.options.settings;
    if (open !== null) beginList(this.state, open.sequence, this.options.settings);
    const partsOfOpen = this.state.parts.filter(({ sequence }) => sequence === open?.sequence).length;
    const nextUri = open === null ? null : posix.relative(dirname(this.listPath), `${open.partBase}${partsOfOpen}.m4s`);
    const text = listText(this.state, { entryPrefix, partMs, open: open?.entry ?? null, nextUri });
    await replaceText(this.files, this.listPath, text);
  }

  /** The cipher of a segment: with a new key every so many, which is written before the first segment that needs it. */
  private cipherFor(sequence: number): Cipher | null {
    const { keys } = this.options.settings;
    if (!keys.areOn) {
      this.key = null;
      return null;
    }
    if (this.key === null || this.keyBytes === null || sequence % keys.segmentsPerKey === 0) {
      const { key, bytes } = makeKey(keys, sequence, this.where);
      this.keyBytes = bytes;
      this.key = key;
      this.inTurn(() => inFolder(key.path, () => writeFile(key.path, bytes, { mode: 0o644 })));
    }
    return createCipheriv("aes-128-cbc", this.keyBytes, Buffer.from(this.key.iv, "hex"));
  }

  /** Something could not be written. The stream goes on, and so does its HLS with the next segment, unless it is to stay away. */
  private failed(error: DolphinError): void {
    const { settings, log } = this.options;
    if (!this.hasFailed) log.error({ event: "hls.failed", code: error.code }, `${error.message}; the stream goes on, its HLS when it can`);
    this.hasFailed = true;
    if (settings.onError !== "continue") this.isGivenUp = true;
  }

  private async saveState(): Promise<void> {
    const { states, name, log } = this.options;
    const thrown: unknown = await states.add(this.files, stateKey(name), this.state).catch((cause: unknown) => cause);
    if (thrown !== undefined && !this.isForgetful)
      log.error({ event: "hls.failed", code: "PACK_WRITE" }, `its state: ${messageOf(thrown)}`);
    this.isForgetful = thrown !== undefined;
  }

  private scheduleDisposal(): void {
    const { settings } = this.options;
    this.cancelDisposal();
    if (settings.disposeMs === 0 || this.state.segments.length === 0 || this.segmenter !== null) return;
    const inMs = Math.max(0, this.state.activeAtMs + settings.disposeMs - Date.now());
    this.disposal = setTimeout(() => this.inTurn(() => this.dispose()), inMs);
  }

  private cancelDisposal(): void {
    if (this.disposal !== null) clearTimeout(this.disposal);
    this.disposal = null;
  }

  /** Deletes what there is; only the number of the next segment is remembered, so that none is used twice. */
  private async dispose(): Promise<void> {
    const { state } = this;
    if (this.segmenter !== null) return;
    for (const path of new Set([this.listPath, spareOf(this.listPath), ...forgetFiles(state)])) await deleteFile(path);
    this.key = null;
    this.init = null;
    await this.options.states.save(stateKey(this.options.name), this.state);
    this.options.log.info({ event: "hls.disposed" }, "nobody has published the stream for hls_dispose: its files are deleted");
  }
}
