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
import { pumpCodes, type Pump } from "../pump/pump.js";
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

/** What stays of a connection when its bytes are raw. */
interface Joining {
  readonly session: Session;
  readonly closed: (fields: Record<string, unknown>, level: "debug" | "info") => void;
  /** What each line of the log tells of it. */
  readonly line: Readonly<Record<string, unknown>>;
  readonly peer: string;
  readonly startedMs: number;
}

/** Sockets must come paused, with `allowHalfOpen` and `noDelay`: `createServer(acceptOptions, …)`. */
export const acceptOptions = { pauseOnConnect: true, allowHalfOpen: true, noDelay: true } as const;

/** Until a client has sent so much it has asked for nothing: over RTMP the handshake. */
const rtmpHandshakeBytes = helloBytes + handshakeBytes;
/** No stream over HTTP is as short as this. */
const shortAnswerBytes = 4 << 10;

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

  /** The one place where a connection's errors end. */
  private async serve(socket: Socket, from: Endpoint): Promise<void> {
    const startedMs = performance.now();
    const conn = ++this.lastConn;
    let peer = formatEndpoint(from);
    const session: Session = { close: () => socket.destroy() };
    const closed = (fields: Record<string, unknown>, level: "debug" | "info" | "warn" = "info"): void => {
      this.sessions.delete(session);
      const event = fields["reason"] === "moved" ? "proxy.moved" : "proxy.closed";
      this.log[level]({ event, conn, peer, ...fields, durMs: Math.round(performance.now() - startedMs) });
    };
    socket.on("error", () => undefined); // the pump finds it broken
    this.sessions.add(session);
    let server: Connected | null = null;
    try {
      const { trusted, service, preface, connectTimeoutMs } = this.options;
      const address = await clientAddress(socket, from, trusted);
      if (address === null || this.isClosed) {
        socket.destroy();
        closed({ ...(this.isClosed ? stopped : left), bytesIn: 0, bytesOut: 0, tried: [] }, "debug");
        return;
      }
      const { client, local } = address;
      peer = formatEndpoint(client);
      server = await connectBackend(this.backends, {
        service,
        key: null,
        ...(connectTimeoutMs === undefined ? {} : { timeoutMs: connectTimeoutMs }),
      });
      if (preface !== null) server.socket.write(writePreface(preface, client, local));
      this.join(socket, server, { session, closed, line: { conn, peer, tried: server.tried }, peer, startedMs });
    } catch (thrown) {
      const { code, message } = asDolphinError(thrown);
      const tried = thrown instanceof ConnectError ? thrown.tried : [];
      if (server !== null) {
        this.backends.closed(server.backend.name, 0, 0);
        server.socket.destroy();
      }
      socket.destroy();
      closed({ reason: message, code, endedBy: "proxy", bytesIn: 0, bytesOut: 0, tried }, "warn");
    }
  }

  private join(client: Socket, server: Connected, { session, closed, line, peer, startedMs }: Joining): void {
    const { idleMs, totalMs } = this.options;
    const { name } = server.backend;
    const startedAtMs = Date.now() - (performance.now() - startedMs);
    const id = randomUUID();
    const joined = this.pump.join(client, server.socket, {
      idleMs,
      totalMs,
      session: sessionOf({ backend: name, lease: null, line, startedAtMs, bytesIn: 0, bytesOut: 0 }, id),
      onEnd: ({ endedBy, reason, bytesIn, bytesOut }) => {
        this.backends.closed(name, bytesIn, bytesOut, joined);
        leaveRoll();
        const code = pumpCodes[reason];
        const ended = code === null ? { reason } : { reason, code };
        const isOrdinary = reason === "closed" || reason === "reset";
        const level = isOrdinary && this.isShort(bytesIn, bytesOut) ? "debug" : "info";
        closed({ backend: name, ...ended, endedBy, bytesIn, bytesOut, tried: server.tried }, level);
      },
    });
    this.backends.follow(name, joined);
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
  }

  /** Whether it was a check of a balancer or a short request over HTTP: they are many, and nobody's stream. */
  private isShort(bytesIn: number, bytesOut: number): boolean {
    return this.options.service === "rtmp" ? bytesIn < rtmpHandshakeBytes : bytesOut < shortAnswerBytes;
  }
}
