// Who asks a node, and what is answered: viewers get lists and segments, the peer tells and copies, and what runs on this machine calls
// hooks, probes whether the node lives, and reads metrics.
import type { IncomingMessage, ServerResponse } from "node:http";
import { signature } from "../base/version.js";
import { maxHookBytes, readHook } from "./hook.js";
import { bodyOf, say, showsToken, type Serve } from "./http.js";
import { metricsText, statusOf } from "./metrics.js";
import type { BackupNode } from "./node.js";
import { isSegmentId, readTarget } from "./names.js";
import { maxReportBytes, readReport } from "./report.js";

const openHeaders = { Server: signature, "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff" } as const;

/** For viewers: GET and HEAD of lists and segments. */
export function viewerDesk(backup: BackupNode): Serve {
  return async (request, response) => {
    if (request.method === "OPTIONS") {
      response.writeHead(204, { ...openHeaders, "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Max-Age": "600" }).end();
      return;
    }
    if (request.method !== "GET" && request.method !== "HEAD") return say(response, 405, "only GET and HEAD\n");
    const asked = readTarget(request.url ?? "");
    if (asked === null) return notFound(response);
    if (asked.kind === "list") {
      const list = backup.streams.get(asked.path)?.list ?? null;
      if (list === null) return notFound(response);
      const about = { "Content-Type": "application/vnd.apple.mpegurl", "Last-Modified": new Date(list.changedMs).toUTCString() };
      return give(request, response, Buffer.from(list.text), { ...about, "Cache-Control": "max-age=1" });
    }
    const bytes = await backup.bytesOf(asked.path, asked.id);
    if (bytes === null) return notFound(response);
    const tag = `"${asked.id}"`;
    const about = { "Content-Type": "video/mp2t", ETag: tag, "Cache-Control": "public, max-age=3600, immutable" };
    if (request.headers["if-none-match"] === tag) {
      response.writeHead(304, { ...openHeaders, ...about }).end();
      return;
    }
    give(request, response, bytes, about);
  };
}

function give({ method }: IncomingMessage, response: ServerResponse, bytes: Buffer, about: Readonly<Record<string, string>>): void {
  response.writeHead(200, { ...openHeaders, ...about, "Content-Length": bytes.length });
  response.end(method === "HEAD" ? undefined : bytes);
}

function notFound(response: ServerResponse): void {
  response.writeHead(404, {
    ...openHeaders,
    "Content-Type": "text/plain; charset=utf-8",
    "Cache-Control": "max-age=1",
    "Content-Length": 10,
  });
  response.end(response.req.method === "HEAD" ? undefined : "Not Found\n");
}

/** For the peer, who shows the token: what it tells, and segments. */
export function peerDesk(backup: BackupNode): Serve {
  return async (request, response) => {
    if (!showsToken(request, backup.settings.token)) return say(response, 401, "the token of the two nodes is asked for\n");
    const { method, url = "" } = request;
    if (method === "POST" && url === "/sync") {
      const report = readReport(await bodyOf(request, maxReportBytes));
      if (report === null) return say(response, 400, "this is no report of a node\n");
      const answer = backup.hear(report);
      if (typeof answer === "string") return say(response, 409, `${answer}\n`);
      return say(response, 200, answer.receipt, "application/json");
    }
    const id = /^\/segments\/([^/?]+)$/.exec(url)?.[1] ?? "";
    const bytes = method === "GET" && isSegmentId(id) ? await backup.store.read(id) : null;
    if (bytes === null) return say(response, 404, "Not Found\n");
    response.writeHead(200, { "Content-Type": "video/mp2t", "Content-Length": bytes.length }).end(bytes);
  };
}

/** For this machine: hooks of its server, `/live`, `/ready`, `/status`, `/metrics`. */
export function callerDesk(backup: BackupNode): Serve {
  return async (request, response) => {
    const path = (request.url ?? "").replace(/[?#].*/, "");
    if (request.method === "POST") {
      const hook = readHook(await bodyOf(request, maxHookBytes));
      if (typeof hook === "string") return say(response, 400, `${hook}\n`);
      if (hook !== null) backup.tell(hook);
      return say(response, 200, "0");
    }
    if (path === "/live") return say(response, 200, "live\n");
    const status = statusOf(backup);
    if (path === "/ready") return say(response, status.link === "joining" ? 503 : 200, `${status.link}\n`);
    if (path === "/status") return say(response, 200, `${JSON.stringify(status)}\n`, "application/json");
    if (path === "/metrics") return say(response, 200, metricsText(backup), "text/plain; version=0.0.4; charset=utf-8");
    say(response, 404, "there are /live, /ready, /status, /metrics, and POST for hooks\n");
  };
}
