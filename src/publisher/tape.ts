// A file as the messages of one publisher, from its beginning and over and over: read piece by piece, with times that go on from
// round to round (rounds.ts). What a decoder has been told already is left out of later rounds, and so is the end that a file
// announces, for players would take it for the stream's.
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { extname } from "node:path";
import { DolphinError, messageOf } from "../base/errors.js";
import { audioHeader, audioRole, role, videoHeader, videoRole } from "../codec/av.js";
import { shellWord } from "../base/printable.js";
import { FlvReader, type FlvTag } from "../codec/flv-reader.js";
import { mediaStreamId, messageType, type Message } from "../codec/rtmp/message.js";
import { isMetadata, withSetDataFrame } from "../codec/rtmp/metadata.js";
import { beginRound, makeRounds, timeOfFrame } from "./rounds.js";

export interface TapeOptions {
  readonly path: string;
  /** Whether it ends with the file. */
  readonly isOnce: boolean;
  /** What is odd about the file and no reason to stop. */
  readonly note: (sentence: string) => void;
}

const pieceBytes = 64 << 10;

/** An open file. `close` closes it. */
export class Tape {
  private readonly options: TapeOptions;
  private readonly fd: number;
  private readonly piece = Buffer.allocUnsafe(pieceBytes);
  private readonly rounds = makeRounds();
  /** The last description of each kind and track. */
  private readonly told = new Map<string, Buffer>();
  private reader: FlvReader;
  private read: FlvTag[] = [];
  private readAt = 0;
  private position = 0;
  private framesOfRound = 0;
  private isCutTold = false;
  private isClosed = false;

  /** Opens a file and reads its beginning. Throws FLV_FILE, also later, for what cannot be read or is no FLV. */
  constructor(options: TapeOptions) {
    this.options = options;
    this.reader = this.newReader();
    this.fd = this.open(options.path);
    try {
      this.readOn();
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  /** The next message, whose time is in ms from the beginning of the first round; null: that was the last one. */
  next(): Message | null {
    for (;;) {
      const tag = this.nextTag();
      if (tag === null) return null;
      const message = this.toMessage(tag);
      if (message !== null) return message;
    }
  }

  close(): void {
    if (!this.isClosed) closeSync(this.fd);
    this.isClosed = true;
  }

  private toMessage({ type, timestamp, payload }: FlvTag): Message | null {
    const message = { type, streamId: mediaStreamId, payload };
    if (type === messageType.data) {
      if (isMetadata(payload) && !this.isNews("metadata", payload)) return null;
      return { ...message, timestamp: this.rounds.lastMs, payload: withSetDataFrame(payload) };
    }
    const isVideo = type === messageType.video;
    const is = isVideo ? videoRole(payload) : audioRole(payload);
    if (is === role.other) return null;
    if (is === role.header) {
      const { kind, tracks } = isVideo ? videoHeader(payload) : audioHeader(payload);
      return this.isNews(`${kind} ${tracks.join()}`, payload) ? { ...message, timestamp: this.rounds.lastMs } : null;
    }
    this.framesOfRound += 1;
    return { ...message, timestamp: timeOfFrame(this.rounds, type, timestamp) };
  }

  private isNews(what: string, payload: Buffer): boolean {
    if (this.told.get(what)?.equals(payload) === true) return false;
    this.told.set(what, payload);
    return true;
  }

  private nextTag(): FlvTag | null {
    while (this.readAt === this.read.length) {
      this.read = [];
      this.readAt = 0;
      if (this.readOn()) continue;
      this.endRound();
      if (this.options.isOnce) return null;
    }
    return this.read[this.readAt++]!;
  }

  /** A pipe would keep this process from all else while it waits, and has no beginning to go back to. */
  private open(path: string): number {
    return this.guard(() => {
      if (!statSync(path).isFile()) throw new Error("it is no plain file, which could be read again from its beginning");
      return openSync(path, "r");
    });
  }

  /** Reads the next piece of the file; false: there is none. */
  private readOn(): boolean {
    return this.guard(() => {
      const count = readSync(this.fd, this.piece, 0, pieceBytes, this.position);
      this.position += count;
      this.reader.push(this.piece.subarray(0, count));
      return count > 0;
    });
  }

  private endRound(): void {
    const { path, note } = this.options;
    const cutBytes = this.guard(() => this.reader.end());
    if (this.framesOfRound === 0) throw new DolphinError("FLV_FILE", `${path} holds neither sound nor pictures`);
    if (cutBytes > 0 && !this.isCutTold) note(`${path} ends in the middle of a tag: its last ${cutBytes} bytes are left out`);
    this.isCutTold = cutBytes > 0;
    this.framesOfRound = 0;
    this.position = 0;
    this.reader = this.newReader();
    beginRound(this.rounds);
  }

  /** What is wrong with the file, with its name and what to do. */
  private guard<T>(run: () => T): T {
    const { path } = this.options;
    try {
      return run();
    } catch (thrown) {
      if (!(thrown instanceof DolphinError))
        throw new DolphinError("FLV_FILE", `${path} cannot be read: ${messageOf(thrown)}`, { cause: thrown });
      const ending = extname(path);
      const stem = ending === "" ? path : path.slice(0, -ending.length);
      const words = ["ffmpeg", "-i", path, "-c", "copy", `${stem}${ending === ".flv" ? "-new" : ""}.flv`];
      const remedy = `\`${words.map(shellWord).join(" ")}\` makes one that can be played`;
      throw new DolphinError(thrown.code, `${path} ${thrown.message}; ${remedy}`, { cause: thrown });
    }
  }

  private newReader(): FlvReader {
    return new FlvReader((tag) => this.read.push(tag));
  }
}
