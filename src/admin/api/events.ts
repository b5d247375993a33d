// The events of the box as a stream (Server-Sent Events), or the last of them as a list. Each reader has an answer of the master's own, which
// keeps the last thousand: whoever comes back with Last-Event-ID misses nothing of those, and one who does not read is let go.
import { createInterface } from "node:readline";
import type { TakenEvent } from "../../ipc/events.js";
import { reply, safeHeaders } from "../http/reply.js";
import { codes, envelope, replyCode, type Asked } from "./asked.js";

/** Readers of the stream at once. */
export const maxEventReaders = 20;
/** What may wait for one of them, in bytes. */
export const maxUnreadEventBytes = 1 << 20;
/** Balancers close what says nothing. */
const commentEveryMs = 15_000;
/** Events that are told unless somebody asks for another number. */
const defaultCount = 100;

let readers = 0;

/** Answers `/api/v1/dolphin/events`; a stream where that is asked for. */
export async function streamEvents(asked: Asked): Promise<void> {
  const { exchange, control, facts } = asked;
  const { request, response, query } = exchange;
  const wantsStream = request.method !== "HEAD" && /\btext\/event-stream\b/.test(request.headers.accept ?? "");
  const after = numberOf(request.headers["last-event-id"] ?? query.get("after"));
  const count = /^\d{1,15}$/.test(query.get("count") ?? "") ? numberOf(query.get("count")) : defaultCount;
  if (!wantsStream) {
    const source = await control.open(`/events?count=${count}&after=${after}`, "GET", 5000);
    const events: TakenEvent[] = [];
    for await (const line of createInterface({ input: source })) events.push(JSON.parse(line) as TakenEvent);
    reply(exchange, { code: codes.ok, ...envelope(facts), events });
    return;
  }
  if (readers >= maxEventReaders) {
    replyCode(asked, codes.unavailable, `there are ${maxEventReaders} readers of events already`, 503);
    return;
  }
  if (response.destroyed) return; // whoever asked left while it was found out whether he may
  readers += 1;
  response.once("close", () => (readers -= 1));
  const source = await control.open(`/events?follow=1&count=${count}&after=${after}`, "GET", 0);
  source.on("error", () => response.end());
  if (response.destroyed) {
    source.destroy();
    return;
  }
  response.writeHead(200, {
    ...safeHeaders,
    ...(exchange.isOpen ? { "Access-Control-Allow-Origin": "*" } : {}),
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
  });
  response.write("retry: 1000\n\n");
  const comment = setInterval(() => response.write(":\n\n"), commentEveryMs);
  createInterface({ input: source }).on("line", (line) => {
    const { id } = JSON.parse(line) as TakenEvent;
    if (response.writableLength > maxUnreadEventBytes) response.destroy();
    else response.write(`id: ${id}\ndata: ${line}\n\n`);
  });
  source.once("close", () => response.end()); // the master was replaced, or is ending: the reader comes back
  response.once("close", () => {
    clearInterval(comment);
    source.destroy();
  });
}

function numberOf(text: string | string[] | null): number {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
