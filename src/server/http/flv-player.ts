// A viewer over HTTP-FLV or WebSocket, from when its request was read: all that it is answered is written straight to its socket. The head goes
// out as soon as frames show what the stream has, for players wait for what the file's header announces; until then what came before
// them is held. The fan-out's buffers are framed already (framing.ts). A stream that ends is waited for, then the response ends.
// Another process can go on with it at any time, also while it waits.
//
//   waiting ─(frames)─▶ streaming ─(publisher left)─▶ streaming, clock running ─(too long)─▶ ended
//      └──(too long)─▶ 404
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, type ErrorCode } from "../../base/errors.js";
import { beforeFirst, type Position } from "../../base/position.js";
import { ClientFrames, frame, frameOf } from "../../codec/websocket.js";
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import { announcedWaitMs } from "../../stream/start-cache.js";
import type { Carriage } from "../../ipc/carried.js";
import type { Due } from "../../ipc/dues.js";
import { countTime, firstMediaBoundsMs } from "../../ipc/tally.js";
import { writeMarked, writeOpening } from "../peers/carriage.js";
import { writeTo } from "../../wire/direct-write.js";
import { endSoon } from "../../wire/farewell.js";
import { notFoundText, type Headers } from "./answers.js";
import { bodyOf, endingOf, openingOf, tapOf, type Framing } from "./framing.js";
import type { Traffic } from "../peers/traffic.js";

export interface FlvPlayerOptions {
  /** The viewer's socket, which is its alone. */
  readonly socket: Socket;
  readonly framing: Framing;
  /** Where a viewer goes on whom another process has served; null: nothing was written to it yet. */
  readonly from: Position | null;
  /** Has a copy of the connection kept; null where that cannot be. */
  readonly carry: () => Carriage | null;
  readonly source: Source;
  /** Headers beside those that FLV itself needs. */
  readonly headers: Headers;
  /** How long it waits for a stream that is not live yet; and for one that has ended, or has not shown anything yet. */
  readonly firstWaitMs: number;
  readonly waitMs: number;
  /** What the file header announces; null: what the stream has shown frames of by then. */
  readonly announces: { readonly audio: boolean; readonly video: boolean } | null;
  readonly traffic: Traffic;
  /** When its request came (ms since 1970). */
  readonly sinceMs: number;
  /** Called once, when the response is over: without a code for ordinary ends. */
  readonly onEnd: (reason: string, code?: ErrorCode) => void;
}

/** Where a viewer of another process goes on. */
export interface ResumedFlv {
  /** As in `CarriedSession`. */
  readonly token: string;
  readonly dues: readonly Due[];
  readonly from: Position | null;
}

/** An answer with a stream, which begins at once and lives as long as the response. `close` ends it; the connection ends with it. */
export class FlvPlayer implements Consumer {
  private readonly options: FlvPlayerOptions;
  private readonly socket: Socket;
  private seat: Seat | null = null;
  /** What the viewer says; null where that is nothing to us, or cannot be understood. */
  private frames: ClientFrames | null = null;
  private carriage: Carriage | null = null;
  private readonly patience = new Deadline();
  /** What came before the head could go out; `shows` is what the stream had shown by then. */
  private held: { readonly bytes: Buffer; readonly last: Packet | null }[] = [];
  private heldBytes = 0;
  private shows = { audio: false, video: false };
  /** For the frames of a track that is announced. */
  private readonly settling = new Deadline();
  private isClosed = false;
  private hasHead = false;
  private isWaiting: boolean;

  constructor(options: FlvPlayerOptions) {
    this.options = options;
    this.isWaiting = options.from === null;
    this.socket = options.socket;
    this.socket.once("close", () => this.close("the viewer left"));
    const { source, from, framing } = options;
    if (framing.kind === "websocket")
      this.frames = new ClientFrames({ onPing: (payload) => this.pong(payload), onClose: () => this.close("the viewer left") });
    this.hasHead = from !== null;
    this.awaitStream();
    this.carriage = options.carry();
    const isBegun = from !== null && from.packet !== beforeFirst.packet;
    this.seat = isBegun ? source.readmit(tapOf(framing), this, from) : source.add(tapOf(framing), this);
    if (source.isLive) this.onLive(true);
  }

  get backlogBytes(): number {
    return this.socket.writableLength + this.heldBytes;
  }

  send(bytes: Buffer, last: Packet | null): void {
    if (bytes.length === 0) return; // a batch without sound, for who hears alone
    if (!this.hasHead && !this.mayBegin()) {
      this.hold(bytes, last);
      return;
    }
    if (!this.hasHead) this.begin();
    if (this.isWaiting) this.countStart();
    this.options.traffic.bytesOut += bytes.length;
    this.options.source.bytesOut += bytes.length;
    this.write(bodyOf(this.options.framing, bytes), last);
  }

  /**
   * Takes what the viewer has sent: over WebSocket pings are answered, and a close ends it. Where another process has begun to read,
   * this one may come in the middle of a frame: then only the connection's end is heard.
   */
  hear(bytes: Buffer): void {
    if (this.isClosed) return;
    try {
      this.frames?.push(bytes);
    } catch (thrown) {
      this.frames = null;
      const { message, code } = asDolphinError(thrown);
      if (this.options.from === null) this.close(message, code);
    }
  }

  drop(code: ErrorCode, reason: string): void {
    this.socket.destroy();
    this.close(reason, code);
  }

  onLive(isLive: boolean): void {
    if (isLive) {
      this.patience.clear();
      if (this.hasHead) return;
      if (this.options.announces !== null) this.begin();
      else this.awaitStream(); // it is there, and may show itself later
      return;
    }
    if (this.shows.audio || this.shows.video) this.begin();
    this.release();
    this.awaitStream();
  }

  /** Ends the response, properly where the viewer is still there. Again does nothing. */
  close(reason: string, code?: ErrorCode): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.leave();
    this.carriage?.over();
    const { headers, framing, onEnd } = this.options;
    const ending = endingOf(framing);
    if (this.socket.writable) {
      if (!this.hasHead) this.socket.write(notFoundText(headers));
      else if (ending !== null) this.socket.write(ending);
    }
    endSoon(this.socket);
    onEnd(reason, code);
  }

  /** Leaves the viewer to another process; false where that cannot be, now or ever. `onEnd` is not called. */
  letGo(): boolean {
    if (this.isClosed || this.carriage?.isKept !== true || this.socket.writableLength > 0) return false;
    this.isClosed = true;
    this.leave();
    this.carriage.letGo();
    this.socket.destroy(); // the connection itself goes on in the copy
    return true;
  }

  private countStart(): void {
    this.isWaiting = false;
    countTime(this.options.traffic.tally.firstMedia, firstMediaBoundsMs, Date.now() - this.options.sinceMs);
  }

  private leave(): void {
    this.patience.clear();
    this.release();
    const { seat } = this;
    this.seat = null;
    if (seat !== null) this.options.source.remove(tapOf(this.options.framing), seat);
  }

  private write(body: Buffer, last: Packet | null): void {
    if (this.carriage === null) writeTo(this.socket, body);
    else writeMarked(this.socket, body, last, this.carriage);
  }

  /** Who does not take what is sent gets no answer to his pings. */
  private pong(payload: Buffer): void {
    if (this.hasHead && this.socket.writableLength === 0) this.write(frameOf(frame.pong, payload), null);
  }

  private awaitStream(): void {
    const { source } = this.options;
    const waitMs = this.hasHead || source.isLive ? this.options.waitMs : this.options.firstWaitMs;
    this.patience.ensure(waitMs, () => {
      if (this.hasHead) this.close(`the stream ended ${waitMs} ms ago`);
      else if (source.isLive) this.close(`neither picture nor sound came within ${waitMs} ms`, "FLV_NOT_FOUND");
      else this.close(`nobody published the stream within ${waitMs} ms`, "FLV_NOT_FOUND");
    });
  }

  /** Whether it is known what the file header should announce. */
  private mayBegin(): boolean {
    return this.options.announces !== null || this.options.source.shown.isSettled;
  }

  private hold(bytes: Buffer, last: Packet | null): void {
    const { hasAudio, hasVideo } = this.options.source.shown;
    this.held.push({ bytes, last });
    this.heldBytes += bytes.length;
    this.shows = { audio: hasAudio, video: hasVideo };
    if (hasAudio || hasVideo) this.settling.ensure(announcedWaitMs, () => this.begin());
  }

  /** Forgets what was held. */
  private release(): void {
    this.settling.clear();
    this.held = [];
    this.heldBytes = 0;
    this.shows = { audio: false, video: false };
  }

  private begin(): void {
    const { held } = this;
    if (this.hasHead) return;
    this.patience.clear();
    this.sendHead();
    this.release();
    for (const { bytes, last } of held) this.send(bytes, last);
  }

  private sendHead(): void {
    this.hasHead = true;
    const { headers, source, announces, framing } = this.options;
    const hasAudio = announces?.audio ?? (source.shown.hasAudio || this.shows.audio);
    const hasVideo = announces?.video ?? (source.shown.hasVideo || this.shows.video);
    const opening = openingOf(framing, headers, hasAudio, hasVideo);
    if (this.carriage === null) this.socket.write(opening);
    else writeOpening(this.socket, opening, this.carriage);
  }
}
