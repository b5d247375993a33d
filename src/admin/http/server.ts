// The HTTP server of the admin, before anybody knows what is asked: its limits. An operator's tools are few and quick; who is neither,
// has to come again.
import { createServer, type IncomingMessage, type Server, type ServerOptions, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { Socket } from "node:net";
import { keepConnections } from "../../base/sockets/kept-connections.js";
import { canonicalAddress } from "../../codec/ip-address.js";

/** Connections at once, of all addresses of one port. */
export const maxAdminConnections = 200;
/** Of these, from one address: one that opens many and says nothing locks out nobody but itself. */
export const maxAdminConnectionsPerAddress = 100;
/** From the connection to the end of a request's headers, and of its body. */
export const adminRequestTimeoutMs = 10_000;
/** Longest request line and headers together. */
export const maxAdminHeaderBytes = 16 << 10;

type Serve = (request: IncomingMessage, response: ServerResponse) => void;

/** A certificate and its key, PEM. */
export interface Certificate {
  readonly key: Buffer;
  readonly cert: Buffer;
}

const limits: ServerOptions = {
  noDelay: true,
  maxHeaderSize: maxAdminHeaderBytes,
  headersTimeout: adminRequestTimeoutMs,
  requestTimeout: adminRequestTimeoutMs,
  connectionsCheckingInterval: 1000,
};

/** Makes a server, not listening yet. */
export function createAdminServer(serve: Serve): Server {
  return limited(createServer(limits, serve));
}

/** The same over TLS. Throws for a certificate that is none. */
export function createAdminTlsServer(certificate: Certificate, serve: Serve): TlsServer {
  return limited(createTlsServer({ ...limits, ...certificate, handshakeTimeout: adminRequestTimeoutMs }, serve));
}

function limited<Kind extends Server | TlsServer>(server: Kind): Kind {
  server.maxConnections = maxAdminConnections;
  const counts = new Map<string, number>();
  let all = 0;
  keepConnections(server, () => all * 2 > maxAdminConnectionsPerAddress);
  server.prependListener("connection", (socket: Socket) => {
    const { remoteAddress } = socket;
    if (remoteAddress === undefined) return; // a process of the box
    const address = canonicalAddress(remoteAddress);
    const count = counts.get(address) ?? 0;
    if (count >= maxAdminConnectionsPerAddress) {
      socket.destroy();
      return;
    }
    counts.set(address, count + 1);
    all += 1;
    socket.once("close", () => {
      all -= 1;
      const left = (counts.get(address) ?? 1) - 1;
      if (left > 0) counts.set(address, left);
      else counts.delete(address);
    });
  });
  return server;
}
