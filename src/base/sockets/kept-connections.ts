// Connections that clients of HTTP keep for their next request. A viewer of HLS asks once for each segment, and a balancer in front keeps
// its connections for a minute, so they are kept for longer than that: a request that crosses the end of its connection is lost.
import type { Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";

/** Silence after which a kept connection is ended. */
export const keptConnectionMs = 75_000;
/** The same where connections are few, or the process is about to leave. */
export const crowdedKeptMs = 5_000;

/** Makes a server keep connections, for as long as it has room for others; `isCrowded` says when it has not. */
export function keepConnections(server: Server | TlsServer, isCrowded: () => boolean): void {
  server.keepAliveTimeout = keptConnectionMs;
  server.prependListener("request", () => (server.keepAliveTimeout = isCrowded() ? crowdedKeptMs : keptConnectionMs));
  // Its next request may have come while the process was busy, and waits to be read.
  server.on("timeout", (socket: Socket) => {
    const { bytesRead } = socket;
    setImmediate(() => socket.bytesRead === bytesRead && socket.destroy());
  });
}

/**
 * Ends those on which nothing has come, and soon those that are asked on now; `more` ends others. The server's answers must say so from
 * now on.
 */
export function endKept(server: Server | TlsServer, more: () => void = () => undefined): void {
  server.keepAliveTimeout = crowdedKeptMs;
  const end = (): void => {
    server.closeIdleConnections();
    more();
  };
  setImmediate(() => setImmediate(end)); // what has come is read before
}
