// Who the client is: the peer itself, or whom a PROXY protocol header from a trusted peer names. It reads from the socket
// only where the peer is trusted, and gives back what was not the header's.
import type { Socket } from "node:net";
import { DolphinError } from "../base/errors.js";
import type { Endpoint } from "../conf/config.js";
import { maxHeaderBytes, readProxyHeader, type ReadHeader, type TrustedNetworks } from "./proxy-protocol.js";

/** A header is one packet; a peer that takes longer is not a balancer. */
const headerTimeoutMs = 5000;

export interface ClientAddress {
  readonly client: Endpoint;
  /** The address that the client connected to, where a header told; null: the socket's own. */
  readonly local: Endpoint | null;
}

/**
 * Tells who is behind an accepted, paused socket, and leaves it paused with all bytes behind the header in it. A peer that is
 * not trusted, or sends no header, speaks for itself. Null: the peer left without a word, as checks of a balancer do.
 * Throws PROXY_HEADER for a broken or late header.
 */
export async function clientAddress(socket: Socket, trusted: TrustedNetworks | null): Promise<ClientAddress | null> {
  const client = { host: socket.remoteAddress ?? "", port: socket.remotePort ?? 0 };
  if (trusted === null || !trusted.has(client.host)) return { client, local: null };
  const found = await takeHeader(socket);
  return found === null ? null : { client: found.header?.source ?? client, local: found.header?.destination ?? null };
}

function takeHeader(socket: Socket): Promise<ReadHeader | null> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const settle = (finish: () => void): void => {
      clearTimeout(timer);
      socket.off("readable", read).off("end", left).off("close", left);
      finish();
    };
    const fail = (error: unknown): void => settle(() => reject(error));
    const left = (): void => settle(() => resolve(null));
    const read = (): void => {
      for (let bytes = socket.read() as Buffer | null; bytes !== null; bytes = socket.read() as Buffer | null) {
        received = Buffer.concat([received, bytes]);
      }
      try {
        const found = readProxyHeader(received.subarray(0, maxHeaderBytes));
        if (found === null) return;
        settle(() => {
          const rest = received.subarray(found.sizeBytes);
          socket.pause();
          if (rest.length > 0) socket.unshift(rest);
          resolve(found);
        });
      } catch (thrown) {
        fail(thrown);
      }
    };
    const timer = setTimeout(() => fail(new DolphinError("PROXY_HEADER", "the first bytes did not come in time")), headerTimeoutMs);
    socket.on("readable", read).on("end", left).on("close", left);
  });
}
