// The three servers of a node, with the limits of each before anybody knows what is asked: viewers, who may be many and slow; the peer,
// who has the token; and the machine's own: hooks of the server beside it, probes, metrics.
import { createHash, timingSafeEqual } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { DolphinError, errnoOf, messageOf } from "../base/errors.js";
import { keepConnections } from "../base/sockets/kept-connections.js";
import { signature } from "../base/version.js";

/** Connections of viewers at once; those beyond are closed. */
export const maxBackupViewers = 20_000;
/** Connections at once of each of the two other addresses. */
export const maxBackupCallers = 100;
/** From the connection to the end of a request. */
export const backupRequestTimeoutMs = 10_000;
/** How long a viewer may take nothing of what is sent. */
export const backupStallMs = 30_000;

export interface ListenAt {
  readonly host: string;
  readonly port: number;
}

export type Serve = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** A server that listens. Rejects with CHILD_LISTEN and its cause. */
export async function serveAt({ host, port }: ListenAt, maxConnections: number, serve: Serve): Promise<Server> {
  const limits = { headersTimeout: backupRequestTimeoutMs, requestTimeout: backupRequestTimeoutMs, connectionsCheckingInterval: 1000 };
  const server = createServer({ noDelay: true, maxHeaderSize: 16 << 10, ...limits }, (request, response) => {
    void answer(serve, request, response);
  });
  server.maxConnections = maxConnections;
  let open = 0;
  server.on("connection", (socket) => {
    open += 1;
    socket.once("close", () => (open -= 1));
  });
  keepConnections(server, () => open * 4 > maxConnections * 3);
  server.setTimeout(backupStallMs);
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(`${host}:${port}`, error)));
    server.listen({ host, port }, resolve);
  });
  return server;
}

function listenError(address: string, cause: Error): DolphinError {
  const remedy = errnoOf(cause) === "EADDRINUSE" ? "; another process listens there: stop it, or choose another port" : "";
  return new DolphinError("CHILD_LISTEN", `cannot listen on ${address}: ${messageOf(cause)}${remedy}`, { cause });
}

async function answer(serve: Serve, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await serve(request, response);
  } catch (thrown) {
    if (response.headersSent) response.destroy();
    else say(response, thrown instanceof TooLong ? 413 : 500, thrown instanceof TooLong ? thrown.message : "internal error");
  }
}

class TooLong extends Error {}

/** The body of a request, of so many bytes at most. Rejects where it is longer or broken off. */
export async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<string> {
  const tooLong = new TooLong(`the body is longer than ${maxBytes} bytes`);
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooLong;
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    sizeBytes += part.length;
    if (sizeBytes > maxBytes) throw tooLong;
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

/** Answers with a text, and closes the connection of whom it refuses: the rest of what he sends is not waited for. */
export function say(response: ServerResponse, status: number, text: string, type = "text/plain; charset=utf-8"): void {
  const headers = {
    Server: signature,
    "Content-Type": type,
    "X-Content-Type-Options": "nosniff",
    "Content-Length": Buffer.byteLength(text),
  };
  response.writeHead(status, { ...headers, "Cache-Control": "no-store", ...(status >= 400 ? { Connection: "close" } : {}) });
  response.end(response.req.method === "HEAD" ? undefined : text);
}

/** Whether a request shows the token, in a time that does not tell how much of it was right. */
export function showsToken({ headers }: IncomingMessage, token: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(headers.authorization ?? ""), digest(`Bearer ${token}`));
}
