// Requests that ask to go on in another protocol. WebSocket is one, for a stream; every other is answered as if it had not asked, as
// RFC 9110 (section 7.8) has it. Node gives up such a connection, so what it would have done for the answer is done here.
import { ServerResponse, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import { acceptFor, isKey } from "../../codec/websocket.js";

/** What is said to who asks for WebSocket in a way that cannot be one (RFC 6455, section 4.4). */
export interface Unacceptable {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly why: string;
}

/** Whether a request asks for WebSocket. */
export function asksForWebSocket({ headers }: IncomingMessage): boolean {
  return isUpgrade(headers.connection) && headers.upgrade?.toLowerCase() === "websocket";
}

/** The Sec-WebSocket-Accept of a handshake, or why there can be none. `isOpen`: pages of other sites may play. */
export function acceptOf({ headers, httpVersion, method }: IncomingMessage, isOpen: boolean): string | Unacceptable {
  const key = headers["sec-websocket-key"] ?? "";
  if (headers["sec-websocket-version"] !== "13") {
    return { status: 426, headers: { "Sec-WebSocket-Version": "13", Upgrade: "websocket" }, why: "not version 13 of WebSocket" };
  }
  if (method !== "GET" || httpVersion !== "1.1" || !isKey(key)) return { status: 400, headers: {}, why: "no handshake of WebSocket" };
  // A browser asks nobody before it opens a WebSocket, and tells the page.
  const { origin, host } = headers;
  if (!isOpen && origin !== undefined && hostOf(origin) !== host?.toLowerCase()) {
    return { status: 403, headers: {}, why: "crossdomain is off, and the page is of another site" };
  }
  return acceptFor(key);
}

/** An answer to a request whose connection node has given up: with it the connection ends, unless it is taken over. */
export function answerTo(request: IncomingMessage, socket: Socket): ServerResponse {
  const response = new ServerResponse(request);
  response.shouldKeepAlive = false;
  response.assignSocket(socket);
  response.once("finish", () => socket.destroySoon());
  socket.on("error", () => undefined); // `close` tells
  socket.once("timeout", () => socket.destroy());
  socket.once("end", () => socket.destroySoon()).resume(); // before the answer nothing may come but the end
  return response;
}

function isUpgrade(connection = ""): boolean {
  return connection.split(",").some((word) => word.trim().toLowerCase() === "upgrade");
}

/** Of an Origin header, as a Host header has it. */
function hostOf(origin: string): string {
  return origin.toLowerCase().replace(/^[a-z][a-z0-9+.-]*:\/\//, "");
}
