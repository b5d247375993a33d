// HTTP streaming: which requests are for a stream, and which are refused. The protocol itself is node:http's; what
// happens to a stream's bytes is the player's.
import { createServer, type IncomingMessage, type Server as NodeServer, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import { signature } from "../../base/version.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/config.js";
import type { Hub } from "../hub.js";
import { FlvPlayer, notFound } from "./flv-player.js";

/** From the connection to the end of a request's headers. */
export const headersTimeoutMs = 5_000;
/** Longest request line and headers together. */
export const maxHeaderBytes = 16 << 10;

/** Makes the HTTP server of a process, not listening yet. `conn` is an id for a new connection, `null` when it is refused. */
export function createHttpServer(hub: Hub, log: Log): NodeServer {
  const server = createServer(
    {
      noDelay: true,
      maxHeaderSize: maxHeaderBytes,
      headersTimeout: headersTimeoutMs,
      requestTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 1_000,
      keepAliveTimeout: headersTimeoutMs,
    },
    (request, response) => serve(hub, log, request, response),
  );
  server.on("clientError", (error, socket) => refuse(log, error, socket as Socket));
  return server;
}

function serve(hub: Hub, log: Log, request: IncomingMessage, response: ServerResponse): void {
  const headers = commonHeaders(hub, request);
  if (request.method === "OPTIONS" && hub.setup.config.http?.crossdomain === true) {
    response.writeHead(200, { ...headers, "Content-Length": 0 }).end();
    return;
  }
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.writeHead(405, { ...headers, Allow: "GET, HEAD, OPTIONS", "Content-Length": 0, Connection: "close" }).end();
    return;
  }
  try {
    play(hub, log, request, response, headers);
  } catch (error) {
    if (!(error instanceof DolphinError)) throw error;
    log.warn({ event: "http.refused", code: error.code, peer: peerOf(request.socket), url: request.url?.slice(0, 200) }, error.message);
    notFound(response, headers);
  }
}

function play(hub: Hub, log: Log, request: IncomingMessage, response: ServerResponse, headers: Record<string, string>): void {
  const { vhost, stream } = wanted(hub, request);
  if (request.method === "HEAD") {
    response.writeHead(200, { ...headers, "Content-Type": "video/x-flv", Connection: "close" }).end();
    return;
  }
  const { socket } = request;
  const startedAtMs = Date.now();
  const streamLog = log.child({ peer: peerOf(socket), vhost: vhost.name, app: stream.app, stream: stream.stream });
  const { hasAudio, hasVideo, guessHasAv } = vhost.httpRemux;
  const writtenBefore = socket.bytesWritten;
  hub.traffic.players += 1;
  streamLog.info({ event: "play.started", protocol: "flv" });
  new FlvPlayer({
    response,
    source: hub.source(vhost, stream),
    headers,
    waitMs: hub.setup.config.dolphin.flvWaitMs,
    announces: guessHasAv && hasAudio && hasVideo ? null : { audio: hasAudio, video: hasVideo },
    traffic: hub.traffic,
    onEnd: (reason, code) => {
      hub.traffic.players -= 1;
      const line = { event: "flv.closed", code, reason, durMs: Date.now() - startedAtMs, bytesOut: socket.bytesWritten - writtenBefore };
      if (code === undefined) streamLog.info(line);
      else streamLog.warn(line);
    },
  });
}

/** Which stream a request is for. Throws FLV_NOT_FOUND for what no vhost's mount gives, and the codes of names and vhosts. */
function wanted(hub: Hub, request: IncomingMessage): { vhost: Vhost; stream: StreamRequest } {
  const [path, query] = splitOnce(request.url ?? "/", "?");
  const decoded = decode(path);
  const extension = decoded.lastIndexOf(".");
  const host = (request.headers.host ?? "").replace(/:\d*$/, "");
  const name = extension < 0 ? decoded : decoded.slice(0, extension);
  const slash = name.lastIndexOf("/");
  const stream = resolveStream(`rtmp://${host}${name.slice(0, slash)}`, "", `${name.slice(slash + 1)}${query === "" ? "" : `?${query}`}`);
  const vhost = hub.vhost(stream.vhost);
  if (!vhost.httpRemux.enabled || slash <= 0 || !matchesMount(vhost, decoded)) {
    throw new DolphinError(
      "FLV_NOT_FOUND",
      `no stream is mounted there; the vhost ${vhost.name} mounts ${vhost.httpRemux.enabled ? vhost.httpRemux.mount : "none"}`,
    );
  }
  return { vhost, stream };
}

/** A mount such as `[vhost]/[app]/[stream].flv` gives every path of its extension with as many parts or more. */
function matchesMount(vhost: Vhost, path: string): boolean {
  const { mount } = vhost.httpRemux;
  const extension = mount.slice(mount.lastIndexOf("."));
  return path.endsWith(extension) && path.split("/").length >= mount.replace("[vhost]", "").split("/").length;
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw new DolphinError("FLV_NOT_FOUND", "the path is not properly percent-encoded");
  }
}

function commonHeaders(hub: Hub, request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = { Server: signature };
  if (hub.setup.config.http?.crossdomain !== true || request.headers.origin === undefined) return headers;
  return {
    ...headers,
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Allow-Methods": "*",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Allow-Credentials": "false",
    "Access-Control-Request-Private-Network": "true",
  };
}

/** A request that node:http could not read: answered with its status, and told in one line. */
function refuse(log: Log, error: Error, socket: Socket): void {
  const errno = "code" in error ? String(error.code) : "";
  if (errno === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status =
    errno === "HPE_HEADER_OVERFLOW"
      ? "431 Request Header Fields Too Large"
      : errno === "ERR_HTTP_REQUEST_TIMEOUT"
        ? "408 Request Timeout"
        : "400 Bad Request";
  log.warn({ event: "http.refused", code: "FLV_REQUEST", peer: peerOf(socket), err: messageOf(error) }, status);
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
}

function splitOnce(text: string, mark: string): [before: string, after: string] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
