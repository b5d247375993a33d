// A viewer over HTTP-FLV, from when its request was read: all that it is answered is written straight to its socket. The head goes
// out as soon as the stream is live; the fan-out's buffers are framed as HTTP chunks already. A stream that ends is waited for, then
// the response ends. Another process can go on with it at any time, also while it waits.
//
//   waiting ─(live)─▶ streaming ─(publisher left)─▶ streaming, clock running ─(too long)─▶ ended
//      └──(too long)─▶ 404
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import type { ErrorCode } from "../../base/errors.js";
import { flvStart, withoutFraming } from "../../stream/container.js";
import { beforeFirst, type Position } from "../../base/position.js";
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import { writeMarked, writeOpening } from "../peers/carriage.js";
import { endSoon } from "../peers/farewell.js";
import { flvHeaders, headText, notFoundText, type Headers } from "./answers.js";
import type { Traffic } from "../peers/traffic.js";

const lastChunk = Buffer.from("0\r\n\r\n");

export interface FlvPlayerOptions {
  /** The viewer's socket, which is its alone. */
  readonly socket: Socket;
  /** HTTP 1.1: the body comes in chunks. */
  readonly isChunked: boolean;
  /** Where a viewer goes on whom another process has served; null: nothing was written to it yet. */
  readonly from: Position | null;
  /** Has a copy of the connection kept; null where that cannot be. */
  readonly carry: () => Carriage | null;
  readonly source: Source;
  /** Headers beside those that FLV itself needs. */
  readonly headers: Headers;
  /** How long it waits for a stream that is not live yet, and for one that has ended. */
  readonly firstWaitMs: number;
  readonly waitMs: number;
  /** What the file header announces; null: what the stream has shown by then. */
  readonly announces: { readonly audio: boolean; readonly video: boolean } | null;
  readonly traffic: Traffic;
  /** Called once, when the response is over: without a code for ordinary ends. */
  readonly onEnd: (reason: string, code?: ErrorCode) => void;
}

/** An answer with a stream, which begins at once and lives as long as the response. `close` ends it; the connection ends with it. */
export class FlvPlayer implements Consumer {
  private readonly options: FlvPlayerOptions;
  private readonly socket: Socket;
  private seat: Seat | null = null;
  private carriage: Carriage | null = null;
  private readonly patience = new Deadline();
  private isClosed = false;
  private hasHead = false;

  constructor(options: FlvPlayerOptions) {
    this.options = options;
    this.socket = options.socket;
    this.socket.once("close", () => this.close("the viewer left"));
    const { source, from } = options;
    this.hasHead = from !== null;
    this.awaitStream();
    this.carriage = options.carry();
    const isBegun = from !== null && from.packet !== beforeFirst.packet;
    this.seat = isBegun ? source.readmit("flv", this, from) : source.add("flv", this);
    if (source.isLive) this.onLive(true);
  }

  get backlogBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Buffer, last: Packet | null): void {
    if (!this.hasHead) this.sendHead();
    this.options.traffic.bytesOut += bytes.length;
    const body = this.options.isChunked ? bytes : withoutFraming(bytes);
    if (this.carriage === null) this.socket.write(body);
    else writeMarked(this.socket, body, last, this.carriage);
  }

  drop(code: ErrorCode, reason: string): void {
    this.socket.destroy();
    this.close(reason, code);
  }

  onLive(isLive: boolean): void {
    if (!isLive) {
      this.awaitStream();
      return;
    }
    this.patience.clear();
    if (!this.hasHead && this.options.announces !== null) this.sendHead();
  }

  /** Ends the response, properly where the viewer is still there. Again does nothing. */
  close(reason: string, code?: ErrorCode): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.leave();
    this.carriage?.over();
    const { headers, isChunked, onEnd } = this.options;
    if (this.socket.writable) {
      if (!this.hasHead) this.socket.write(notFoundText(headers));
      else if (isChunked) this.socket.write(lastChunk);
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

  private leave(): void {
    this.patience.clear();
    const { seat } = this;
    this.seat = null;
    if (seat !== null) this.options.source.remove("flv", seat);
  }

  private awaitStream(): void {
    const waitMs = this.hasHead ? this.options.waitMs : this.options.firstWaitMs;
    this.patience.ensure(waitMs, () => {
      if (this.hasHead) this.close(`the stream ended ${waitMs} ms ago`);
      else this.close(`nobody published the stream within ${waitMs} ms`, "FLV_NOT_FOUND");
    });
  }

  private sendHead(): void {
    this.hasHead = true;
    const { headers, source, announces, isChunked } = this.options;
    const hasAudio = announces?.audio ?? source.hasAudio;
    const hasVideo = announces?.video ?? source.hasVideo;
    const head = Buffer.from(headText("200 OK", flvHeaders(headers, isChunked)), "latin1");
    const start = flvStart(hasAudio, hasVideo);
    const opening = Buffer.concat([head, isChunked ? start : withoutFraming(start)]);
    if (this.carriage === null) this.socket.write(opening);
    else writeOpening(this.socket, opening, this.carriage);
  }
}
