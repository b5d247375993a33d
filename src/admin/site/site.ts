// The pages for people: the console and the player. They hold no secret; what they show they ask of the API and of data.ts, as everybody
// may who may ask the API, and they act by the API alone. All their addresses are relative, so they work behind any prefix.
//
//   /console/recording ─▶ recordings.ts: a file that was recorded
//   /console/        ─▶ assets.ts: what web/ was built to          /console/data/ ─▶ data.ts ◀─ sampler.ts: a look each five seconds
//   /players/        ─▶ the same: srs_player.html, with SRS's query parameters
import type { IncomingMessage } from "node:http";
import type { AdminContext } from "../box/context.js";
import { reply, safeHeaders, type Exchange } from "../http/reply.js";
import { answerAsset } from "./assets.js";
import { SiteData } from "./data.js";
import { addressOf, answerRecording, hasTicket } from "./recordings.js";
import { Sampler } from "./sampler.js";

const dataPath = "/console/data/";
const ticketPath = `${dataPath}ticket`;
const recordingPath = "/console/recording";

/** Pages by the path that asks for them. */
const pages: Readonly<Record<string, string>> = {
  "/console/": "console/index.html",
  "/console/index.html": "console/index.html",
  "/players/srs_player.html": "players/srs_player.html",
};

/** Where somebody is sent who is near to a page; relative to where he asked. */
const moved: Readonly<Record<string, string>> = {
  "/console": "console/",
  "/players": "players/srs_player.html",
  "/players/": "srs_player.html",
  "/players/index.html": "srs_player.html",
};

/** The pages of one admin. `close` ends its looks at the box. */
export class Site {
  private readonly context: AdminContext;
  private readonly sampler: Sampler;
  private readonly data: SiteData;

  constructor(context: AdminContext, historyFile: string | null) {
    this.context = context;
    this.sampler = new Sampler(context, historyFile);
    this.data = new SiteData(context, this.sampler);
  }

  /** Whether a path is what the console asks for its pages, which is for those alone who may ask the API. */
  isData(path: string): boolean {
    return path.startsWith(dataPath);
  }

  /** Whether a path is for those alone who may act, or show what one of them was given. */
  isGuarded(path: string): boolean {
    return path === ticketPath || path === recordingPath;
  }

  hasTicket(exchange: Exchange, path: string): boolean {
    return path === recordingPath && hasTicket(this.context, exchange);
  }

  /** Answers such a path. */
  async answerGuarded(exchange: Exchange, path: string): Promise<void> {
    if (path === recordingPath) await answerRecording(this.context, exchange);
    else reply(exchange, { code: 0, data: addressOf(this.context, exchange) });
  }

  /** Answers a path of data. */
  async answerData(exchange: Exchange, path: string): Promise<void> {
    try {
      const data = await this.data.answer(path.slice(dataPath.length), exchange.query);
      if (data === undefined) reply(exchange, { code: 404, error: "there is no such page of data" }, 404);
      else reply(exchange, { code: 0, data });
    } catch {
      reply(exchange, { code: 503, error: "the box does not answer: ask again" }, 503);
    }
  }

  /** Answers a path that is a page's. False: it is none. */
  answer(exchange: Exchange, path: string): boolean {
    const { request, response } = exchange;
    const to = Object.hasOwn(moved, path) ? moved[path] : undefined;
    const isBelow = path.startsWith("/console/") || path.startsWith("/players/");
    if (to === undefined && !isBelow) return false;
    if (request.method !== "GET" && request.method !== "HEAD") {
      reply(exchange, { code: 405, error: "only GET, HEAD" }, 405, { Allow: "GET, HEAD" });
      return true;
    }
    if (to !== undefined) {
      const [, query] = (request.url ?? "").split("?");
      response.writeHead(302, { ...safeHeaders, Location: query === undefined ? to : `${to}?${query}`, "Content-Length": 0 }).end();
      return true;
    }
    const asset = Object.hasOwn(pages, path) ? pages[path]! : path.slice(1);
    if (!answerAsset(exchange, asset, policyFor(request, path))) reply(exchange, { code: 404, error: "there is no such page" }, 404);
    return true;
  }

  close(): void {
    this.sampler.close();
  }
}

/**
 * Scripts and styles are this server's alone, and none stands in a page. A stream comes over another port of the host that the console is
 * on, and from wherever its query says in the player, as in SRS's.
 */
function policyFor({ headers }: IncomingMessage, path: string): string {
  const [host = ""] = /^(?:\[[\da-f:.]+\]|[\w.-]+)(?=:\d+$|$)/i.exec(headers.host ?? "") ?? [];
  const near = host === "" ? "" : ["http", "https", "ws", "wss"].map((scheme) => ` ${scheme}://${host}:*`).join("");
  const isPlayer = path.startsWith("/players/");
  const connect = isPlayer ? "connect-src 'self' http: https: ws: wss:" : `connect-src 'self'${near}`;
  return `default-src 'self'; ${connect}; media-src 'self' blob:${isPlayer ? " http: https:" : ""}; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
}
