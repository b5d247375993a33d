// How the admin answers: JSON in SRS's way, to pages of other sites where they may read, as a script where that is switched on.
import type { IncomingMessage, ServerResponse } from "node:http";
import { signature } from "../../base/version.js";

/** Answers of a moment ago, by question. */
interface Texts {
  get(question: string): Buffer | null;
  put(question: string, text: Buffer): void;
}

/** Longer questions are answered each by itself. */
const maxKeptQuestion = 512;

/** An answer that is on its way to somebody. */
export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Who asks: the other end of the connection, or whom the process tells that has passed the request on. */
  readonly address: string;
  /** It came to a port that is there for viewers, where the API is no guest but for the console. */
  readonly isAmongViewers: boolean;
  readonly query: URLSearchParams;
  /** What came with it. */
  readonly body?: Buffer;
  /** Pages of other sites may read the answer. */
  readonly isOpen: boolean;
  /** The function that the answer is given to as a script; null: it is JSON. */
  readonly callback: string | null;
  /** Told the text of an answer of status 200, for those who ask the same in the next moment; absent: nobody is. */
  readonly keep?: (text: Buffer) => void;
}

/** Of every answer: nobody guesses its type, frames it, or is told where one came from; and it is the connection's only one. */
export const safeHeaders = {
  Server: signature,
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-cache",
  // As SRS's: a connection that waits for another question is lost with the process that it waits at.
  Connection: "close",
} as const;

/** A name that a script may be given to; SRS's characters, and not more of them than a name needs. */
export function isCallback(name: string): boolean {
  return /^[\w.-]{1,64}$/.test(name);
}

/** Answers with a value as JSON. SRS says 200 whatever the answer is. */
export function reply(exchange: Exchange, body: unknown, status = 200, more: Readonly<Record<string, string>> = {}): void {
  const { callback, keep } = exchange;
  const json = `${JSON.stringify(body)}\n`;
  // What is JSON and no script: U+2028 and U+2029.
  const text =
    callback === null ? json : `/**/${callback}(${json.trim().replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029")})\n`;
  const bytes = Buffer.from(text);
  if (status === 200 && callback === null) keep?.(bytes);
  replyText(exchange, bytes, status, more);
}

/** Answers with what is JSON already, or the script around it. */
function replyText(
  { request, response, isOpen, callback }: Exchange,
  text: Buffer,
  status = 200,
  more: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, {
    ...safeHeaders,
    ...(isOpen ? { "Access-Control-Allow-Origin": "*" } : {}),
    "Content-Type": callback === null ? "application/json; charset=utf-8" : "text/javascript; charset=utf-8",
    "Content-Length": text.length,
    ...more,
  });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Answers by what was answered to the same question a moment ago, else by `answer`, whose text is kept for the next who asks. */
export function shared(texts: Texts, exchange: Exchange, answer: (exchange: Exchange) => Promise<void> | void): Promise<void> | void {
  const { request, callback } = exchange;
  const question = request.url ?? "/";
  if (callback !== null || question.length > maxKeptQuestion || !["GET", "HEAD"].includes(request.method ?? "")) return answer(exchange);
  const kept = texts.get(question);
  if (kept !== null) return replyText(exchange, kept);
  return answer({ ...exchange, keep: (text) => texts.put(question, text) });
}

/** Answers what a browser asks before a page of another site may read. To act it may not. */
export function replyToPreflight(response: ServerResponse, isOpen: boolean): void {
  const cors = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
  };
  response
    .writeHead(200, { ...safeHeaders, Allow: "GET, HEAD, POST, DELETE, OPTIONS", ...(isOpen ? cors : {}), "Content-Length": 0 })
    .end();
}
