// One RTMP connection through a proxy that routes by stream, from its first byte to its closed line.
//
//   naming ──publish, play──▶ placing ──server chosen, greeted──▶ crossing ──seam raw──▶ joined ──▶ closed
//      │ client talks with      │ the client's bytes wait;           │ crossing.ts          │ the pump's
//      │ the proxy (front)      │ the next server on failure         │                      │
//      └────────────────────────┴──── error, time-out, end ──────────┴──────────────────────┘
//
// A connection stays with its server: if it leaves its stream and asks for another, that is asked of the same one.
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError, messageOf, type ErrorCode } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { writePreface, type PrefaceForm } from "../../codec/preface.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { CarriedSession } from "../../ipc/carried.js";
import { sessionOf } from "../balance/moved-pairs.js";
import { Patience } from "../balance/patience.js";
import type { Asks, Described, Roll } from "../balance/roll.js";
import { pumpCodes, type PumpEnd, type PumpOptions } from "../pump/pump.js";
import { streamKey, type Accounts, type Choice, type Chooser, type LiveBytes } from "../balance/chooser.js";
import { Crossing } from "./crossing.js";
import { maxDialogueBytes, RtmpFront, type Wish } from "./front.js";
import { greet } from "./greet.js";
import { Seam } from "./seam.js";

/** What moves the bytes once they are raw. */
interface Mover {
  join(client: Socket, server: Socket, options: PumpOptions): LiveBytes & { close(): void };
}

export interface RouteOptions {
  /** From the first byte to `publish` or `play`, in total: dripping bytes buys no time. Default 10 s. */
  readonly nameTimeoutMs: number;
  /** Connecting and shaking hands with one server, while another could be asked instead. Default 2 s. */
  readonly greetTimeoutMs: number;
  /** The same with all servers together, the last of which may take what is left of it. Default 10 s. */
  readonly patienceMs: number;
  /** Servers that are asked for one connection. Default 3. */
  readonly maxTries: number;
  /** How long a player may wait for a publisher. Default 15 s. */
  readonly playWaitMs: number;
  /** Silence in both directions after which the connection is ended; null: never. */
  readonly idleMs: number | null;
  /** Longest life of a connection from its stream's beginning on; null: no limit. */
  readonly totalMs: number | null;
  /** The vhosts that the servers tell apart: see `streamKey`. */
  readonly vhosts: ReadonlySet<string>;
  /** How a server is told, before the handshake, who the client is; null: not at all. */
  readonly preface: PrefaceForm | null;
  /** As in `FrontOptions`. */
  readonly givesStreams: boolean;
}

export interface RouteParts {
  readonly chooser: Chooser;
  readonly accounts: Accounts;
  readonly pump: Mover;
  readonly roll: Roll;
  readonly log: Log;
  readonly options: RouteOptions;
}

export interface RouteClient {
  /** Accepted, paused, with `allowHalfOpen` and `noDelay`. */
  readonly socket: Socket;
  readonly conn: number;
  readonly client: Endpoint;
  readonly local: Endpoint;
  /** Called once, when the connection is over. */
  readonly onEnd: () => void;
}

/** How long the last words to a client may take before its socket is destroyed. */
const farewellMs = 1000;

/** One connection. `close` ends it with a reason. */
export class RtmpRoute implements LiveBytes {
  /** Names it in the whole box, wherever it is carried to. */
  readonly id = randomUUID();
  private readonly parts: RouteParts;
  private readonly who: RouteClient;
  private readonly front: RtmpFront;
  private readonly abort = new AbortController();
  private readonly deadline = new Deadline();
  private readonly startedMs = performance.now();
  private readonly leaveRoll: () => void;
  private readonly tried = new Set<string>();
  private choice: Choice | null = null;
  private crossing: Crossing | null = null;
  private joined: (LiveBytes & { close(): void }) | null = null;
  private doing = "choosing a server";
  private isClosed = false;
  /** Another proxy goes on with the connection, and holds its lease. */
  private isElsewhere = false;
  /** What went by before the present stage. */
  private earlierIn = 0;
  private earlierOut = 0;

  constructor(who: RouteClient, parts: RouteParts) {
    this.who = who;
    this.parts = parts;
    const { socket, local } = who;
    const { givesStreams } = parts.options;
    this.front = new RtmpFront({ localAddress: local.host, givesStreams }, (bytes) => {
      this.earlierOut += bytes.length;
      socket.write(bytes);
    });
    this.leaveRoll = parts.roll.add({
      id: this.id,
      describe: () => this.describe(),
      dismiss: (why) => this.close(why),
    });
    const { nameTimeoutMs } = parts.options;
    this.deadline.set(nameTimeoutMs, () => {
      this.fail(new DolphinError("RTMP_TIMEOUT", `${this.stage}: neither publish nor play came within ${nameTimeoutMs} ms`));
    });
    socket.on("data", (bytes: Buffer) => this.read(bytes));
    for (const event of ["end", "close"]) socket.on(event, () => this.finish("client", "the client left"));
    socket.on("error", (error) => this.finish("client", messageOf(error)));
    socket.resume();
  }

  get bytesIn(): number {
    return this.earlierIn + (this.crossing?.bytesIn ?? 0) + (this.joined?.bytesIn ?? 0);
  }

  get bytesOut(): number {
    return this.earlierOut + (this.crossing?.bytesOut ?? 0) + (this.joined?.bytesOut ?? 0);
  }

  /** Ends the connection. Again does nothing. */
  close(reason: string): void {
    if (this.joined !== null) this.joined.close();
    else if (this.crossing !== null) this.crossing.close(reason);
    else this.finish("proxy", reason);
  }

  private get stage(): string {
    return this.front.named === null ? this.front.doing : this.doing;
  }

  private read(bytes: Buffer): void {
    this.earlierIn += bytes.length;
    const wasNamed = this.front.named !== null;
    try {
      this.front.take(bytes);
    } catch (thrown) {
      this.fail(asDolphinError(thrown));
      return;
    }
    const { named, transcript } = this.front;
    if (named === null || this.isClosed) return;
    if (transcript.length > maxDialogueBytes) this.who.socket.pause(); // the rest waits until a server takes it
    if (wasNamed) return;
    this.deadline.clear();
    void this.place(named);
  }

  /** Finds the server and begins to cross; the one place where errors of this end. */
  private async place(wish: Wish): Promise<void> {
    try {
      const server = await this.findServer(wish);
      if (server !== null) this.cross(server);
    } catch (thrown) {
      this.fail(asDolphinError(thrown));
    }
  }

  /** A server that has shaken hands; null when the client has left meanwhile. */
  private async findServer({ what, request }: Wish): Promise<Socket | null> {
    const { chooser, accounts, options } = this.parts;
    const { signal } = this.abort;
    const key = streamKey(request, options.vhosts);
    const patience = new Patience(options.greetTimeoutMs, options.patienceMs);
    let last: unknown;
    while (this.tried.size < options.maxTries) {
      const choice = await chooser.choose({ what, key, tried: this.tried, waitMs: options.playWaitMs, signal });
      if (choice === null) break;
      const { target } = choice;
      if (this.isClosed) {
        choice.release();
        return null;
      }
      this.tried.add(target.name);
      this.choice = choice;
      accounts.opened(target.name);
      accounts.follow(target.name, this);
      try {
        const server = await this.greet(choice, patience);
        if (!this.isClosed) return server;
        server.destroy();
        return null;
      } catch (thrown) {
        if (this.isClosed) return null;
        last = thrown;
        this.letGo(0, 0);
      }
    }
    if (this.isClosed) return null;
    if (last === undefined) throw new DolphinError("PROXY_NO_SERVER", "no server can take the stream");
    throw new DolphinError("PROXY_CONNECT", `no server took the stream: ${this.tried.size} asked, the last: ${messageOf(last)}`);
  }

  private greet(choice: Choice, patience: Patience): Promise<Socket> {
    const { client, local } = this.who;
    const { preface, maxTries } = this.parts.options;
    this.doing = `connecting to ${choice.target.name}`;
    return greet({
      endpoint: choice.target.rtmp,
      preface: preface === null ? null : writePreface(preface, client, local),
      patience,
      hasOther: () => this.tried.size < maxTries && choice.hasOther(),
      signal: this.abort.signal,
    });
  }

  private cross(server: Socket): void {
    const { socket } = this.who;
    const { idleMs } = this.parts.options;
    this.doing = "handing over";
    for (const event of ["data", "end", "close", "error"]) socket.removeAllListeners(event);
    socket.on("error", () => undefined); // the crossing hears of it by `close`, and the pump by its own means
    const crossing = new Crossing(socket, server, new Seam(this.front.seen), this.front.transcript, {
      onRaw: () => this.join(socket, server),
      onEnd: (endedBy, reason, error) => this.finish(endedBy, reason, error?.code, error?.cause),
    });
    this.crossing = crossing;
    if (idleMs === null) return;
    socket.setTimeout(idleMs, () => {
      const reason = `no bytes for ${idleMs} ms`;
      crossing.close(reason, new DolphinError("PROXY_IDLE", reason));
    });
  }

  private join(client: Socket, server: Socket): void {
    const { idleMs, totalMs } = this.parts.options;
    this.earlierIn += this.crossing?.bytesIn ?? 0;
    this.earlierOut += this.crossing?.bytesOut ?? 0;
    this.crossing = null;
    this.doing = "moving bytes";
    client.removeAllListeners("timeout").setTimeout(0);
    this.joined = this.parts.pump.join(client, server, {
      idleMs,
      totalMs,
      session: this.session(),
      onEnd: (end) => this.pumpEnded(end),
    });
  }

  private get asks(): Asks | null {
    const { named } = this.front;
    return named === null ? null : { key: streamKey(named.request, this.parts.options.vhosts), what: named.what };
  }

  private describe(): Described | null {
    const { asks, bytesIn, bytesOut } = this;
    const sinceMs = Math.round(Date.now() - (performance.now() - this.startedMs));
    return asks === null ? null : { asks, protocol: "rtmp", peer: formatEndpoint(this.who.client), sinceMs, bytesIn, bytesOut };
  }

  /** The connection as another proxy goes on with it. */
  private session(): CarriedSession | null {
    const { choice, asks, earlierIn, earlierOut } = this;
    if (choice === null) return null;
    const saved = {
      backend: choice.target.name,
      lease: choice.lease,
      ...(asks === null ? {} : { asks }),
      line: this.line(),
      startedAtMs: Date.now() - (performance.now() - this.startedMs),
      bytesIn: earlierIn,
      bytesOut: earlierOut,
    };
    return sessionOf(saved, this.id);
  }

  private pumpEnded({ endedBy, reason, bytesIn, bytesOut }: PumpEnd): void {
    this.earlierIn += bytesIn;
    this.earlierOut += bytesOut;
    this.joined = null;
    this.isElsewhere = reason === "moved";
    this.finish(endedBy, reason, pumpCodes[reason] ?? undefined);
  }

  /** What every line of the log tells of it. */
  private line(): Readonly<Record<string, unknown>> {
    const { conn, client } = this.who;
    const request = this.front.named?.request;
    return {
      conn,
      peer: formatEndpoint(client),
      ...(request === undefined ? {} : { vhost: request.vhost, app: request.app, stream: request.stream }),
      tried: [...this.tried],
      doing: this.stage,
    };
  }

  private fail({ message, code, cause }: DolphinError): void {
    if (this.isClosed) return;
    this.front.refuse(message);
    this.finish("proxy", message, code, cause);
  }

  /** Ends what was begun with a chosen server. */
  private letGo(bytesIn: number, bytesOut: number): void {
    if (this.choice === null) return;
    this.parts.accounts.closed(this.choice.target.name, bytesIn, bytesOut, this);
    if (!this.isElsewhere) this.choice.release();
    this.choice = null;
  }

  private finish(endedBy: "client" | "server" | "proxy", reason: string, code?: ErrorCode, cause?: unknown): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.leaveRoll();
    this.deadline.clear();
    this.abort.abort();
    const { socket, onEnd } = this.who;
    if (!socket.destroyed) {
      socket.destroySoon();
      setTimeout(() => socket.destroy(), farewellMs).unref();
    }
    const { bytesIn, bytesOut } = this;
    const line = {
      event: this.isElsewhere ? "proxy.moved" : "proxy.closed",
      ...this.line(),
      backend: this.choice?.target.name,
      reason,
      code,
      endedBy,
      durMs: Math.round(performance.now() - this.startedMs),
      bytesIn,
      bytesOut,
    };
    this.letGo(bytesIn, bytesOut);
    // Whoever leaves before the handshake is through, as balancers' checks do, has asked for nothing.
    if (code === undefined) this.parts.log[this.front.isOpen ? "info" : "debug"](line);
    else if (code === "INTERNAL") this.parts.log.error({ ...line, err: cause });
    else this.parts.log.warn(line);
    onEnd();
  }
}
