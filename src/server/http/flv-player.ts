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
import type { Consumer, Seat } from "../../stream/fanout.js";
import type { Source } from "../../stream/source.js";
import { endSoon } from "../farewell.js";
import type { Traffic } from "../traffic.js";

const lastChunk = Buffer.from("0\r\n\r\n");

export interface FlvPlayerOptions {
  readonly response: ServerResponse;
  /** The response's socket, which is its alone. */
  readonly socket: Socket;
  readonly source: Source;
  /** Headers beside those that FLV itself needs. */
  readonly headers: Readonly<Record<string, string>>;
  /** How long it waits for a stream that is not live, before and after it was. */
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
  private readonly isChunked: boolean;
  private seat: Seat | null = null;
  private readonly patience = new Deadline();
  private isClosed = false;
  private hasHead = false;

  constructor(options: FlvPlayerOptions) {
    this.options = options;
    this.socket = options.socket;
    this.isChunked = options.response.req.httpVersion === "1.1";
    this.socket.once("close", () => this.close("the viewer left"));
    this.awaitStream();
    this.seat = options.source.add("flv", this);
    if (options.source.isLive) this.onLive(true);
  }

  get backlogBytes(): number {
    return this.socket.writableLength;
  }

  send(bytes: Buffer): void {
    if (!this.hasHead) this.sendHead();
    this.options.traffic.bytesOut += bytes.length;
    this.socket.write(this.isChunked ? bytes : withoutFraming(bytes));
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
    this.patience.clear();
    const { seat } = this;
    this.seat = null;
    if (seat !== null) this.options.source.remove("flv", seat);
    if (this.hasHead) {
      if (this.isChunked && this.socket.writable) this.socket.write(lastChunk);
      endSoon(this.socket);
    } else if (!this.socket.destroyed) notFound(this.options.response, this.options.headers);
    this.options.onEnd(reason, code);
  }

  private awaitStream(): void {
    const { waitMs } = this.options;
    this.patience.ensure(waitMs, () => {
      if (this.hasHead) this.close(`the stream ended ${waitMs} ms ago`);
      else this.close(`nobody published the stream within ${waitMs} ms`, "FLV_NOT_FOUND");
    });
  }

  private sendHead(): void {
    this.hasHead = true;
    const { response, headers, source, announces } = this.options;
    const hasAudio = announces?.audio ?? source.hasAudio;
    const hasVideo = announces?.video ?? source.hasVideo;
    response.writeHead(200, {
      ...headers,
      "Content-Type": "video/x-flv",
      "Cache-Control": "no-cache",
      Connection: "close",
      ...(this.isChunked ? { "Transfer-Encoding": "chunked" } : {}),
    });
    response.flushHeaders();
    const start = flvStart(hasAudio, hasVideo);
    this.socket.write(this.isChunked ? start : withoutFraming(start));
  }
}

/** Answers 404 in SRS's words. */
export function notFound(response: ServerResponse, headers: Readonly<Record<string, string>>): void {
  response.writeHead(404, { ...headers, "Content-Type": "text/plain; charset=utf-8", "Content-Length": 9, Connection: "close" });
  response.end("Not Found");
}
