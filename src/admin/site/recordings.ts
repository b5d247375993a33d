// Finished recordings as files over HTTP, by ranges, for the console's <video>: those alone that the packagers list, wherever they lie, and
// whatever http_server serves. Who may act may see them, for a recording can be of a stream that not everybody may play.
//
//   data/ticket?path= ─ who may act ─▶ an address     recording?path=&ticket= ─▶ is it listed, is it finished? ─▶ the part that is asked for
import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { lastModified, partOf } from "../../codec/http-range.js";
import type { AdminContext } from "../box/context.js";
import { reply, safeHeaders, type Exchange } from "../http/reply.js";
import { isTicket, ticketFor } from "../http/ticket.js";

/** What is read of a file at a time. */
const chunkBytes = 256 << 10;
/** After so long without taking anything whoever watches is left; a browser that goes on asks again, from where it was. */
export const recordingStallMs = 30_000;

/** What a browser plays by itself, and what mpegts.js plays. */
const types: Readonly<Record<string, string>> = { mp4: "video/mp4", flv: "video/x-flv" };

/** Whether a request shows what `addressOf` gave. */
export function hasTicket(context: AdminContext, { query }: Exchange): boolean {
  return isTicket(query.get("ticket") ?? "", query.get("path") ?? "", context.config().api, Date.now());
}

/** Where the console finds a recording, relative to its page; whoever asks may act, and that he did is told. */
export function addressOf(context: AdminContext, { query, address: peer }: Exchange): { readonly url: string } {
  const path = query.get("path") ?? "";
  const ticket = ticketFor(path, context.config().api, Date.now());
  context.log.info(
    { event: "api.act", act: "recording-play", name: path.slice(0, 500), peer, status: 200 },
    "somebody watches a recording",
  );
  return { url: `recording?${new URLSearchParams({ path, ...(ticket === null ? {} : { ticket }) }).toString()}` };
}

/** Answers with the file that is named. Never rejects. */
export async function answerRecording({ view }: AdminContext, exchange: Exchange): Promise<void> {
  const { request, query } = exchange;
  if (request.method !== "GET" && request.method !== "HEAD") {
    reply(exchange, { code: 405, error: "only GET, HEAD" }, 405, { Allow: "GET, HEAD" });
    return;
  }
  const path = query.get("path") ?? "";
  let handle: FileHandle | null = null;
  try {
    const [recordings, { cwd }] = await Promise.all([view.recordings(), view.facts()]);
    const isListed = recordings.some((one) => one.path === path && one.state === "finished");
    if (isListed) handle = await open(resolve(cwd, path), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (handle !== null && (await handle.stat()).isFile()) await send(exchange, handle, path);
    else reply(exchange, { code: 404, error: "there is no such recording, or it is not finished" }, 404);
  } catch {
    // It was deleted, or the box is being replaced; in the middle of an answer there is nothing left to say.
    if (exchange.response.headersSent) exchange.response.destroy();
    else reply(exchange, { code: 404, error: "the recording cannot be read" }, 404);
  } finally {
    await handle?.close().catch(() => undefined);
  }
}

async function send({ request, response }: Exchange, handle: FileHandle, path: string): Promise<void> {
  const { mtimeMs, size } = await handle.stat();
  const file = { etag: `"${Math.round(mtimeMs).toString(36)}-${size.toString(36)}"`, modifiedMs: mtimeMs, sizeBytes: size };
  const { status, start, end } = partOf(request.headers, file);
  const range = status === 206 ? `bytes ${start}-${end - 1}/${size}` : status === 416 ? `bytes */${size}` : null;
  response.writeHead(status, {
    ...safeHeaders,
    "Content-Type": types[/\.([a-z0-9]+)$/i.exec(path)?.[1]?.toLowerCase() ?? ""] ?? "application/octet-stream",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Accept-Ranges": "bytes",
    ETag: file.etag,
    "Last-Modified": lastModified(file),
    ...(status === 304 ? {} : { "Content-Length": end - start }),
    ...(range === null ? {} : { "Content-Range": range }),
  });
  if (start >= end || request.method === "HEAD") {
    response.end();
    return;
  }
  response.setTimeout(recordingStallMs, () => response.destroy());
  await pipeline(handle.createReadStream({ start, end: end - 1, highWaterMark: chunkBytes, autoClose: false }), response);
}
