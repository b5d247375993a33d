// Who is on the other end of a socket, as logs and `dolphin status` show it: its peer, or the client that a trusted peer named. It
// is asked of the system once, when the connection is accepted, for a peer that has gone leaves no address behind.
// The room has what connections have in common, whatever they speak:
//
//   who is there    peer.ts    caller.ts: what it has told of itself    clients.ts: all who play or publish, and who must leave
//   its bytes       shared-read.ts: all into one buffer    merged-read.ts: publishers in step    traffic.ts: how many
//   it publishes    publication.ts: where its media goes   saved-publisher.ts: it goes on in another process
//   it plays        carriage.ts: it goes on in another process
//   it is no end    via.ts: where its stream has been
//   it leaves       farewell.ts
import type { Socket } from "node:net";
import { peerAddress } from "../../codec/ip-address.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";

const clients = new WeakMap<Socket, Endpoint>();
const nobody: Endpoint = { host: "?", port: 0 };

/** Takes down who has connected, as soon as a socket is accepted. False: it has gone already, so there is nobody to serve. */
export function meetPeer(socket: Socket): boolean {
  const peer = peerAddress(socket);
  if (peer !== null) nameClient(socket, peer);
  return peer !== null;
}

/** Remembers who is behind a socket: whom a trusted peer has named, or whom another process has met. */
export function nameClient(socket: Socket, client: Endpoint): void {
  clients.set(socket, client);
}

/** The client behind a socket; `?` for one that nobody has met. */
export function clientOf(socket: Socket): Endpoint {
  return clients.get(socket) ?? nobody;
}

/** The same as text. */
export function peerOf(socket: Socket): string {
  return formatEndpoint(clientOf(socket));
}
