// What becomes of HTTP headers on their way through a proxy: all pass as they were written, in their order, but those that
// are about one connection only (RFC 9110, section 7.6.1). Lists are flat, as node has them: name, value, name, value.

import type { IncomingHttpHeaders } from "node:http";

const hopByHop: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The headers that pass, without those in `dropped` (lower case). */
export function passedHeaders(raw: readonly string[], dropped: readonly string[] = []): string[] {
  const gone = new Set([...hopByHop, ...dropped]);
  for (const [name, value] of pairs(raw)) {
    if (name.toLowerCase() === "connection") for (const word of value.split(",")) gone.add(word.trim().toLowerCase());
  }
  gone.delete("content-length"); // no connection option: without it a body has no end
  gone.delete("host");
  return pairs(raw).flatMap(([name, value]) => (gone.has(name.toLowerCase()) ? [] : [name, value]));
}

export interface Forwarded {
  /** The client's address, with its port where the server takes that. */
  readonly client: string;
  /** What Host says where the client left it out. */
  readonly host: string;
  /** Whether a body of unknown length follows. */
  readonly isChunked: boolean;
  /** Whether the client asks to go on in WebSocket. */
  readonly isWebSocket: boolean;
  /** How long the server is to wait for a stream, as the Prefer header has it; null: as it likes. */
  readonly prefer: string | null;
}

/** The headers of a request for a server: X-Forwarded-For gets the client at its end, X-Forwarded-Proto stays if it is there. */
export function requestHeaders(raw: readonly string[], { client, host, isChunked, isWebSocket, prefer }: Forwarded): string[] {
  const valuesOf = (wanted: string): string[] => pairs(raw).flatMap(([name, value]) => (name.toLowerCase() === wanted ? [value] : []));
  const headers = passedHeaders(raw, ["x-forwarded-for", "expect"]);
  headers.push("X-Forwarded-For", [...valuesOf("x-forwarded-for"), client].join(", "));
  if (valuesOf("x-forwarded-proto").length === 0) headers.push("X-Forwarded-Proto", "http");
  if (valuesOf("host").length === 0) headers.push("Host", host);
  if (prefer !== null) headers.push("Prefer", prefer);
  if (isChunked) headers.push("Transfer-Encoding", "chunked");
  if (isWebSocket) headers.push("Connection", "Upgrade", "Upgrade", "websocket");
  return headers;
}

/** Whether a request asks to go on in WebSocket: the one other protocol that is passed on. */
export function asksForWebSocket({ connection = "", upgrade = "" }: IncomingHttpHeaders): boolean {
  return upgrade.toLowerCase() === "websocket" && connection.split(",").some((word) => word.trim().toLowerCase() === "upgrade");
}

function pairs(raw: readonly string[]): [name: string, value: string][] {
  return Array.from({ length: raw.length >> 1 }, (_, i) => [raw[2 * i]!, raw[2 * i + 1]!]);
}
