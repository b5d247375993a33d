// Which room answers a request: by the address that it came to, and by its path. What is common to all of them is done here: a body is
// taken up to its limit, which only those have who register, and what a browser asks beforehand is answered.
//
//   both       /live, /ready ─ api/probes.ts                  open: whoever asks learns a word
//   door       what the ports of HTTP streaming pass on         as the API's, asked by whom they name
//   exporter   /metrics and nothing else                       open, as SRS's
//   api        /metrics, /console/, /players/ ─ their rooms    everything else is the API's
import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "../base/errors.js";
import { askerHeader } from "../ipc/admin-door.js";
import type { Protocol } from "../ipc/listener.js";
import { answerApi, callbackIn, refusalOf, refuse, tell } from "./api/api.js";
import { answerProbe, isProbe } from "./api/probes.js";
import type { AdminContext } from "./box/context.js";
import { reply, replyToPreflight, safeHeaders, shared, type Exchange } from "./http/reply.js";
import { answerMetrics } from "./metrics/metrics.js";
import type { Site } from "./site/site.js";

/** Longest body of a request. */
export const maxAdminBodyBytes = 64 << 10;

/** How it came: to an address of the admin's, or by the door that the processes have which serve viewers. */
type Way = Protocol | "door";

/** Answers a request. Never rejects: what goes wrong with one ends that one. */
export async function answer(
  context: AdminContext,
  site: Site,
  way: Way,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  response.on("error", () => undefined); // whoever asked has left
  try {
    await answerTo(context, site, way, request, response);
  } catch (thrown) {
    context.log.warn({ event: "api.failed", code: "CHILD_START", err: messageOf(thrown) }, "a question could not be answered");
    if (response.headersSent) response.destroy();
    else response.writeHead(503, safeHeaders).end();
  }
}

async function answerTo(context: AdminContext, site: Site, way: Way, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { api } = context.config();
  const address = way === "door" ? String(request.headers[askerHeader] ?? "") : (request.socket.remoteAddress ?? "");
  const isAmongViewers = way === "door" && api.atHttp !== "api";
  const nothing = { query: new URLSearchParams(), isOpen: api.crossdomain, callback: null };
  const plain: Exchange = { request, response, address, isAmongViewers, ...nothing };
  let exchange = plain;
  let pathname: string;
  try {
    const url = parseTarget(request.url ?? "/");
    ({ pathname } = url);
    exchange = { ...plain, query: url.searchParams, callback: callbackIn(url.searchParams, api) };
  } catch (thrown) {
    return reply(plain, { code: 400, error: messageOf(thrown) }, 400);
  }
  const body = await takeBody(request);
  if (body === null) return reply(exchange, { code: 413, error: `a body of more than ${maxAdminBodyBytes} bytes` }, 413);
  if (request.method === "OPTIONS") return replyToPreflight(response, api.crossdomain);
  if (isProbe(pathname)) return answerProbe(context, exchange, pathname);
  if (way === "exporter") return answerMetrics(context, exchange);
  if (pathname === "/metrics") {
    const refusal = refusalOf(exchange, api, false);
    return refusal === null ? answerMetrics(context, exchange) : refuse(exchange, refusal);
  }
  if (site.isGuarded(pathname)) {
    const refusal = site.hasTicket(exchange, pathname) ? null : refusalOf(exchange, api, true);
    if (refusal === null) return site.answerGuarded(exchange, pathname);
    tell(context, exchange, pathname, refusal);
    return refuse(exchange, refusal);
  }
  if (site.isData(pathname)) {
    const refusal = refusalOf(exchange, api, false);
    if (refusal !== null) return refuse(exchange, refusal);
    return shared(context.view.texts, exchange, (once) => site.answerData(once, pathname));
  }
  if (site.answer(exchange, pathname)) return undefined;
  return answerApi(context, { ...exchange, body }, pathname);
}

/** Reads a body to its end. Null: it is too long, or was cut. */
async function takeBody(request: IncomingMessage): Promise<Buffer | null> {
  if (request.headers["content-length"] === undefined && request.headers["transfer-encoding"] === undefined) {
    request.resume();
    return Buffer.alloc(0);
  }
  const parts: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const part of request as AsyncIterable<Buffer>) {
      bytes += part.length;
      if (bytes > maxAdminBodyBytes) return null;
      parts.push(part);
    }
    return Buffer.concat(parts);
  } catch {
    return null;
  }
}

/** Throws for what is no URL. */
function parseTarget(target: string): URL {
  return new URL(target.startsWith("/") ? `http://host${target}` : target);
}
