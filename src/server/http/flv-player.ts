// A viewer over HTTP-FLV. The response's head goes out as soon as the stream is live; the fan-out's buffers are framed as
// HTTP chunks already and are written straight to the socket. A stream that ends is waited for, then the response ends.
//
//   waiting ─(live)─▶ streaming ─(publisher left)─▶ streaming, clock running ─(too long)─▶ ended
//      └──(too long)─▶ 404
import type { ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import type { ErrorCode } from "../../base/errors.js";
import { flvStart, withoutFraming } from "../../stream/container.js";
import type { Position } from "../../base/position.js";
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Packet } from "../../stream/packet.js";
import type { Source } from "../../stream/source.js";
import type { Carriage } from "../../ipc/carried.js";
import { writeMarked } from "../peers/carriage.js";
import { endSoon } from "../peers/farewell.js";
import { answerNotFound, flvHeaders, type Headers } from "./answers.js";
import type { Traffic } from "../peers/traffic.js";

const lastChunk = Buffer.from("0\r\n\r\n");

export interface FlvPlayerOptions {
  /** Null: its head is out, by another process, and the viewer goes on behind `from`. */
  readonly response: ServerResponse | null;
  /** The response's socket, which is its alone. */
  readonly socket: Socket;
  /** HTTP 1.1: the body comes in chunks. */
  readonly isChunked: boolean;
  /** Where a viewer goes on whom another process has served; null: from the stream's start. */
  readonly from: Position | null;
  /** Has a copy of the connection kept, once the head is out; null where that cannot be. */
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
    const { source, response, from } = options;
    this.hasHead = response === null;
    this.awaitStream();
    if (response === null) this.carriage = options.carry();
    this.seat = from === null ? source.add("flv", this) : source.readmit("flv", this, from);
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
    const { response, headers, isChunked, onEnd } = this.options;
    if (this.hasHead || response === null) {
      if (isChunked && this.socket.writable) this.socket.write(lastChunk);
      endSoon(this.socket);
    } else if (!this.socket.destroyed) answerNotFound(response, headers);
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
    const { response, headers, source, announces, isChunked } = this.options;
    if (response === null) return;
    const hasAudio = announces?.audio ?? source.hasAudio;
    const hasVideo = announces?.video ?? source.hasVideo;
    response.writeHead(200, flvHeaders(headers, isChunked));
    response.flushHeaders();
    const start = flvStart(hasAudio, hasVideo);
    this.socket.write(isChunked ? start : withoutFraming(start));
    this.carriage = this.options.carry();
  }
}
