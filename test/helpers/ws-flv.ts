// A player of FLV over WebSocket, by a client of its own on a plain socket: the handshake and every frame of the server's are held to
// RFC 6455, and what they carry is read as a response of HTTP-FLV is.
import { createHash, randomBytes } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { PassThrough } from "node:stream";
import { FlvPlayer } from "./flv-reader.js";
import { within } from "./wait.js";

export interface WebSocketOptions {
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks for WebSocket; resolves with the head of the answer, whatever its status is. */
export async function watchWebSocket(url: string, options: WebSocketOptions = {}): Promise<WebSocketPlayer> {
  const { hostname, port, host, pathname, search } = new URL(url);
  const { timeoutMs = 5000, headers = {} } = options;
  const key = randomBytes(16).toString("base64");
  const socket = connect(Number(port), hostname);
  const all = {
    Host: host,
    Connection: "keep-alive, Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": key,
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`GET ${pathname}${search} HTTP/1.1\r\n${lines.join("")}\r\n`);
  const opened = new Promise<WebSocketPlayer>((resolve, reject) => {
    let read: Buffer = Buffer.alloc(0);
    const take = (bytes: Buffer): void => {
      read = Buffer.concat([read, bytes]);
      const end = read.indexOf("\r\n\r\n");
      if (end < 0) return;
      socket.off("data", take);
      try {
        resolve(new WebSocketPlayer(socket, read.toString("latin1", 0, end), key, read.subarray(end + 4)));
      } catch (thrown) {
        reject(thrown);
      }
    };
    socket
      .on("data", take)
      .once("error", reject)
      .once("close", () => reject(new Error("closed before an answer")));
  });
  return within(opened, timeoutMs, `the answer to a handshake for ${url}`);
}

export class WebSocketPlayer extends FlvPlayer {
  /** The sizes of binary frames, in their order. */
  readonly frames: number[] = [];
  readonly pongs: string[] = [];
  /** The code of the server's close frame. */
  closedWith: number | null = null;
  private readonly socket: Socket;
  private readonly stream: PassThrough;
  private bytes: Buffer;

  constructor(socket: Socket, head: string, key: string, rest: Buffer) {
    const [first = "", ...lines] = head.split("\r\n");
    const status = Number(first.split(" ")[1]);
    const headers: IncomingHttpHeaders = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]),
    );
    const isOpen = status === 101;
    if (isOpen) {
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      if (headers["sec-websocket-accept"] !== accept) throw new Error(`a wrong Sec-WebSocket-Accept: ${headers["sec-websocket-accept"]}`);
      if (headers.upgrade !== "websocket" || headers.connection !== "Upgrade") throw new Error(`no switch of protocols: ${head}`);
    }
    const stream = new PassThrough();
    const answer = { statusCode: isOpen ? 200 : status, headers: isOpen ? { "content-type": "video/x-flv" } : headers, complete: true };
    super(Object.assign(stream, answer) as unknown as IncomingMessage);
    this.socket = socket;
    this.stream = stream;
    this.bytes = rest;
    const take = (): void => {
      if (!isOpen) stream.write(this.bytes.subarray(0));
      else while (this.readFrame());
      if (!isOpen) this.bytes = Buffer.alloc(0);
    };
    socket.on("data", (bytes: Buffer) => {
      this.bytes = Buffer.concat([this.bytes, bytes]);
      take();
    });
    socket.on("error", () => undefined).on("close", () => stream.end());
    if (rest.length > 0) take();
  }

  /** Sends a frame as a client does. */
  say(first: number, payload: Buffer): void {
    const mask = randomBytes(4);
    this.socket.write(Buffer.concat([Buffer.of(first, 0x80 | payload.length), mask, payload.map((byte, at) => byte ^ mask[at % 4]!)]));
  }

  /** Sends bytes that need not be a frame. */
  sayRaw(bytes: Buffer): void {
    this.socket.write(bytes);
  }

  override close(): void {
    this.socket.destroy();
  }

  private readFrame(): boolean {
    const b = this.bytes;
    if (b.length < 2) return false;
    const [first, length] = [b.readUInt8(0), b.readUInt8(1)];
    if (length > 127) throw new Error("a frame of a server is masked");
    const head = length < 126 ? 2 : length === 126 ? 4 : 10;
    if (b.length < head) return false;
    const size = length < 126 ? length : length === 126 ? b.readUInt16BE(2) : Number(b.readBigUInt64BE(2));
    if (b.length < head + size) return false;
    const payload = Buffer.from(b.subarray(head, head + size));
    this.bytes = b.subarray(head + size);
    if (first === 0x82) {
      this.frames.push(size);
      this.stream.write(payload);
    } else if (first === 0x8a) this.pongs.push(payload.toString());
    else if (first === 0x88) this.closedWith = payload.readUInt16BE(0);
    else throw new Error(`a frame that begins with ${first.toString(16)}`);
    return true;
  }
}
