// SRS's HTTP API, and ours beside it: which handler a path leads to, and whether whoever asks may. A path that leads nowhere shows what there
// is, as in SRS, and never is an error.
//
//   path ─▶ api.ts ─ who may (http/access.ts) ─┬─▶ lists.ts: vhosts, streams, clients      system.ts: the process and the machine
//                                              ├─▶ raw.ts: reload, clusters, requests      dolphin.ts, events.ts: what SRS has not
//                                              └─▶ asked.ts: what all of them are given, and how they answer
import { messageOf } from "../../base/errors.js";
import { canonicalAddress } from "../../codec/ip-address.js";
import type { ApiSettings } from "../../conf/meaning/config.js";
import type { AdminContext } from "../box/context.js";
import { Gate, type Refusal } from "../http/access.js";
import { RefusalLines } from "../http/refusal-lines.js";
import { isCallback, reply, shared, type Exchange } from "../http/reply.js";
import { codes, envelope, replyCode, replyWith, type Asked, type Handler } from "./asked.js";
import { dolphin, methodOf } from "./dolphin.js";
import { listClients, listStreams, listVhosts } from "./lists.js";
import { clusters, isReload, raw, register, requests } from "./raw.js";
import { authors, features, meminfos, rusages, selfProcStats, summaries, systemProcStats, versions } from "./system.js";

const gate = new Gate();
const refusalLines = new RefusalLines();

/** Of /api/v1/: what SRS says of each, and who answers. */
const endpoints: Readonly<Record<string, readonly [about: string, handler: Handler]>> = {
  versions: ["the version", versions],
  summaries: ["the summary of the box: pid, argv, cwd, CPU, memory, connections", summaries],
  rusages: ["the rusage of the master", rusages],
  self_proc_stats: ["the stat of the master", selfProcStats],
  system_proc_stats: ["the stat of the machine", systemProcStats],
  meminfos: ["the memory of the machine", meminfos],
  authors: ["the license and the authors", authors],
  features: ["what is served", features],
  requests: ["the request itself", requests],
  raw: ["raw?rpc=raw, reload, reload-fetch", raw],
  clusters: ["whether a stream is published here", clusters],
};

/** Lists, with or without an id behind them. */
const lists: Readonly<Record<string, readonly [about: string, handler: Handler]>> = {
  vhosts: ["the vhosts, or /vhosts/ID", listVhosts],
  streams: ["the streams, or /streams/ID", listStreams],
  clients: ["the clients, or /clients/ID; DELETE sends one away", listClients],
};

/** Everything below /api/v1/ that has an answer of its own. */
export const apiNames: readonly string[] = [...Object.keys(endpoints), ...Object.keys(lists), "tests", "srs", "dolphin"];

/** Answers a request whose path begins with /api, or that leads nowhere else. Never rejects. */
export async function answerApi(context: AdminContext, exchange: Exchange, path: string): Promise<void> {
  const { api } = context.config();
  const { method = "GET" } = exchange.request;
  const acts = doesAct(method, path, exchange.query);
  const refusal = refusalOf(exchange, api, acts);
  if (refusal !== null) {
    if (acts || refusal.status === 429) tell(context, exchange, path, refusal);
    refuse(exchange, refusal);
    return;
  }
  try {
    const answer = async (to: Exchange): Promise<void> => {
      const facts = await context.view.facts();
      await route({ ...context, exchange: to, facts, method, id: "" }, path);
    };
    await (isShared(path) ? shared(context.view.texts, exchange, answer) : answer(exchange));
  } catch (thrown) {
    context.log.warn({ event: "api.failed", code: "CHILD_START", err: messageOf(thrown) }, "a question could not be answered");
    if (exchange.response.headersSent) exchange.response.destroy();
    else replyCode({ exchange }, codes.unavailable, "the box does not answer: ask again", 503);
  }
}

/** Whether somebody may not ask; null: he may. Rooms beside this one ask it for what they serve. */
export function refusalOf(exchange: Exchange, api: Pick<ApiSettings, "auth" | "token">, acts: boolean): Refusal | null {
  const { request, address, isAmongViewers } = exchange;
  return gate.check({ headers: request.headers, address: canonicalAddress(address), isAmongViewers }, api, acts);
}

export function refuse(exchange: Exchange, { status, error, challenge }: Refusal): void {
  reply({ ...exchange, callback: null }, { code: status, error }, status, challenge === null ? {} : { "WWW-Authenticate": challenge });
}

/** Whether a question changes something. */
function doesAct(method: string, path: string, query: URLSearchParams): boolean {
  if (path === "/api/v1/clusters" || path === "/api/v1/clusters/") return false; // SRS's origins ask by POST
  return (method !== "GET" && method !== "HEAD") || (/^\/api\/v1\/raw\/?$/.test(path) && isReload(query));
}

/** Whether all who ask the same are answered the same: what tells of the box, and not of who asks. */
function isShared(path: string): boolean {
  const [, name = ""] = /^\/api\/v1\/([a-z_]+)/.exec(path) ?? [];
  return Object.hasOwn(lists, name) || (Object.hasOwn(endpoints, name) && !["requests", "raw", "clusters"].includes(name));
}

async function route(asked: Asked, path: string): Promise<void> {
  const { exchange, method, facts } = asked;
  const [, below] = /^\/api\/v1\/(.*)$/.exec(path) ?? [];
  if (below === undefined) return replyIndex(asked, path);
  const [name = "", id = "", ...more] = below.split("/");
  if (name === "dolphin") return toDolphin(asked, id, more.join("/"));
  const list = Object.hasOwn(lists, name) ? lists[name] : undefined;
  if (list !== undefined) {
    if (!below.includes("/")) return redirect(asked, `${path}/`);
    const allowed = name === "clients" ? ["GET", "HEAD", "DELETE"] : ["GET", "HEAD"];
    return allowed.includes(method) ? list[1]({ ...asked, id: decoded(id) }) : replyNotAllowed(exchange, allowed);
  }
  if (name === "srs" && id === "register") return method === "POST" ? register(asked) : replyNotAllowed(exchange, ["POST"]);
  const endpoint = Object.hasOwn(endpoints, name) ? endpoints[name] : undefined;
  if (endpoint !== undefined) {
    const allowed = name === "clusters" ? ["GET", "HEAD", "POST"] : ["GET", "HEAD"];
    return allowed.includes(method) ? endpoint[1](asked) : replyNotAllowed(exchange, allowed);
  }
  if (name === "tests") return toTests(asked, id);
  reply(exchange, { code: codes.ok, ...envelope(facts), urls: urls() });
}

async function toDolphin(asked: Asked, verb: string, name: string): Promise<void> {
  const allowed = methodOf(verb);
  if (allowed === null) return replyCode(asked, 404, `there is no ${verb.slice(0, 50)} here`, 404);
  const method = asked.method === "HEAD" ? "GET" : asked.method;
  return method === allowed ? dolphin(asked, verb, decoded(name)) : replyNotAllowed(asked.exchange, [allowed]);
}

function toTests(asked: Asked, name: string): void | Promise<void> {
  if (name === "requests") return requests(asked);
  if (name === "errors") return replyCode(asked, codes.test);
  if (name === "redirects") return redirect(asked, "/api/v1/tests/errors", 301);
  return replyWith(asked, { urls: { requests: "show the request", errors: "always code 100", redirects: "to errors" } });
}

function replyIndex(asked: Asked, path: string): void {
  const isApi = /^\/api\/?$/.test(path);
  replyWith(asked, { urls: isApi ? { v1: "the API, version 1" } : { api: "the API" } });
}

function urls(): Readonly<Record<string, unknown>> {
  const about = Object.entries({ ...endpoints, ...lists }).map(([name, [text]]) => [name, text]);
  return {
    ...Object.fromEntries(about),
    tests: { requests: "show the request", errors: "always code 100", redirects: "to errors" },
    dolphin: "what SRS has no words for",
  };
}

function redirect({ exchange }: Asked, path: string, status = 302): void {
  const query = exchange.query.toString();
  reply(exchange, { code: codes.ok }, status, { Location: query === "" ? path : `${path}?${query}` });
}

function replyNotAllowed(exchange: Exchange, allowed: readonly string[]): void {
  reply(exchange, { code: 405, error: `only ${allowed.join(", ")}` }, 405, { Allow: allowed.join(", ") });
}

/** Tells the log of somebody who was not allowed to act, unless it has told of many in this minute. */
export function tell({ log }: AdminContext, { address }: Exchange, path: string, { status, error }: Refusal): void {
  const untold = refusalLines.next(Date.now());
  if (untold === null) return;
  const more = untold > 0 ? { untold } : {};
  log.warn({ event: "api.refused", code: "API_REFUSED", peer: address, url: path.slice(0, 200), status, ...more }, error);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The function that a script is asked to be given to; null: there is to be none. Throws for a name that is none. */
export function callbackIn(query: URLSearchParams, { servesJsonp }: ApiSettings): string | null {
  const name = query.get("callback");
  if (name === null || !servesJsonp) return null;
  if (!isCallback(name)) throw new Error("callback takes letters, digits, _ . and -, 64 of them at most");
  return name;
}
