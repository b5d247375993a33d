// Who the client is: the peer itself, or whom a preface of a trusted peer names. It reads from the socket only where the peer is
// trusted, and gives back what was not the preface's.
import type { Socket } from "node:net";
import { takeFront } from "../../base/sockets/socket-front.js";
import { readPreface } from "../../codec/preface.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";

/** A preface is one packet; a peer that takes longer is not a balancer. */
const prefaceTimeoutMs = 5000;

export interface ClientAddress {
  readonly client: Endpoint;
  /** The address that the client connected to, as a preface told, or else the socket's own. */
  readonly local: Endpoint;
}

/**
 * Tells who is behind an accepted, paused socket that `peer` has opened, and leaves it paused with all bytes behind the preface in
 * it. A peer that is not trusted, or sends no preface, speaks for itself. Null: the peer left without a word, as checks of a
 * balancer do. Throws PROXY_HEADER for a broken or late preface.
 */
export async function clientAddress(socket: Socket, peer: Endpoint, trusted: TrustedNetworks | null): Promise<ClientAddress | null> {
  const local = { host: socket.localAddress ?? "", port: socket.localPort ?? 0 };
  if (trusted === null || !trusted.has(peer.host)) return { client: peer, local };
  const found = await takeFront(socket, { read: readPreface, timeoutMs: prefaceTimeoutMs });
  return found === null ? null : { client: found.client ?? peer, local: found.local ?? local };
}
