// HLS of one stream: segments and the list that names them, on the disk. The media never waits for it; all work with files is done in
// turn behind it. Whatever ends the process, the one after it finds in the state file where to go on: with the same numbers, and with
// the segment under way from its beginning.
//
//   packets ─▶ segmenter.ts ─▶ SEGMENT.tmp ─▶ SEGMENT ─▶ on_hls ─▶ list.ts ─▶ the state file, the list
import { createCipheriv, randomBytes, type Cipher } from "node:crypto";
import { mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, posix } from "node:path";
import { asDolphinError, type DolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Position } from "../../base/position.js";
import { messageType } from "../../codec/rtmp/message.js";
import type { HlsBlock } from "../../conf/meaning/config.js";
import { catchUp, positionAfter } from "../../stream/catch-up.js";
import type { Packet } from "../../stream/packet.js";
import { FileWriter } from "../media/file-writer.js";
import { FrameReader } from "../media/frames.js";
import { fillStream, fillTime, pathBelow, type StreamName } from "../media/names.js";
import type { Output } from "../media/output.js";
import type { StateFiles } from "../media/state-files.js";
import { addSegment, listText, makeHlsState, takeExpired, type HlsState, type KeyFile, type ListedSegment } from "./list.js";
import { Segmenter, type SegmentStart } from "./segmenter.js";

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
const keyBytes = 16;

/** The segment under way. */
interface OpenSegment {
  readonly sequence: number;
  readonly start: SegmentStart;
  readonly file: FileWriter;
  readonly key: KeyFile | null;
  readonly cipher: Cipher | null;
}

/** The HLS of one stream. `close` ends it. */
export class HlsOutput implements Output {
  private readonly options: HlsOptions;
  /** As it is on the disk, or will be in turn: nothing else changes it. */
  private readonly state: HlsState;
  private readonly listPath: string;
  private reader = new FrameReader();
  private segmenter: Segmenter | null = null;
  private open: OpenSegment | null = null;
  /** Behind the last packet that was taken; null: none was. */
  private last: Position | null = null;
  /** What another process has begun and not finished; null: nothing, or it is known what became of it. */
  private inherited: SegmentStart | null;
  private clockId: number;
  private epochMs: number;
  private sequence: number;
  private key: KeyFile | null;
  private keyBytes: Buffer | null = null;
  private turn: Promise<void> = Promise.resolve();
  private inTurnCount = 0;
  /** Whether what came before the next segment could not be written. */
  private hasFailed = false;
  private isGivenUp = false;
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
    this.listPath = pathBelow(options.settings.path, fillStream(options.settings.listFile, options.name));
  }

  /** Reads what is remembered of the stream. Throws PACK_NAME for one that nothing may be written of. */
  static async load(options: HlsOptions): Promise<HlsOutput> {
    const { name, states } = options;
    const found = await states.load(keyOf(name));
    const state = isState(found) ? found : makeHlsState(name);
    const isThere = await Promise.all(state.segments.map(({ path }) => isFile(path)));
    const gone = isThere.lastIndexOf(false) + 1; // a list has no holes
    state.segments.splice(0, gone);
    state.first += gone;
    const output = new HlsOutput(options, state);
    if (state.key !== null) output.keyBytes = await readFile(state.key.path).catch(() => null);
    output.scheduleDisposal();
    return output;
  }

  get isIdle(): boolean {
    return this.segmenter === null && this.disposal === null && this.inTurnCount === 0;
  }

  begin(clockId: number, kept: readonly Packet[]): void {
    this.cancelDisposal();
    this.isGivenUp = false;
    const { inherited } = this;
    this.inherited = null;
    const isSameClock = this.clockId === clockId;
    this.clockId = clockId;
    const from = inherited?.position ?? this.last;
    const found = isSameClock && from !== null ? catchUp(from, kept) : null;
    const place = typeof found === "object" && found !== null ? found.from - (inherited === null ? 0 : 1) : null;
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
      await this.saveState();
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
    await this.turn;
    this.cancelDisposal();
  }

  /** Ends the segment under way; what comes next does not continue it. */
  private breakOff(): void {
    this.segmenter?.end();
    this.segmenter = null;
  }

  private start(resumed: SegmentStart | null): void {
    this.reader = new FrameReader(resumed === null ? null : resumed.startMs);
    const events = {
      onOpen: (start: SegmentStart): void => this.begun(start),
      onBytes: (bytes: Buffer): void => this.write(bytes),
      onClose: (durationMs: number): void => this.closed(durationMs),
    };
    this.segmenter = new Segmenter(this.options.settings, events, resumed, this.sequence > 0);
  }

  private begun(start: SegmentStart): void {
    const { settings, name } = this.options;
    const { sequence, clockId, epochMs } = this;
    const nowMs = Date.now();
    const file = fillStream(fillTime(settings.segmentFile, nowMs), name).replaceAll("[seq]", String(sequence));
    const path = pathBelow(settings.path, file);
    const cipher = this.cipherFor(sequence);
    const { key } = this;
    this.open = { sequence, start, key, cipher, file: new FileWriter(`${path}.tmp`, (error) => this.failed(error)) };
    this.inTurn(async () => {
      Object.assign(this.state, { open: start, clockId, epochMs, key, activeAtMs: nowMs });
      await this.saveState();
    });
  }

  private write(bytes: Buffer): void {
    const { open } = this;
    if (open === null) return;
    open.file.append(open.cipher === null ? bytes : open.cipher.update(bytes));
  }

  private closed(durationMs: number): void {
    const { open, epochMs } = this;
    this.open = null;
    if (open === null) return;
    const { file, start, sequence, key, cipher } = open;
    if (durationMs < shortestSegmentMs) {
      this.inTurn(() => file.discard());
      return;
    }
    this.sequence += 1;
    if (cipher !== null) file.append(cipher.final());
    const path = file.path.slice(0, -".tmp".length).replaceAll("[duration]", String(durationMs));
    const uri = posix.relative(dirname(this.listPath), path);
    const programTimeMs = Math.round(epochMs + start.startMs);
    this.inTurn(async () => {
      await file.finish(path);
      const isDiscontinuous = start.isDiscontinuous || this.hasFailed;
      this.hasFailed = false;
      const segment = { sequence, uri, path, durationMs, sizeBytes: file.sizeBytes, isDiscontinuous, programTimeMs, key };
      this.options.onSegment({ ...segment, listPath: this.listPath });
      this.state.open = null;
      this.state.activeAtMs = Date.now();
      addSegment(this.state, segment, this.options.settings, Date.now());
      await this.saveState(); // first: whoever goes on never makes anew what the list names
      await this.writeList();
      for (const old of takeExpired(this.state, Date.now())) await rm(old, { force: true });
    });
  }

  /** A list is replaced as a whole. */
  private async writeList(): Promise<void> {
    const temporary = `${this.listPath}.temp`;
    await mkdir(dirname(this.listPath), { recursive: true });
    try {
      await writeFile(temporary, listText(this.state, this.options.settings.entryPrefix));
      await rename(temporary, this.listPath);
    } catch (thrown) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw thrown;
    }
  }

  /** The cipher of a segment: with a new key every so many, which is written before the first segment that needs it. */
  private cipherFor(sequence: number): Cipher | null {
    const { settings, name } = this.options;
    const { keys } = settings;
    if (!keys.areOn) {
      this.key = null;
      return null;
    }
    if (this.key === null || this.keyBytes === null || sequence % keys.segmentsPerKey === 0) {
      const file = fillStream(keys.file, name).replaceAll("[seq]", String(sequence));
      const path = pathBelow(keys.path, file);
      const uri = keys.url === null ? posix.relative(dirname(this.listPath), path) : `${keys.url}${file}`;
      const bytes = randomBytes(keyBytes);
      this.keyBytes = bytes;
      this.key = { path, uri, iv: randomBytes(keyBytes).toString("hex") };
      this.inTurn(async () => {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, bytes, { mode: 0o644 });
      });
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

  /** Work with files, one after the other; what goes wrong costs a segment. */
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
    const ofSegments = state.segments.flatMap(({ path, key }) => (key === null ? [path] : [path, key.path]));
    const paths = [this.listPath, ...ofSegments, ...state.expired.map(({ path }) => path)];
    for (const path of new Set(paths)) await rm(path, { force: true });
    this.key = null;
    Object.assign(state, { segments: [], expired: [], key: null, open: null, discontinuitySequence: 0, targetSeconds: 0 });
    await this.saveState();
    this.options.log.info({ event: "hls.disposed" }, "nobody has published the stream for hls_dispose: its files are deleted");
  }
}

function keyOf({ vhost, app, stream }: StreamName): string {
  return `hls ${vhost}/${app}/${stream}`;
}

function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

function isState(found: unknown): found is HlsState {
  return typeof found === "object" && found !== null && "kind" in found && found.kind === "hls";
}
