// The HTTP side of a proxy: requests are routed one by one, also on a connection that a client keeps, to the server that has
// the stream or to the one that the policy picks. Limits of headers and time are node's.
//
//   request ─▶ proxy.ts ─ target and host ─▶ route.ts ─ the streams that it may mean ─▶ proxy.ts ─ choose, or pick ─▶ a server
//                  ├─▶ ipc/admin-door.ts ─ the API and the console, in front of servers that are not ours
//                  └─▶ exchange.ts ─ the request, its headers by headers.ts ─▶ that server ─ the answer ─▶ the client
import { randomUUID } from "node:crypto";
import { Agent, createServer, ServerResponse, type IncomingMessage, type Server } from "node:http";
import type { Socket } from "node:net";
import { Crowd } from "../../base/crowd.js";
import { asDolphinError } from "../../base/errors.js";
import { endKept, keepConnections } from "../../base/sockets/kept-connections.js";
import type { Log } from "../../base/log.js";
import type { Preface } from "../../codec/preface.js";
import { preferredWaitMs } from "../../codec/prefer.js";
import { isOwnCheck, prefaceIn, unreadableRequest } from "../../codec/strangers.js";
import type { Config, Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";
import { isForAdmin, passToAdmin } from "../../ipc/admin-door.js";
import { clientAddress } from "../balance/client-address.js";
import { asksForWebSocket } from "./headers.js";
import { exchange, type ExchangeEnd, type Picked } from "./exchange.js";
import { apiRouteOf, type ApiServer } from "./api.js";
import { routeOf, type HttpRoute } from "./route.js";
import type { Roll } from "../balance/roll.js";
import type { Accounts, Choice, Chooser, LiveBytes, Target } from "../balance/chooser.js";

/** Where requests may go: the accounts, and the policy's pick for those that are no stream's. */
interface HttpServers extends Accounts {
  list(): readonly ApiServer[];
  pick(ask: { readonly key: string | null }, tried: ReadonlySet<string>): Target | null;
  canPick(tried: ReadonlySet<string>): boolean;
}

export interface HttpProxyOptions {
  /** Whether requests for a stream go where it is published; else all go by the policy. */
  readonly byStream: boolean;
  /** The vhosts that the servers tell apart: see `streamKey`. */
  readonly vhosts: ReadonlySet<string>;
  /** How long a request for a live stream may wait for its publisher. */
  readonly playWaitMs: number;
  /** From a client's connection, or its last request, to the end of a request's headers. */
  readonly headersTimeoutMs: number;
  /** How long one server may take to accept while another could be asked instead. */
  readonly connectTimeoutMs: number;
  /** From there to the head of its answer, beside what the server waits for a stream. */
  readonly answerTimeoutMs: number;
  /** How long servers wait for a stream that is asked for, what the proxy has waited included; null: they are not told. */
  readonly flvWaitMs: number | null;
  /** Servers that are asked for one request. */
  readonly maxTries: number;
  /** Whether X-Forwarded-For gets the client's port too: our own server reads it, others may not. */
  readonly tellsPort: boolean;
  /** What is the admin's; null: nothing. */
  readonly operators: Operators | null;
}

/** The admin's door, and what there is of it on the port of HTTP streaming. */
export interface Operators {
  readonly door: string;
  readonly at: Config["api"]["atHttp"];
}

/** The limits where nobody asks for others. */
export const httpDefaults: HttpProxyOptions = {
  byStream: true,
  vhosts: new Set(),
  playWaitMs: 15_000,
  headersTimeoutMs: 5_000,
  connectTimeoutMs: 1_000,
  answerTimeoutMs: 10_000,
  flvWaitMs: null,
  maxTries: 3,
  tellsPort: false,
  operators: null,
};

/** Longest request line and headers together. */
const maxHeaderBytes = 16 << 10;
/** The whole request with its body. */
const requestTimeoutMs = 60_000;
/** Idle connections that are kept to servers. */
const keepAliveMs = 15_000;
const keptPerServer = 64;

export interface HttpProxyParts {
  readonly chooser: Chooser;
  readonly servers: HttpServers;
  readonly roll: Roll;
  readonly log: Log;
  readonly options: HttpProxyOptions;
  /** Whether connections are few that are left. */
  readonly isCrowded: () => boolean;
  /** Peers whose word on the client's address counts; null: nobody's. */
  readonly trusted: TrustedNetworks | null;
}

/** What node tells of a request that it could not read. */
type Unreadable = Error & { readonly code?: string; readonly rawPacket?: Buffer };
const nothing = Buffer.alloc(0);

/** Answers requests by asking servers. `close` ends all connections. */
export class HttpProxy {
  private readonly parts: HttpProxyParts;
  private readonly server: Server;
  private readonly agents = new Map<string, Agent>();
  private readonly sockets = new Crowd<Socket>();
  /** Who is behind a socket, which a balancer in front of us may have opened. */
  private readonly clients = new WeakMap<Socket, Endpoint>();
  /** Of peers who name a client and may not, until they say more. */
  private readonly strays = new WeakMap<Socket, Preface>();
  private isDraining = false;
  private isClosed = false;

  constructor(parts: HttpProxyParts) {
    this.parts = parts;
    this.server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: parts.options.headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        connectionsCheckingInterval: 1_000,
      },
      (request, response) => void this.serve(request, response),
    );
    keepConnections(this.server, () => this.isDraining || this.parts.isCrowded());
    this.server.on("upgrade", (request, socket) => this.upgrade(request, socket as Socket));
    this.server.on("clientError", (error, socket) => this.refuse(error, socket as Socket));
    this.server.emit("listening"); // node watches its deadlines from then on, also for connections that it is given
  }

  get connections(): number {
    return this.sockets.size;
  }

  /** Takes an accepted socket over: paused, with `allowHalfOpen` and `noDelay`. */
  accept(socket: Socket, peer: Endpoint): void {
    this.sockets.add(socket);
    this.clients.set(socket, peer);
    socket.once("close", () => this.sockets.delete(socket));
    if (this.isClosed) socket.destroy();
    else void this.open(socket, peer);
  }

  /** Ends what clients keep open for later; resolves when the last one has left. */
  drain(): Promise<void> {
    this.isDraining = true;
    endKept(this.server);
    return this.sockets.gone();
  }

  close(): void {
    this.isClosed = true;
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    for (const agent of this.agents.values()) agent.destroy();
  }

  private async open(socket: Socket, peer: Endpoint): Promise<void> {
    const leave = (): void => undefined;
    socket.on("error", leave);
    try {
      const address = await clientAddress(socket, peer, this.parts.trusted);
      if (address === null || this.isClosed) {
        socket.destroy();
        return;
      }
      this.clients.set(socket, address.client);
      socket.off("error", leave);
      this.server.emit("connection", socket);
      socket.resume();
    } catch (thrown) {
      const { message, code } = asDolphinError(thrown);
      socket.destroy();
      const line = { event: "proxy.closed", peer: formatEndpoint(peer), reason: message, code };
      this.parts.log.warn({ ...line, endedBy: "proxy", bytesIn: 0, bytesOut: 0 });
    }
  }

  /** Node has given up a connection whose client asks for another protocol; the answer is written to it all the same, and ends it. */
  private upgrade(request: IncomingMessage, socket: Socket): void {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once("finish", () => socket.destroySoon());
    socket.on("error", () => undefined); // `close` tells
    socket.once("end", () => socket.destroySoon()).resume(); // before the answer nothing may come but the end
    void this.serve(request, response, asksForWebSocket(request.headers));
  }

  private async serve(request: IncomingMessage, response: ServerResponse, isWebSocket = false): Promise<void> {
    const startedMs = performance.now();
    const { byStream, vhosts, playWaitMs, flvWaitMs, connectTimeoutMs, answerTimeoutMs, maxTries, tellsPort } = this.parts.options;
    const client = this.clients.get(request.socket)!;
    if (this.isDraining) response.shouldKeepAlive = false;
    if (this.passToOperators(client, request, response)) return;
    const route = byStream ? routeOf(request.url ?? "/", request.headers.host ?? "", vhosts) : null;
    const api = route === null ? apiRouteOf(request.url ?? "/", this.parts.servers.list()) : null;
    if (api !== null && "answer" in api) return answerJson(request, response, api.answer);
    const isStream = route?.isLive === true && request.method === "GET"; // no other answer is worth a wait
    const askedMs = preferredWaitMs(request.headers["prefer"]) ?? Infinity;
    const waitMs = isStream ? Math.min(playWaitMs, askedMs) : 0;
    const leftMs = (): number => Math.max(0, Math.min(flvWaitMs ?? 0, askedMs) - (performance.now() - startedMs));
    const listed = isStream ? this.list(route, client, request) : null;
    const end = await exchange({
      request,
      response,
      isWebSocket,
      client: tellsPort ? formatEndpoint(client) : client.host,
      connectTimeoutMs,
      answerTimeoutMs,
      waitLeftMs: () => (isStream && flvWaitMs !== null ? leftMs() : null),
      maxTries,
      choose: async (tried, signal) => {
        const picked = await (api === null ? this.choose(route, tried, waitMs, signal) : this.chooseApi(api.server, tried));
        return picked === null || listed === null ? picked : listed.over(picked);
      },
      agentOf: (target) => this.agentOf(target),
    });
    listed?.leave();
    this.tell(request, client, isStream, end, Math.round(performance.now() - startedMs));
  }

  /** Whether a request is the admin's. Where the servers' file has their API on this port, that stays theirs. */
  private passToOperators(client: Endpoint, request: IncomingMessage, response: ServerResponse): boolean {
    const { options, servers } = this.parts;
    const url = request.url ?? "/";
    if (options.operators === null || !isForAdmin(url, options.operators.at)) return false;
    if (url.startsWith("/api") && servers.list().some(({ api }) => api?.isPublic === true)) return false;
    passToAdmin(options.operators.door, client.host, request, response);
    return true;
  }

  /** Puts who plays a stream on the roll. */
  private list(route: HttpRoute, client: Endpoint, { socket }: IncomingMessage): { over(picked: Picked): Picked; leave(): void } {
    const { chooser, roll } = this.parts;
    let live: LiveBytes = { bytesIn: 0, bytesOut: 0 };
    const sinceMs = Date.now();
    const leave = roll.add({
      id: randomUUID(),
      describe: () => {
        const key = route.keys.find((one) => chooser.isPublished(one)) ?? route.keys[0]!;
        const { bytesIn, bytesOut } = live;
        return { asks: { key, what: "play" }, protocol: "flv", peer: formatEndpoint(client), sinceMs, bytesIn, bytesOut };
      },
      dismiss: () => void socket.destroy(),
    });
    const over = (picked: Picked): Picked => ({
      ...picked,
      follow(counted) {
        live = counted;
        picked.follow(counted);
      },
    });
    return { over, leave };
  }

  /** Where a stream's request goes is the chooser's word; any other goes by the policy. Servers without HTTP are passed over. */
  private async choose(route: HttpRoute | null, tried: ReadonlySet<string>, waitMs: number, signal: AbortSignal): Promise<Picked | null> {
    const { chooser } = this.parts;
    const passed = new Set(tried);
    for (;;) {
      if (signal.aborted) return null;
      let choice: Pick<Choice, "target" | "hasOther"> | null;
      if (route === null) choice = this.pick(passed);
      else {
        const key = route.keys.find((one) => chooser.isPublished(one)) ?? route.keys[0]!;
        choice = await chooser.choose({ what: "play", key, tried: passed, waitMs, signal });
      }
      if (choice === null) return null;
      if (choice.target.http !== null) return this.pickedOf(choice, choice.target.http);
      passed.add(choice.target.name);
    }
  }

  /** The one server that a request for the API names, whatever else it has to do. */
  private chooseApi(name: string, tried: ReadonlySet<string>): Promise<Picked | null> {
    const server = this.parts.servers.list().find((one) => one.name === name);
    if (server === undefined || server.api === null || tried.has(name)) return Promise.resolve(null);
    const { endpoint } = server.api;
    const target = { name, rtmp: endpoint, http: endpoint };
    return Promise.resolve(this.pickedOf({ target, hasOther: () => false }, endpoint));
  }

  private pick(tried: ReadonlySet<string>): Pick<Choice, "target" | "hasOther"> | null {
    const { servers } = this.parts;
    const target = servers.pick({ key: null }, tried);
    return target === null ? null : { target, hasOther: () => servers.canPick(new Set(tried).add(target.name)) };
  }

  private pickedOf({ target, hasOther }: Pick<Choice, "target" | "hasOther">, endpoint: Picked["endpoint"]): Picked {
    const { servers } = this.parts;
    servers.opened(target.name);
    return {
      target,
      endpoint,
      hasOther,
      follow: (live: LiveBytes) => servers.follow(target.name, live),
      done: (live: LiveBytes) => servers.closed(target.name, live.bytesIn, live.bytesOut, live),
    };
  }

  private agentOf({ name }: Target): Agent {
    const agent = this.agents.get(name) ?? new Agent({ keepAlive: true, maxFreeSockets: keptPerServer, timeout: keepAliveMs });
    this.agents.set(name, agent);
    return agent;
  }

  /** A line for each stream and each failure; ordinary requests are only told where everything is. */
  private tell(request: IncomingMessage, client: Endpoint, isStream: boolean, end: ExchangeEnd, durMs: number): void {
    const { log } = this.parts;
    const { error, backend, ...ended } = end;
    const line = {
      event: "proxy.closed",
      protocol: "http",
      peer: formatEndpoint(client),
      backend: backend ?? undefined,
      method: request.method,
      url: request.url?.slice(0, 200),
      ...ended,
      code: error?.code,
      durMs,
    };
    if (error?.code === "INTERNAL") log.error({ ...line, err: error.cause });
    else if (error !== null) log.warn(line);
    else if (isStream) log.info(line);
    else log.debug(line);
  }

  /** A request that node could not read: answered with its status, and told in one line; nobody is told of who has said nothing. */
  private refuse({ code = "", rawPacket: bytes = nothing }: Unreadable, socket: Socket): void {
    const known = this.strays.get(socket);
    const stray = known ?? prefaceIn(bytes);
    if (known === undefined && stray !== null && stray.sizeBytes === bytes.length) {
      this.strays.set(socket, stray); // a balancer's check says no more
      return;
    }
    const saidNothing = socket.bytesRead === (stray?.sizeBytes ?? 0);
    if (code === "ECONNRESET" || !socket.writable || socket.bytesWritten > 0 || saidNothing) {
      socket.destroy(); // where something was written, a status would land in the middle of an answer
      return;
    }
    const client = this.clients.get(socket)!;
    const peer = formatEndpoint(client);
    const isCheck = stray !== null && isOwnCheck(stray, client);
    const { status, error } = unreadableRequest(code, bytes, stray);
    const line = { event: "proxy.closed", protocol: "http", peer, code: error.code, reason: error.message };
    this.parts.log[isCheck ? "debug" : "warn"]({ ...line, status: Number.parseInt(status, 10), endedBy: "proxy" });
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }
}

function answerJson(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.writeHead(404, { "Content-Type": "application/json; charset=utf-8", "Content-Length": Buffer.byteLength(body) }).end(body);
  request.resume(); // what it still sends is passed over
}
