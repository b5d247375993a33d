// What tests of the pumps stand on: a client and a server of the test's own, joined by a pump over real sockets of the loopback.
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { Log } from "../../../../src/base/log.js";
import type { Joined, Pump, PumpEnd, PumpOptions } from "../../../../src/proxy/pump/pump.js";
import { eventually, within } from "../../../helpers/wait.js";

/** A log that keeps its lines. */
export function keptLog(): { readonly log: Log; readonly lines: { readonly level: string; readonly [field: string]: unknown }[] } {
  const lines: { level: string; [field: string]: unknown }[] = [];
  const at = (level: string) => (fields: Record<string, unknown>, message?: string) =>
    void lines.push({ level, ...fields, ...(message === undefined ? {} : { msg: message }) });
  return { log: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } as unknown as Log, lines };
}

export async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

export interface Pair {
  /** The test's ends. */
  readonly client: Socket;
  readonly server: Socket;
  readonly joined: Joined;
  readonly ended: Promise<PumpEnd>;
}

/** The pump's ends of a pair that is not joined yet. */
export interface Open {
  readonly client: Socket;
  readonly server: Socket;
  readonly near: { readonly client: Socket; readonly server: Socket };
}

export class Rig {
  private readonly accepted: Socket[] = [];
  private readonly front = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => this.arrive(socket));
  private readonly back = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.arrive(socket));
  private readonly sockets: Socket[] = [];
  private frontPort = 0;
  private backPort = 0;
  private wake = (): void => undefined;

  async start(): Promise<this> {
    this.frontPort = await listening(this.front);
    this.backPort = await listening(this.back);
    return this;
  }

  stop(): void {
    for (const socket of this.sockets) socket.destroy();
    this.front.close();
    this.back.close();
  }

  async open(): Promise<Open> {
    const [client, nearClient] = await this.connection(this.frontPort, false);
    const [nearServer, server] = await this.connection(this.backPort, true);
    return { client, server, near: { client: nearClient, server: nearServer } };
  }

  async join(pump: Pump, limits: Partial<Omit<PumpOptions, "onEnd">> = {}): Promise<Pair> {
    return joinPair(pump, await this.open(), limits);
  }

  private async connection(port: number, isPaused: boolean): Promise<[Socket, Socket]> {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true, noDelay: true });
    if (isPaused) socket.pause();
    socket.on("error", () => undefined);
    await once(socket, "connect");
    while (this.accepted.length === 0) await new Promise<void>((resolve) => (this.wake = resolve));
    const accepted = this.accepted.shift()!;
    this.sockets.push(socket, accepted);
    return [socket, accepted];
  }

  private arrive(socket: Socket): void {
    socket.on("error", () => undefined);
    this.accepted.push(socket);
    this.wake();
  }
}

export function joinPair(pump: Pump, { client, server, near }: Open, limits: Partial<Omit<PumpOptions, "onEnd">> = {}): Pair {
  let joined: Joined | null = null;
  const ended = new Promise<PumpEnd>((onEnd) => {
    joined = pump.join(near.client, near.server, { idleMs: null, totalMs: null, session: null, ...limits, onEnd });
  });
  return { client, server, joined: joined!, ended: within(ended, 10_000, "the pair to end") };
}

/** Everything that a socket gets until its end of stream. */
export async function received(socket: Socket): Promise<Buffer> {
  const parts: Buffer[] = [];
  socket.on("data", (bytes: Buffer) => parts.push(bytes)).resume();
  await within(once(socket, "end"), 10_000, "the end of a stream");
  return Buffer.concat(parts);
}

/** How a socket was closed: by an error, or in order. */
export async function closing(socket: Socket): Promise<string> {
  let how = "in order";
  socket.on("error", (error: NodeJS.ErrnoException) => (how = error.code ?? error.message));
  socket.on("end", () => socket.end()).resume();
  await within(new Promise((resolve) => socket.once("close", resolve)), 10_000, "a socket to be closed");
  return how;
}

/** Waits until a counter of a pair moves no more: who reads nothing has all that fits in between. */
export async function stillness(counter: () => number): Promise<void> {
  let last = -1;
  const isStill = (): boolean => {
    const before = last;
    last = counter();
    return last > 0 && last === before;
  };
  await eventually(isStill, { everyMs: 200, what: "the pair to be full" });
}

/** Bytes that tell where they stand, so that a lost or a doubled one shows. */
export function pattern(sizeBytes: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let state = seed;
  for (let i = 0; i + 4 <= sizeBytes; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.writeUInt32LE(state, i);
  }
  return bytes.fill(seed, sizeBytes - (sizeBytes % 4));
}
