// Who is on the other end of a socket, as logs and `dolphin status` show it: its peer, or the client that a trusted peer named.
import type { Socket } from "node:net";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";

const named = new WeakMap<Socket, Endpoint>();

/** Remembers whom a trusted peer has named as the one behind a socket. */
export function nameClient(socket: Socket, client: Endpoint): void {
  named.set(socket, client);
}

/** The client behind a socket; the host is `?` when its peer has gone before anybody asked. */
export function clientOf(socket: Socket): Endpoint {
  return named.get(socket) ?? { host: socket.remoteAddress ?? "?", port: socket.remotePort ?? 0 };
}

/** The same as text. */
export function peerOf(socket: Socket): string {
  return formatEndpoint(clientOf(socket));
}
