// Balancing of raw connections, where any server will do: accept → who is it → pick and connect → the preface that tells the
// server → pump → one closed line. Nothing of the client's bytes is read, unless a trusted balancer in front tells who
// the client is. Which stream a connection is about matters elsewhere (rtmp/router.ts).
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import { Crowd } from "../../base/crowd.js";
import { asDolphinError } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { writePreface, type PrefaceForm } from "../../codec/preface.js";
import { handshakeBytes, helloBytes } from "../../codec/rtmp/handshake.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";
import type { Backends } from "./backends.js";
import { clientAddress } from "./client-address.js";
import { connectBackend, ConnectError, type Connected } from "./connect.js";
import { sessionOf } from "./moved-pairs.js";
import { localOf, type SocketHandle } from "../pump/handle.js";
import { pumpCodes, type Joined, type Pump, type PumpOptions } from "../pump/pump.js";
import type { Roll } from "./roll.js";

export interface TcpProxyOptions {
  readonly service: "rtmp" | "http";
  /** How the servers are told who the client is; null: not at all. */
  readonly preface: PrefaceForm | null;
  /** Peers whose word on the client's address counts; null: nobody's. */
  readonly trusted: TrustedNetworks | null;
  readonly idleMs: number | null;
  readonly totalMs: number | null;
  /** How long one server may take to accept; a second by default. */
  readonly connectTimeoutMs?: number;
}

interface Session {
  /** What ends it while there is nothing to end in the pump yet. */
  close(): void;
}

/** One connection, from its accept to its closed line. */
interface Visit {
  readonly session: Session;
  readonly conn: number;
  /** The client, as lines of the log have it. */
  peer: string;
  readonly startedMs: number;
}

/** Sockets must come paused, with `allowHalfOpen` and `noDelay`: `createServer(acceptOptions, …)`. */
export const acceptOptions = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true } as const;

/** Until a client has sent so much it has asked for nothing: over RTMP the handshake. */
const rtmpHandshakeBytes = helloBytes + handshakeBytes;
/** No stream over HTTP is as short as this. */
const shortAnswerBytes = 4 << 10;

const nobody: ReadonlySet<string> = new Set();
const left = { reason: "closed", endedBy: "client" } as const;
const stopped = { reason: "stopped", endedBy: "proxy" } as const;

/** Gives each accepted connection to a server. `close` ends those that it has; the listener, backends and pump are the caller's. */
export class TcpProxy {
  private readonly options: TcpProxyOptions;
  private readonly backends: Backends;
  private readonly pump: Pump;
  private readonly roll: Roll;
  private readonly log: Log;
  private readonly sessions = new Crowd<Session>();
  private lastConn = 0;
  private isClosed = false;

  constructor(options: TcpProxyOptions, backends: Backends, pump: Pump, roll: Roll, log: Log) {
    this.options = options;
    this.backends = backends;
    this.pump = pump;
    this.roll = roll;
    this.log = log;
  }

  get connections(): number {
    return this.sessions.size;
  }

  /**
   * Takes a connection over that is no socket of node's yet, where there is nothing to wait for: neither what the client says, nor a
   * server. False: it is to be accepted as usual, and nothing has happened.
   */
  acceptAtOnce(client: SocketHandle, peer: Endpoint): boolean {
    const { trusted, service, preface } = this.options;
    if (this.isClosed || trusted?.has(peer.host) === true) return false;
    const backend = this.backends.peek({ key: null }, nobody);
    const endpoint = backend?.[service] ?? null;
    if (backend === null || endpoint === null) return false;
    const words = preface === null ? null : writePreface(preface, peer, localOf(client));
    const visit = this.begin(this.lastConn + 1, peer);
    const isJoined = this.join(visit, backend.name, [backend.name], (options) => this.pump.joinAtOnce(client, endpoint, words, options));
    if (!isJoined) return false;
    this.lastConn += 1;
    this.backends.passTurn();
    this.backends.opened(backend.name);
    return true;
  }

  /** Takes an accepted socket over. */
  accept(socket: Socket, peer: Endpoint): void {
    if (this.isClosed) {
      socket.destroy();
      return;
    }
    void this.serve(socket, peer);
  }

  /** Resolves when it has no connection. */
  drain(): Promise<void> {
    return this.sessions.gone();
  }

  close(): void {
    this.isClosed = true;
    for (const session of this.sessions) session.close();
  }

  private begin(conn: number, peer: Endpoint, close: () => void = () => undefined): Visit {
    return { session: { close }, conn, peer: formatEndpoint(peer), startedMs: performance.now() };
  }

  /** The one place where a connection's errors end. */
  private async serve(socket: Socket, from: Endpoint): Promise<void> {
    const visit = this.begin(++this.lastConn, from, () => void socket.destroy());
    socket.on("error", () => undefined); // the pump finds it broken
    this.sessions.add(visit.session);
    let server: Connected | null = null;
    try {
      const { trusted, service, preface, connectTimeoutMs } = this.options;
      const address = await clientAddress(socket, from, trusted);
      if (address === null || this.isClosed) {
        socket.destroy();
        this.end(visit, { ...(this.isClosed ? stopped : left), bytesIn: 0, bytesOut: 0, tried: [] }, "debug");
        return;
      }
      const { client, local } = address;
      visit.peer = formatEndpoint(client);
      server = await connectBackend(this.backends, {
        service,
        key: null,
        ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
      });
      const { backend, socket: serverSocket, tried } = server;
      if (preface !== null) serverSocket.write(writePreface(preface, client, local));
      this.join(visit, backend.name, tried, (options) => this.pump.join(socket, serverSocket, options));
    } catch (thrown) {
      const { code, message } = asDolphinError(thrown);
      const tried = thrown instanceof ConnectError ? thrown.tried : [];
      if (server !== null) {
        this.backends.closed(server.backend.name, 0, 0);
        server.socket.destroy();
      }
      socket.destroy();
      this.end(visit, { reason: message, code, endedBy: "proxy", bytesIn: 0, bytesOut: 0, tried }, "warn");
    }
  }

  /** Gives a connection to the pump by `join`; false: that is not to be had. */
  private join(visit: Visit, backend: string, tried: readonly string[], join: (options: PumpOptions) => Joined | null): boolean {
    const { idleMs, totalMs } = this.options;
    const { conn, peer, startedMs, session } = visit;
    const startedAtMs = Date.now() - (performance.now() - startedMs);
    const id = randomUUID();
    const line = { conn, peer, tried };
    const joined = join({
      idleMs,
      totalMs,
      session: sessionOf({ backend, lease: null, line, startedAtMs, bytesIn: 0, bytesOut: 0 }, id),
      onEnd: ({ endedBy, reason, bytesIn, bytesOut }) => {
        this.backends.closed(backend, bytesIn, bytesOut, joined);
        leaveRoll();
        const code = pumpCodes[reason];
        const ended = code === null ? { reason } : { reason, code };
        const isOrdinary = reason === "closed" || reason === "reset";
        const level = isOrdinary && this.isShort(bytesIn, bytesOut) ? "debug" : "info";
        this.end(visit, { backend, ...ended, endedBy, bytesIn, bytesOut, tried }, level);
      },
    });
    if (joined === null) return false;
    this.sessions.add(session);
    this.backends.follow(backend, joined);
    const leaveRoll = this.roll.add({
      id,
      describe: () => {
        const { bytesIn, bytesOut } = joined;
        return { asks: null, protocol: "rtmp", peer, sinceMs: Math.round(startedAtMs), bytesIn, bytesOut };
      },
      dismiss: () => joined.close(),
    });
    session.close = () => joined.close();
    if (this.isClosed) joined.close();
    return true;
  }

  private end({ session, conn, peer, startedMs }: Visit, fields: Record<string, unknown>, level: "debug" | "info" | "warn"): void {
    this.sessions.delete(session);
    const event = fields["reason"] === "moved" ? "proxy.moved" : "proxy.closed";
    this.log[level]({ event, conn, peer, ...fields, durMs: Math.round(performance.now() - startedMs) });
  }

  /** Whether it was a check of a balancer or a short request over HTTP: they are many, and nobody's stream. */
  private isShort(bytesIn: number, bytesOut: number): boolean {
    return this.options.service === "rtmp" ? bytesIn < rtmpHandshakeBytes : bytesOut < shortAnswerBytes;
  }
}
