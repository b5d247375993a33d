// HTTP streaming: which requests are for a stream, and which are refused. The protocol itself is node:http's, behind the
// preface by which a trusted peer may tell who the client is; what happens to a stream's bytes is the player's.
//
//   connection ─▶ entrance.ts ─▶ asked-again.ts ─ requests that came before, to the byte, are answered there; whatever else is node:http's:
//
//   request ─▶ server.ts ─ target and host ─▶ route.ts ─ vhost and stream ─▶ the hub's source ─ batches ─▶ flv-player.ts ─▶ socket
//                  ├─ headers ─▶ forwarded.ts ─ which client it is   Upgrade ─▶ web-socket.ts ─ the same, over WebSocket
//                  └─ HEAD ─▶ head.ts    what is no stream's ─▶ stored.ts, answers.ts
import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { asDolphinError, DolphinError, messageOf } from "../../base/errors.js";
import { keepConnections } from "../../base/sockets/kept-connections.js";
import type { Log } from "../../base/log.js";
import { randomId } from "../../base/random-id.js";
import { preferredWaitMs } from "../../codec/prefer.js";
import type { Preface } from "../../codec/preface.js";
import { isOwnCheck, prefaceIn, unreadableRequest } from "../../codec/strangers.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { StreamRequest } from "../../codec/rtmp/url.js";
import type { Endpoint, Vhost } from "../../conf/meaning/config.js";
import type { Due } from "../../ipc/dues.js";
import type { ClientReport } from "../../ipc/lists.js";
import { countEnd } from "../../ipc/tally.js";
import { checkAccess } from "../peers/access.js";
import type { Client } from "../peers/clients.js";
import type { Hub } from "../streams/hub.js";
import { countPlayer } from "../peers/traffic.js";
import { clientOf, peerOf } from "../peers/peer.js";
import { headersTimeoutMs } from "./asked-again.js";
import {
  answerForbidden,
  answerIndex,
  answerNotAllowed,
  answerNotFound,
  answerOptions,
  commonHeaders,
  streamHeaders,
  type Headers,
} from "./answers.js";
import { admitHttp, endUnbegun } from "./admission.js";
import { isCrowded, openEach } from "./entrance.js";
import { FlvPlayer, type FlvPlayerOptions, type ResumedFlv } from "./flv-player.js";
import { forwardedClient, maxShownChars, pageOf } from "./forwarded.js";
import { formatOf, type Framing } from "./framing.js";
import { askUpstreamMs, isPublished } from "./head.js";
import { bytesWrittenTo } from "../../wire/direct-write.js";
import { descriptorsOf } from "../../wire/shared-read.js";
import { consolePort, passPlayerPage, passToOperators } from "./operators.js";
import { findRoute } from "./route.js";
import type { Stored } from "./stored.js";
import { acceptOf, answerTo, asksForWebSocket } from "./web-socket.js";

/** After so much silence the system asks whether a connection's other end still exists. */
export const keepAliveMs = 60_000;
/** Longest request line and headers together. */
export const maxHeaderBytes = 16 << 10;

/** Requests of one connection that may wait behind an unfinished answer. */
export const maxQueued = 16;

const waiting = new WeakMap<Socket, number>();
/** Of peers who name a client and may not, until they say more. */
const strays = new WeakMap<Socket, Preface>();
const nothing = Buffer.alloc(0);

/** Makes the HTTP server of a process, not listening yet. `meet` gives each accepted, paused connection the socket by which it is served; null: it has no place. */
export function createHttpServer(hub: Hub, log: Log, stored: Stored, meet: (accepted: Socket) => Socket | null): NodeServer {
  const server = createServer(
    {
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 1_000,
    },
    (request, response) => serve(hub, log, stored, request, response),
  );
  server.on("upgrade", (request, socket) => serve(hub, log, stored, request, answerTo(request, socket as Socket)));
  server.on("clientError", (error, socket) => refuse(log, error, socket as Socket));
  openEach(server, { hub, log, again: stored.again, meet });
  keepConnections(server, () => isCrowded(hub));
  return server;
}

/** Who asks, as far as headers of trusted peers tell. */
function askerOf(hub: Hub, { headers, socket }: IncomingMessage): string {
  return formatEndpoint(clientBehind(hub, { headers, socket }));
}

function clientBehind(hub: Hub, { headers, socket }: Pick<IncomingMessage, "headers" | "socket">): Endpoint {
  return forwardedClient(headers, clientOf(socket), hub.trusted);
}

function serve(hub: Hub, log: Log, stored: Stored, request: IncomingMessage, response: ServerResponse): void {
  const { method } = request;
  if (hub.drainReason !== null) response.shouldKeepAlive = false; // another process has the next
  stored.again.follow(request, response);
  const headers = commonHeaders(request, hub.setup.config.http?.crossdomain === true);
  if (method === "GET" && response.socket !== null && stored.answerKnown(request, response, headers)) return;
  if (response.socket === null && isOneTooMany(request.socket, response)) {
    log.warn(
      { event: "http.refused", code: "FLV_REQUEST", peer: askerOf(hub, request) },
      `more than ${maxQueued} requests behind an unfinished one`,
    );
    request.socket.destroy();
  } else if (passToOperators(hub.setup, clientBehind(hub, request).host, request, response)) return;
  else if (method === "OPTIONS") answerOptions(request, response, headers);
  else if (method !== "GET" && method !== "HEAD") answerNotAllowed(response, headers);
  else
    answer(hub, log, stored, request, response, headers).catch((thrown: unknown) => {
      log.error({ event: "http.refused", code: "INTERNAL", peer: askerOf(hub, request), err: thrown }, messageOf(thrown));
      request.socket.destroy();
    });
}

/** A stream where one is mounted, else a file, else the page at `/`, else nothing. */
async function answer(
  hub: Hub,
  log: Log,
  stored: Stored,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Headers,
): Promise<void> {
  const { url = "/" } = request;
  const isIndex = /^\/(?:\?|$)/.test(url);
  try {
    if (!isIndex) play(hub, log, request, response, headers);
    else if (!(await stored.answer(request, response, headers))) answerIndex(request, response, headers, consolePort(hub.setup));
  } catch (thrown) {
    const error = asDolphinError(thrown);
    const isNoStream = error.code === "FLV_NOT_FOUND" || error.code === "RTMP_VHOST";
    if (isNoStream && (await stored.answer(request, response, headers))) return;
    if (isNoStream && passPlayerPage(hub.setup, clientBehind(hub, request).host, request, response)) return;
    const line = { event: "http.refused", code: error.code, peer: askerOf(hub, request), url: url.slice(0, 200) };
    if (error.code === "INTERNAL") log.error({ ...line, err: error.cause }, error.message);
    else log[error.code === "FLV_NOT_FOUND" ? "info" : "warn"](line, error.message);
    if (response.destroyed || response.headersSent || response.socket === null) request.socket.destroy();
    else if (error.code === "RTMP_DENIED") answerForbidden(response, headers);
    else answerNotFound(response, headers);
  }
}

/** Whether so many requests wait behind an unfinished answer that no browser has sent them: their number is bounded, as is what each costs. */
function isOneTooMany(socket: Socket, response: ServerResponse): boolean {
  const queued = (waiting.get(socket) ?? 0) + 1;
  waiting.set(socket, queued);
  response.once("socket", () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
  return queued > maxQueued;
}

function play(hub: Hub, log: Log, request: IncomingMessage, response: ServerResponse, headers: Headers): void {
  const { vhost, request: stream, format } = findRoute(request.url ?? "/", request.headers.host ?? "", (name) => hub.vhost(name));
  const { flvWaitMs } = hub.setup.config.dolphin;
  const isChunked = request.httpVersion === "1.1";
  const atLeastMs = vhost.cluster.mode === "local" ? 0 : Math.min(askUpstreamMs, flvWaitMs);
  const peer = clientBehind(hub, request);
  checkAccess(vhost, { does: "play", host: peer.host, page: pageOf(request.headers) });
  if (request.method === "HEAD") {
    void isPublished(hub.source(vhost, stream), response, atLeastMs).then((isThere) => {
      if (isThere === true) response.writeHead(200, streamHeaders(headers, isChunked, format)).end();
      else if (isThere === false) answerNotFound(response, headers);
    });
    return;
  }
  const { socket } = response;
  if (socket === null) throw new DolphinError("FLV_REQUEST", "a request behind an unfinished one: a stream has no end to wait for");
  let framing: Framing = { kind: isChunked ? "chunked" : "bare", ...(format === "flv" ? {} : { format }) };
  if (format === "flv" && asksForWebSocket(request)) {
    const accept = acceptOf(request, hub.setup.config.http?.crossdomain === true);
    if (typeof accept !== "string") {
      const { status, headers: more, why } = accept;
      log.warn({ event: "http.refused", code: "FLV_REQUEST", peer: formatEndpoint(peer), url: request.url?.slice(0, 200) }, why);
      response.writeHead(status, { ...headers, ...more, "Content-Length": 0, Connection: "close" }).end();
      return;
    }
    framing = { kind: "websocket", accept };
  }
  const firstWaitMs = Math.max(atLeastMs, Math.min(flvWaitMs, preferredWaitMs(request.headers["prefer"]) ?? Infinity));
  const conn = randomId();
  const { host: asked = "" } = request.headers;
  const [path = ""] = (request.url ?? "").split("?");
  const shown = {
    conn,
    name: path.slice(path.lastIndexOf("/") + 1),
    tcUrl: `http://${asked}/${stream.app}`.slice(0, maxShownChars),
    page: pageOf(request.headers),
  };
  const saved: SavedFlv = { stream, framing, headers, firstWaitMs, peer, startedAtMs: Date.now(), shown };
  const token = `${process.pid}.${randomId()}`;
  const begin = (due: Due | null): void => {
    try {
      const hear = watch(hub, log, { saved, vhost: hub.vhost(stream.vhost), socket, token, from: null, firstWaitMs, due }, "play.started");
      if (framing.kind === "websocket") socket.on("data", hear);
    } catch (thrown) {
      endUnbegun(hub, due);
      throw thrown;
    }
  };
  const answered = admitHttp(hub, { conn, ip: peer.host, page: shown.page, vhost, stream }, (later) => {
    socket.off("close", left);
    if (socket.destroyed) {
      endUnbegun(hub, later);
      return;
    }
    const line = { event: "http.refused", conn, peer: formatEndpoint(peer), vhost: vhost.name, app: stream.app, stream: stream.stream };
    try {
      if (later instanceof DolphinError) throw later;
      begin(later);
    } catch (thrown) {
      const { code, message, cause } = asDolphinError(thrown);
      log[code === "INTERNAL" ? "error" : "warn"]({ ...line, code, err: cause }, message);
      if (code === "HOOK_REFUSED" || code === "HOOK_FAILED") answerForbidden(response, headers);
      else answerNotFound(response, headers);
    }
  });
  const left = (): void => void ("leave" in answered && answered.leave());
  if ("leave" in answered) socket.once("close", left);
  else begin(answered.due);
}

/** A viewer as plain data, whose request was read: another process may go on with it, wherever it is in its answer. */
export interface SavedFlv {
  readonly stream: StreamRequest;
  /** As in `FlvPlayerOptions`. */
  readonly framing: Framing;
  readonly headers: Headers;
  readonly firstWaitMs: number;
  /** Who the client is. */
  readonly peer: Endpoint;
  /** Since 1970. */
  readonly startedAtMs: number;
  /** How logs and lists know it; absent: a process of an older version has accepted it. */
  readonly shown?: { readonly conn: string; readonly name: string; readonly tcUrl: string; readonly page: string };
}

/**
 * Goes on with a viewer whom another process has served up to a position; null: nothing was written to it, and it waits for the rest
 * of its time. What is read of its connection goes to the function that is returned. Throws RTMP_VHOST when nothing serves it any more.
 */
export function resumeFlv(hub: Hub, log: Log, socket: Socket, saved: SavedFlv, resumed: ResumedFlv): (bytes: Buffer) => void {
  const { token, from, dues } = resumed;
  const [due = null] = dues;
  if (due !== null) hub.hooks.keep(due);
  let vhost: Vhost;
  try {
    vhost = hub.vhost(saved.stream.vhost);
  } catch (thrown) {
    endUnbegun(hub, due);
    throw thrown;
  }
  // A process that goes on has to ask upstream first.
  const firstWaitMs = Math.max(askUpstreamMs, saved.firstWaitMs - (Date.now() - saved.startedAtMs));
  return watch(hub, log, { saved, vhost, socket, token, from, firstWaitMs, due }, "play.resumed");
}

/** A viewer, new or from another process. */
interface Viewer extends Pick<FlvPlayerOptions, "socket" | "from" | "firstWaitMs"> {
  readonly saved: SavedFlv;
  readonly vhost: Vhost;
  readonly token: string;
  /** What is due when it leaves. */
  readonly due: Due | null;
}

function watch(hub: Hub, log: Log, viewer: Viewer, event: "play.started" | "play.resumed"): (bytes: Buffer) => void {
  const { saved, vhost, socket, token, from, firstWaitMs, due } = viewer;
  const { stream, peer, startedAtMs, framing, headers } = saved;
  const shown = saved.shown ?? { conn: randomId(), name: `${stream.stream}.flv`, tcUrl: "", page: "" };
  const { conn: id } = shown;
  const source = hub.source(vhost, stream);
  const names = { conn: id, peer: formatEndpoint(peer), vhost: vhost.name, app: stream.app, stream: stream.stream };
  const { hasAudio, hasVideo, guessHasAv } = vhost.httpRemux;
  const { traffic } = hub;
  const leave = countPlayer(traffic, framing.kind === "websocket" ? "wsPlayers" : "flvPlayers", event === "play.started");
  // Of those who come from another process one line tells for all.
  const protocol = framing.kind === "websocket" ? "ws-flv" : formatOf(framing);
  log[event === "play.started" ? "info" : "debug"]({ ...names, event, protocol });
  const left = (): void => {
    leave();
    hub.clients.delete(client);
  };
  const player = new FlvPlayer({
    socket,
    framing,
    headers,
    from,
    firstWaitMs,
    source,
    waitMs: hub.setup.config.dolphin.flvWaitMs,
    announces: guessHasAv && hasAudio && hasVideo ? null : { audio: hasAudio, video: hasVideo },
    traffic,
    sinceMs: startedAtMs,
    carry: () =>
      hub.carrier?.carry(() => descriptorsOf(socket), { token, dues: due === null ? [] : [due], kind: "flv", saved }, from) ?? null,
    onEnd: (reason, code) => {
      left();
      countEnd(traffic.tally, code);
      if (due !== null) hub.hooks.end(due, { clients: hub.playersOf(source.key) });
      const line = { ...names, event: "flv.closed", code, reason, durMs: Date.now() - startedAtMs, bytesOut: bytesWrittenTo(socket) };
      if (code === undefined || code === "FLV_NOT_FOUND") log.info(line);
      else log.warn(line);
    },
  });
  const dismiss = ({ message, code }: DolphinError): void => player.close(message, code);
  const letGo = (): boolean => {
    if (!player.letGo()) return false;
    left();
    if (due !== null) hub.hooks.release(due);
    return true;
  };
  const report = (): ClientReport => {
    const { app, stream: name } = stream;
    const { tcUrl, page: pageUrl } = shown;
    const counted = { sinceMs: startedAtMs, bytesIn: socket.bytesRead, bytesOut: bytesWrittenTo(socket) };
    const said = { ip: peer.host, tcUrl, pageUrl, swfUrl: "", name: shown.name };
    return {
      id,
      vhost: vhost.name,
      app,
      stream: name,
      type: `${formatOf(framing)}-play`,
      ...said,
      ...counted,
    };
  };
  const client: Client = { does: "play", protocol: "flv", asked: stream.vhost, vhost, id, order: hub.nextOrder(), report, dismiss, letGo };
  hub.clients.add(client);
  return (bytes) => player.hear(bytes);
}

/** A request that node:http could not read: answered with its status, and told in one line; nobody is told of who has said nothing. */
function refuse(log: Log, error: Error & { readonly code?: string; readonly rawPacket?: Buffer }, socket: Socket): void {
  const { code = "", rawPacket: bytes = nothing } = error;
  const known = strays.get(socket);
  const stray = known ?? prefaceIn(bytes);
  if (known === undefined && stray !== null && stray.sizeBytes === bytes.length) {
    strays.set(socket, stray); // a balancer's check says no more
    return;
  }
  if (code === "ECONNRESET" || !socket.writable || socket.bytesRead === (stray?.sizeBytes ?? 0)) {
    socket.destroy();
    return;
  }
  const line = { event: "http.refused", peer: peerOf(socket) };
  if (bytesWrittenTo(socket) > 0) {
    log.warn({ ...line, code: "FLV_REQUEST", err: messageOf(error) }, "no request behind the one under way");
    socket.destroy(); // a status here would land in the middle of a stream
    return;
  }
  const { status, error: told } = unreadableRequest(code, bytes, stray);
  const isCheck = stray !== null && isOwnCheck(stray, clientOf(socket));
  log[isCheck ? "debug" : "warn"]({ ...line, code: told.code, status: Number.parseInt(status, 10) }, told.message);
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
