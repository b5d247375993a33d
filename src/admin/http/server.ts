// The HTTP server of the admin, before anybody knows what is asked: its limits. An operator's tools are few and quick; who is neither,
// has to come again.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

/** Connections at once, of all addresses of one port. */
export const maxAdminConnections = 200;
/** From the connection to the end of a request's headers, and of its body. */
export const adminRequestTimeoutMs = 10_000;
/** Longest request line and headers together. */
export const maxAdminHeaderBytes = 16 << 10;

/** Makes a server, not listening yet. */
export function createAdminServer(serve: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer(
    {
      noDelay: true,
      maxHeaderSize: maxAdminHeaderBytes,
      headersTimeout: adminRequestTimeoutMs,
      requestTimeout: adminRequestTimeoutMs,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 5000,
    },
    serve,
  );
  server.maxConnections = maxAdminConnections;
  return server;
}
