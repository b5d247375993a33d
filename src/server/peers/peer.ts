// Who is on the other end of a socket, as logs and `dolphin status` show it: its peer, or the client that a trusted peer named.
// The room has what connections have in common, whatever they speak:
//
//   who is there    peer.ts    caller.ts: what it has told of itself    clients.ts: all who play or publish, and who must leave
//   its bytes       shared-read.ts: all into one buffer    merged-read.ts: publishers in step    traffic.ts: how many
//   it publishes    publication.ts: where its media goes   saved-publisher.ts: it goes on in another process
//   it plays        carriage.ts: it goes on in another process
//   it leaves       farewell.ts
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
