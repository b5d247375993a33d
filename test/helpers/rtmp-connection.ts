// One RTMP connection of the tests' own client: handshake, strict reading, commands and their answers. It shares no code with
// the server. What it is used for, playing or publishing, is in rtmp-client.ts.
import { connect, type Socket } from "node:net";
import { asObject, decodeAmf, encodeAmf, type Amf } from "./amf0.js";
import { ChunkWriter, StrictChunkReader, type ChunkHabits, type RtmpMessage } from "./rtmp-chunks.js";
import { within } from "./wait.js";

export interface RtmpUrl {
  readonly host: string;
  readonly port: number;
  readonly app: string;
  /** With its query, as encoders send it. */
  readonly stream: string;
  readonly tcUrl: string;
}

export interface ConnectOptions extends ChunkHabits {
  /** Added to the connect command's object. */
  readonly connectArguments?: Readonly<Record<string, Amf>>;
  /** A second object behind that one, as edges send it. */
  readonly connectObject?: Readonly<Record<string, Amf>>;
  readonly timeoutMs?: number;
}

/** A command of the server: name, transaction, and what follows. */
export interface RtmpCommand {
  readonly name: string;
  readonly transaction: number;
  readonly values: readonly Amf[];
}

const handshakeBytes = 1536;
const msgCommand = 20;

/** The last part of the path is the stream; all before it is the app. */
export function parseRtmpUrl(text: string): RtmpUrl {
  const found = /^rtmp:\/\/([^/:]+)(?::(\d+))?\/(.+)\/([^/]+)$/.exec(text);
  if (found === null) throw new Error(`not an RTMP URL: ${text}`);
  const [, host = "", port = "1935", app = "", stream = ""] = found;
  return { host, port: Number(port), app, stream, tcUrl: `rtmp://${host}:${port}/${app}` };
}

/** A connection after its `connect` was answered. */
export class RtmpConnection {
  readonly commands: RtmpCommand[] = [];
  /** Everything but commands and protocol control, in order. */
  onMessage: (message: RtmpMessage) => void = () => undefined;
  /** Resolves once with what ended it: `closed`, the socket's error, or a violation of the protocol by the server. */
  readonly ended: Promise<string>;
  endedBy: string | null = null;
  bytesIn = 0;
  /** The process that serves the connection, as its answer to `connect` tells; 0 where it does not. */
  serverPid = 0;
  readonly writer: ChunkWriter;
  readonly reader = new StrictChunkReader();
  private readonly socket: Socket;
  private waiters: (() => void)[] = [];
  private end: (why: string) => void = () => undefined;
  private transaction = 1;
  private window = 0;
  private acknowledged = 0;

  private constructor(socket: Socket, habits: ChunkHabits) {
    this.socket = socket;
    const { chunkSize: _announcedLater, ...rest } = habits;
    this.writer = new ChunkWriter(rest);
    this.ended = new Promise((resolve) => {
      this.end = (why) => {
        this.endedBy ??= why;
        resolve(this.endedBy);
        this.wake();
      };
    });
    socket.on("error", (error) => this.end(error.message));
    socket.on("close", () => this.end("closed"));
    socket.on("data", (bytes: Buffer) => this.receive(bytes));
  }

  /** Connects, shakes hands, and sends `connect`. Throws when the server refuses or does not answer in time. */
  static async open(url: RtmpUrl, options: ConnectOptions = {}): Promise<RtmpConnection> {
    const { timeoutMs = 5000, connectArguments = {}, connectObject, chunkSize } = options;
    const socket = await shakeHands(url.host, url.port, timeoutMs);
    const connection = new RtmpConnection(socket, options);
    socket.resume();
    const details = {
      app: url.app,
      type: "nonprivate",
      flashVer: "LNX 9,0,124,2",
      tcUrl: url.tcUrl,
      objectEncoding: 0,
      ...connectArguments,
    };
    const objects = connectObject === undefined ? [details] : [details, connectObject];
    const answer = await connection.call("connect", objects, { hasNull: false, timeoutMs });
    const { code, data } = asObject(answer.values[1]);
    if (answer.name !== "_result" || code !== "NetConnection.Connect.Success")
      throw new Error(`connect was answered with ${JSON.stringify(answer)}`);
    if (typeof data === "object" && data !== null) connection.serverPid = Number(asObject(data)["srs_pid"] ?? 0);
    if (chunkSize !== undefined) connection.setChunkSize(chunkSize);
    return connection;
  }

  /** Announces a chunk size and uses it from the next byte on. */
  setChunkSize(sizeBytes: number): void {
    const payload = Buffer.alloc(4);
    payload.writeUInt32BE(sizeBytes);
    this.send({ type: 1, timestamp: 0, payload, streamId: 0, csid: 2 });
    this.writer.habits = { ...this.writer.habits, chunkSize: sizeBytes };
  }

  send(message: RtmpMessage): void {
    this.sendRaw(this.writer.write(message));
  }

  sendRaw(bytes: Buffer): void {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  /** Sends a command and waits for its `_result` or `_error`. */
  async call(
    name: string,
    values: readonly Amf[],
    options: { hasNull?: boolean; streamId?: number; timeoutMs?: number } = {},
  ): Promise<RtmpCommand> {
    const transaction = this.command(name, values, options);
    return this.waitForCommand(
      `the answer to ${name}`,
      (command) => command.transaction === transaction && ["_result", "_error"].includes(command.name),
      options.timeoutMs,
    );
  }

  /** Sends a command without waiting; returns its transaction number. */
  command(name: string, values: readonly Amf[], { hasNull = true, streamId = 0 }: { hasNull?: boolean; streamId?: number } = {}): number {
    const transaction = this.transaction++;
    const payload = encodeAmf(name, transaction, ...(hasNull ? [null] : []), ...values);
    this.send({ type: msgCommand, timestamp: 0, payload, streamId, csid: 3 });
    return transaction;
  }

  /** The first command of the server, already received or still to come, that fulfils the condition. */
  async waitForCommand(what: string, wanted: (command: RtmpCommand) => boolean, timeoutMs = 5000): Promise<RtmpCommand> {
    const look = async (): Promise<RtmpCommand> => {
      for (;;) {
        const found = this.commands.find(wanted);
        if (found !== undefined) return found;
        if (this.endedBy !== null)
          throw new Error(`the connection ended (${this.endedBy}) before ${what}; got ${JSON.stringify(this.commands)}`);
        await new Promise<void>((resolve) => this.waiters.push(resolve));
      }
    };
    return within(look(), timeoutMs, () => `${what}; got ${JSON.stringify(this.commands)}`);
  }

  /** An `onStatus` with this code. */
  async waitForStatus(code: string, timeoutMs?: number): Promise<RtmpCommand> {
    return this.waitForCommand(code, (command) => command.name === "onStatus" && statusOf(command) === code, timeoutMs);
  }

  /** Stops or resumes reading, to play a viewer whose line is full. */
  pauseReading(): void {
    this.socket.pause();
  }

  resumeReading(): void {
    this.socket.resume();
  }

  close(): void {
    this.socket.destroy();
  }

  private receive(bytes: Buffer): void {
    this.bytesIn += bytes.length;
    try {
      for (const message of this.reader.push(bytes)) this.handle(message);
    } catch (thrown) {
      this.end(thrown instanceof Error ? thrown.message : String(thrown));
      this.socket.destroy();
      return;
    }
    if (this.window > 0 && this.bytesIn - this.acknowledged >= this.window / 2) {
      this.acknowledged = this.bytesIn;
      const payload = Buffer.alloc(4);
      payload.writeUInt32BE(this.bytesIn >>> 0);
      this.send({ type: 3, timestamp: 0, payload, streamId: 0, csid: 2 });
    }
    this.wake();
  }

  private handle(message: RtmpMessage): void {
    const { type, payload } = message;
    if (type === 5) this.window = payload.readUInt32BE(0);
    if (type === 4 && payload.readUInt16BE(0) === 6) {
      this.send({ type: 4, timestamp: 0, payload: Buffer.concat([Buffer.of(0, 7), payload.subarray(2)]), streamId: 0, csid: 2 });
    }
    if (type === msgCommand) {
      const [name, transaction, ...values] = decodeAmf(payload);
      if (typeof name !== "string" || typeof transaction !== "number")
        throw new Error(`a command without name or transaction: ${payload.toString("hex")}`);
      this.commands.push({ name, transaction, values });
    } else {
      this.onMessage(message);
    }
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }
}

/** The `code` of an onStatus, or "". */
function statusOf(command: RtmpCommand): string {
  const info = command.values[1];
  return typeof info === "object" && info !== null && "code" in info ? String(info.code) : "";
}

/** Whether a server answers a simple handshake in time. */
export async function handshakeAnswered(host: string, port: number, timeoutMs = 1000): Promise<boolean> {
  try {
    (await shakeHands(host, port, timeoutMs)).destroy();
    return true;
  } catch {
    return false;
  }
}

/** A connected, paused socket after C2; what the server sent beyond its handshake is put back. */
async function shakeHands(host: string, port: number, timeoutMs: number): Promise<Socket> {
  const socket = connect({ host, port, noDelay: true });
  const c1 = Buffer.alloc(handshakeBytes, 0x5a);
  c1.fill(0, 0, 8);
  const shake = new Promise<void>((resolve, reject) => {
    let got: Buffer = Buffer.alloc(0);
    socket.once("error", reject);
    socket.once("close", () => reject(new Error(`the server closed after ${got.length} bytes of its handshake`)));
    socket.once("connect", () => socket.write(Buffer.concat([Buffer.of(3), c1])));
    socket.on("data", (bytes: Buffer) => {
      got = Buffer.concat([got, bytes]);
      if (got.length < 1 + 2 * handshakeBytes) return;
      if (got[0] !== 3) reject(new Error(`S0 is ${got[0]}`));
      if (!got.subarray(1 + handshakeBytes + 8, 1 + 2 * handshakeBytes).equals(c1.subarray(8))) reject(new Error("S2 does not repeat C1"));
      socket.pause();
      if (got.length > 1 + 2 * handshakeBytes) socket.unshift(got.subarray(1 + 2 * handshakeBytes));
      socket.write(got.subarray(1, 1 + handshakeBytes));
      resolve();
    });
  });
  try {
    await within(shake, timeoutMs, `the handshake of ${host}:${port}`);
  } catch (thrown) {
    socket.destroy();
    throw thrown;
  } finally {
    socket.removeAllListeners("data");
    socket.removeAllListeners("close");
  }
  return socket;
}
