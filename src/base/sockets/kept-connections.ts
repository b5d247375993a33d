// Connections that clients of HTTP keep for their next request. A viewer of HLS asks once for each segment, and a balancer in front keeps
// its connections for a minute, so they are kept for longer than that: a request that crosses the end of its connection is lost.
import type { IncomingMessage, Server } from "node:http";
import type { Server as TlsServer } from "node:https";
import type { Socket } from "node:net";

/** Silence after which a kept connection is ended. */
export const keptConnectionMs = 75_000;
/** The same where connections are few, or the process is about to leave. */
export const crowdedKeptMs = 5_000;

type HttpServer = Server | TlsServer;

/** The connections of each server on which something was asked. */
const asked = new WeakMap<HttpServer, Set<Socket>>();

/** Makes a server keep connections, for as long as it has room for others; `isCrowded` says when it has not. */
export function keepConnections(server: HttpServer, isCrowded: () => boolean): void {
  const sockets = new Set<Socket>();
  asked.set(server, sockets);
  server.keepAliveTimeout = keptConnectionMs;
  server.prependListener("request", ({ socket }: IncomingMessage) => {
    server.keepAliveTimeout = isCrowded() ? crowdedKeptMs : keptConnectionMs;
    if (sockets.has(socket)) return;
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
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
export function endKept(server: HttpServer, more: () => void = () => undefined): void {
  server.keepAliveTimeout = crowdedKeptMs;
  const end = (): void => {
    endIdle(server);
    more();
  };
  setImmediate(() => setImmediate(end)); // what has come is read before
}

/** Ends those on which nothing is under way. Node's own would cut off an answer that is ended and waits for its slow reader. */
export function endIdle(server: HttpServer): void {
  const writing = [...(asked.get(server) ?? [])].filter(({ writableLength }) => writableLength > 0);
  for (const socket of writing) socket.destroy = () => socket;
  server.closeIdleConnections();
  for (const socket of writing) Reflect.deleteProperty(socket, "destroy"); // the one of its class is back
}
