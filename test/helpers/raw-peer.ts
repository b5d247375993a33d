// A peer that does as it likes: raw bytes to a port, and whether, when and with which log line the server closed on it.
import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { encodeAmf, type Amf } from "./amf0.js";
import type { Dolphin, LogLine } from "./dolphin.js";
import { ChunkWriter } from "./rtmp-chunks.js";
import { eventually, within } from "./wait.js";

const handshakeBytes = 1536;

/** One connection. The caller closes it. */
export class RawPeer {
  /** Everything that the server sent. */
  received: Buffer = Buffer.alloc(0);
  /** Resolves when the connection is over, whoever ended it and however. */
  readonly closed: Promise<void>;
  isClosed = false;
  private readonly socket: Socket;
  private readonly port: number;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.port = socket.localPort ?? 0; // it is forgotten with the connection
    socket.on("data", (bytes: Buffer) => (this.received = Buffer.concat([this.received, bytes])));
    socket.on("error", () => undefined); // a reset is one of the ways to be closed
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        this.isClosed = true;
        resolve();
      });
    });
  }

  static async open(port: number): Promise<RawPeer> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new RawPeer(socket);
  }

  /** The peer as the server's log names it. */
  get name(): string {
    return `127.0.0.1:${this.port}`;
  }

  send(...bytes: readonly Buffer[]): void {
    if (this.socket.writable) this.socket.write(Buffer.concat(bytes));
  }

  /** Reads nothing more of what the server sends. */
  pause(): void {
    this.socket.pause();
  }

  /** Waits until the server's bytes hold a text. */
  async waitForText(text: string, timeoutMs = 5000): Promise<void> {
    await eventually(() => this.received.includes(text), { timeoutMs, everyMs: 10, what: `"${text}" from the server` });
  }

  /** Ends it with a reset instead of an orderly close. */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  close(): void {
    this.socket.destroy();
  }

  /** Fails unless the server closes in time and has told of it in exactly one line, with one of these codes. */
  async assertClosedWith(dolphin: Dolphin, codes: readonly string[], timeoutMs = 3000): Promise<void> {
    const { name } = this;
    await within(this.closed, timeoutMs, () => `the server to close ${name}; it said ${this.received.subarray(-200).toString("latin1")}`);
    const told = (): LogLine[] => dolphin.logLines(({ peer, code }) => peer === name && code !== undefined);
    await eventually(() => told().length > 0, { timeoutMs: 2000, what: `a line with a code for ${name}` });
    assert.deepEqual(
      told().map(({ code }) => codes.includes(code ?? "") || `${code}: ${JSON.stringify(told())}`),
      [true],
    );
  }
}

/** C0 C1 C2: the server's answer is not waited for. */
export function handshake(): Buffer {
  const c1 = Buffer.alloc(handshakeBytes, 0x11);
  c1.fill(0, 0, 8);
  return Buffer.concat([Buffer.of(3), c1, Buffer.alloc(handshakeBytes)]);
}

/** A message in chunks of 128 bytes with a full header. */
export function message(type: number, payload: Buffer, { csid = 3, streamId = 0, timestamp = 0 }: Place = {}): Buffer {
  return new ChunkWriter().write({ type, payload, csid, streamId, timestamp });
}

export interface Place {
  readonly csid?: number;
  readonly streamId?: number;
  readonly timestamp?: number;
}

export function command(name: string, transaction: number, ...values: readonly Amf[]): Buffer {
  return message(20, encodeAmf(name, transaction, ...values));
}

/** Protocol control (1 chunk size, 2 abort, 3 acknowledgement, 5 window) with one number. */
export function control(type: number, value: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(value >>> 0);
  return message(type, payload, { csid: 2 });
}

/** Only the header of a message: basic header, and as much as its format has. The csid is below 64. */
export function header(format: 0 | 1 | 2 | 3, csid: number, { type = 20, length = 0, streamId = 0 } = {}): Buffer {
  const full = Buffer.alloc(12);
  full[0] = (format << 6) | csid;
  full.writeUIntBE(length, 4, 3);
  full[7] = type;
  full.writeUInt32LE(streamId, 8);
  return full.subarray(0, [12, 8, 4, 1][format] ?? 1);
}

/** The handshake and `connect`, as one piece. */
export function login(): Buffer {
  return Buffer.concat([handshake(), command("connect", 1, { app: "live", tcUrl: "rtmp://127.0.0.1/live" })]);
}

/** The same up to a running publication of `stream`. */
export function loginAndPublish(stream: string): Buffer {
  return Buffer.concat([
    login(),
    command("createStream", 2, null),
    message(20, encodeAmf("publish", 3, null, stream, "live"), { streamId: 1 }),
  ]);
}
