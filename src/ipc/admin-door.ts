// The admin's own door, for the processes that serve HTTP streaming: a Unix socket beside the control socket, that only this user can
// open. Where the API or the console is to be on the port of HTTP streaming too, a request for it is passed on there as it is, with who
// asks. The admin may be replaced meanwhile: an heir puts its socket in the place of the one before, and who finds nobody knocks again.
//
//   client ─▶ :8080, an edge ─ isForAdmin ─▶ passToAdmin ─ the socket ─▶ admin/admin.ts, which answers as on its own ports
import { readdirSync, rmSync } from "node:fs";
import { request as ask, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from "node:http";
import { basename, dirname, join } from "node:path";
import { errnoOf } from "../base/errors.js";
import type { Config } from "../conf/meaning/config.js";

/** Who asks, in a request that was passed on; what a client says by this name is not passed on. */
export const askerHeader = "x-dolphin-asker";
/** Requests that one process passes on at once. */
export const maxPassedRequests = 50;
/** How long nobody may be behind the door. */
const gapMs = 3000;
const knockAgainMs = 50;

/** Of the connection between two, and not of the request (RFC 9110, section 7.6.1). */
const hopHeaders = new Set(["connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"]);

let passed = 0;

export function adminDoorOf(controlSocket: string): string {
  return `${controlSocket}.admin`;
}

/** Removes what admins have left that were killed with their master. Nobody may be behind a door there. */
export function removeDoors(controlSocket: string): void {
  const [folder, name] = [dirname(controlSocket), basename(adminDoorOf(controlSocket))];
  const doors = readdirSync(folder).filter((one) => one === name || (/^\.\d+$/.test(one.slice(name.length)) && one.startsWith(name)));
  for (const one of doors) rmSync(join(folder, one), { force: true });
}

/** Whether the admin answers a request to the port of HTTP streaming; not whether the player page is asked for, before which files go. */
export function isForAdmin(url: string, at: Config["api"]["atHttp"]): boolean {
  const [path = ""] = url.split("?");
  if (at === null) return false;
  return /^\/(?:api(?:\/(?:v1(?:\/.*)?)?)?|console(?:\/.*)?)$/.test(path) || (at === "api" && path === "/metrics");
}

/** The same of the player page. */
export function isPlayerPage(url: string, at: Config["api"]["atHttp"]): boolean {
  return at !== null && /^\/players(?:\/(?:index\.html|srs_player\.html)?)?(?:\?|$)/.test(url);
}

/** Passes a request on, and the answer back. Never throws: where nobody answers, or too many ask, that is the answer. */
export function passToAdmin(door: string, asker: string, request: IncomingMessage, response: ServerResponse): void {
  if (passed >= maxPassedRequests) {
    answerBusy(response);
    return;
  }
  passed += 1;
  let timer: NodeJS.Timeout | undefined;
  let leave = (): void => undefined;
  response.once("close", () => {
    passed -= 1;
    clearTimeout(timer);
    leave();
  });
  const headers = { ...without(request.headers), [askerHeader]: asker, connection: "close" };
  const knock = (waitedMs: number): void => {
    const asked = ask({ socketPath: door, method: request.method, path: request.url, headers, agent: false });
    leave = () => void asked.destroy();
    asked.once("socket", (socket) => socket.once("connect", () => request.pipe(asked)));
    asked.once("response", (answer) => {
      answer.once("error", () => response.destroy());
      response.writeHead(answer.statusCode ?? 502, without(answer.headers));
      response.flushHeaders();
      answer.pipe(response);
    });
    asked.once("error", (error) => {
      // A question that went to a process which died may be asked again; whether an act was done nobody knows.
      const isQuestion = request.method === "GET" || request.method === "HEAD";
      const isNobody = ["ENOENT", "ECONNREFUSED", ...(isQuestion ? ["ECONNRESET", "EPIPE"] : [])].includes(errnoOf(error) ?? "");
      if (response.destroyed) return;
      if (isNobody && !response.headersSent && waitedMs < gapMs) timer = setTimeout(() => knock(waitedMs + knockAgainMs), knockAgainMs);
      else if (response.headersSent) response.destroy();
      else answerBusy(response);
    });
  };
  knock(0);
}

function without(headers: IncomingMessage["headers"]): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !hopHeaders.has(name) && name !== askerHeader));
}

function answerBusy(response: ServerResponse): void {
  response.writeHead(503, { "Content-Length": 0, "Retry-After": "1", Connection: "close" }).end();
}
