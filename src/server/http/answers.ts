// Answers that are no stream: what a page of another site may do (CORS), what there is (the page at `/`), and that there is nothing.
// Pure, but for what is written to a response.
import type { IncomingMessage, ServerResponse } from "node:http";
import { signature } from "../../base/version.js";

export type Headers = Readonly<Record<string, string>>;

const methods = "GET, HEAD, OPTIONS";

/** The headers of every answer. `isOpen`: pages of other sites may read it. */
export function commonHeaders({ headers }: IncomingMessage, isOpen: boolean): Headers {
  const common = { Server: signature };
  if (!isOpen || headers.origin === undefined) return common;
  return { ...common, "Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "*" };
}

/**
 * Answers OPTIONS. Before a request with headers of its own a browser asks whether it may: what it asks for is allowed by name, for
 * `*` does not cover Authorization (Fetch standard, section 4.9), and so is a request into a private network where it asks for that.
 */
export function answerOptions({ headers }: IncomingMessage, response: ServerResponse, common: Headers): void {
  const isPreflight = "Access-Control-Allow-Origin" in common && headers["access-control-request-method"] !== undefined;
  const asked = headers["access-control-request-headers"];
  const wantsPrivate = headers["access-control-request-private-network"] === "true";
  response.writeHead(200, {
    ...common,
    Allow: methods,
    "Content-Length": 0,
    ...(isPreflight
      ? {
          "Access-Control-Allow-Methods": methods,
          ...(asked !== undefined && isListOfNames(asked) ? { "Access-Control-Allow-Headers": asked } : {}),
          ...(wantsPrivate ? { "Access-Control-Allow-Private-Network": "true" } : {}),
          Vary: "Access-Control-Request-Headers, Access-Control-Request-Private-Network",
        }
      : {}),
  });
  response.end();
}

/** Answers a method that is not served. */
export function answerNotAllowed(response: ServerResponse, common: Headers): void {
  response.writeHead(405, { ...common, Allow: methods, "Content-Length": 0, Connection: "close" }).end();
}

/** Answers `/`: whoever opens it in a browser learns what this is, how to watch, and where the console is. `apiPort` null: there is none. */
export function answerIndex(request: IncomingMessage, response: ServerResponse, common: Headers, apiPort: number | null): void {
  // As the client names this machine, if that is a name: no other text of a request stands in the page.
  const named = /^(\[[\da-f:.]+\]|[\w.-]+)(:\d+)?$/i.exec(request.headers.host ?? "");
  const [, host = "HOST", port = named === null ? ":PORT" : ""] = named ?? [];
  const address = `http://${host}:${apiPort}/console/`;
  const link = named === null ? `<code>${address}</code>` : `<a href="${address}">${address}</a>`;
  const indexPage = indexText
    .replace("{console}", apiPort === null ? "" : `\n<dt>Look at it\n<dd>the console: ${link}`)
    .replaceAll("{host}", host)
    .replaceAll("{port}", port);
  response.writeHead(200, {
    ...common,
    "Content-Type": "text/html; charset=utf-8",
    "Content-Length": Buffer.byteLength(indexPage),
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
  });
  response.end(indexPage);
}

/** Answers 404 in SRS's words. */
export function answerNotFound(response: ServerResponse, common: Headers): void {
  response.writeHead(404, notFoundHeaders(common)).end(notFound);
}

/** Answers with a status and a sentence. */
export function answerStatus(response: ServerResponse, common: Headers, status: number, text: string): void {
  const told = {
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": String(Buffer.byteLength(text)),
    "Cache-Control": "no-cache",
  };
  response.writeHead(status, { ...common, ...told }).end(text);
}

/** Answers 403. */
export function answerForbidden(response: ServerResponse, common: Headers): void {
  response.writeHead(403, { ...notFoundHeaders(common), "Content-Length": String(forbidden.length) }).end(forbidden);
}

/** The same as answerNotFound, as it is written to a connection that another process has accepted. */
export function notFoundText(common: Headers): string {
  return `${headText("404 Not Found", notFoundHeaders(common))}${notFound}`;
}

/** The head of an answer as it is written. */
export function headText(status: string, headers: Headers): string {
  const lines = Object.entries({ ...headers, Date: new Date().toUTCString() }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join("")}\r\n`;
}

const notFound = "Not Found";
const forbidden = "Forbidden";

function notFoundHeaders(common: Headers): Headers {
  return { ...common, "Content-Type": "text/plain; charset=utf-8", "Content-Length": String(notFound.length), Connection: "close" };
}

const streamTypes = { flv: "video/x-flv", ts: "video/mp2t", aac: "audio/aac", mp3: "audio/mpeg" } as const;

/** The head of an answer that is a stream. */
export function streamHeaders(common: Headers, isChunked: boolean, format: keyof typeof streamTypes = "flv"): Headers {
  return {
    ...common,
    "Content-Type": streamTypes[format],
    "Cache-Control": "no-cache",
    Connection: "close",
    ...(isChunked ? { "Transfer-Encoding": "chunked" } : {}),
  };
}

/** Names of headers with commas between: nothing else is sent back. */
function isListOfNames(text: string): boolean {
  return /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/.test(text);
}

const indexText = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>dolphin</title>
<style>
  body { max-width: 42em; margin: 2em auto; padding: 0 1em; font: 16px/1.6 system-ui, sans-serif; overflow-wrap: anywhere }
  code { background: #8883; border-radius: 4px; padding: .1em .35em; font-size: .92em }
  dt { margin-top: 1em; font-weight: bold }
  dd { margin: .2em 0 0 }
</style>
<h1>dolphin</h1>
<p>This is a live-streaming server, and it runs. Streams are published and watched under a name of your choice, here
<code>live/livestream</code>:</p>
<dl>
<dt>Publish over RTMP
<dd><code>ffmpeg -re -i FILE -c copy -f flv rtmp://{host}/live/livestream</code>
<dd>or in OBS: server <code>rtmp://{host}/live</code>, stream key <code>livestream</code>
<dd>or, on the server itself and without a file, <code>dolphin publish --demo</code>
<dt>Watch over RTMP
<dd><code>ffplay rtmp://{host}/live/livestream</code>, or the same address in VLC
<dt>Watch over HTTP-FLV
<dd><code>http://{host}{port}/live/livestream.flv</code> in ffplay or VLC, or in a page with a player such as mpegts.js{console}
</dl>
<p>RTMP has the port 1935 unless the configuration says otherwise. On the server itself <code>dolphin status</code> shows what is
published.</p>
</html>
`;
