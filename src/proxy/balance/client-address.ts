// Who the client is: the peer itself, or whom a preface of a trusted peer names. It reads from the socket only where the peer is
// trusted, and gives back what was not the preface's.
import type { Socket } from "node:net";
import { takeFront } from "../../base/socket-front.js";
import { readPreface } from "../../codec/preface.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";

/** A preface is one packet; a peer that takes longer is not a balancer. */
const prefaceTimeoutMs = 5000;

export interface ClientAddress {
  readonly client: Endpoint;
  /** The address that the client connected to, where a preface told; null: the socket's own. */
  readonly local: Endpoint | null;
}

/**
 * Tells who is behind an accepted, paused socket, and leaves it paused with all bytes behind the preface in it. A peer that is
 * not trusted, or sends no preface, speaks for itself. Null: the peer left without a word, as checks of a balancer do.
 * Throws PROXY_HEADER for a broken or late preface.
 */
export async function clientAddress(socket: Socket, trusted: TrustedNetworks | null): Promise<ClientAddress | null> {
  const client = { host: socket.remoteAddress ?? "?", port: socket.remotePort ?? 0 };
  if (trusted === null || !trusted.has(client.host)) return { client, local: null };
  const found = await takeFront(socket, { read: readPreface, timeoutMs: prefaceTimeoutMs });
  return found === null ? null : { client: found.client ?? client, local: found.local };
}
