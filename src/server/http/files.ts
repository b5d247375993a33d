// Files over HTTP: `http_server { dir }` and the `http_static` of a vhost. A path is decoded once and must lead to a file below its
// folder, links followed; there are no listings, and no files whose names begin with a dot. A file is read as its client takes it, by
// the system's threads: so much is in memory of each as one read brings, and nobody's stream waits for a disk.
//
//   path ─▶ folderOf ─ folder, path in it ─▶ openFile ─▶ http-range.ts ─▶ the answer, piece by piece
import { constants, type BigIntStats } from "node:fs";
import { open, realpath, stat, type FileHandle } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { errnoOf } from "../../base/errors.js";
import { isHidden } from "../../codec/hidden-path.js";
import { lastModified, partOf, type FileState, type Part } from "../../codec/http-range.js";
import type { Vhost } from "../../conf/meaning/config.js";
import { descriptorOf } from "../../wire/shared-read.js";
import { leastCopiedBytes, type SystemCopy } from "../hls/system-copy.js";
import type { Headers } from "./answers.js";
import { contentTypeOf } from "./content-type.js";

/** What is read of a file at a time: of each client about so much waits in memory. */
export const fileChunkBytes = 64 << 10;
/** After so long without taking anything a client of a file is left. */
export const fileStallMs = 30_000;

/** A folder, and a path in it that was asked for, which may be anything. */
export interface FilePlace {
  readonly folder: string;
  readonly path: string;
}

/** Where a path leads: into the folder of the vhost that serves the host, or into that of the server. */
export function placeOf(path: string, vhost: Vhost | null, serverDir: string): FilePlace {
  const { httpStatic } = vhost ?? { httpStatic: null };
  if (vhost !== null && httpStatic !== null) {
    const { mount, dir } = httpStatic;
    const below = `${mount.includes("/") ? mount.slice(mount.indexOf("/")) : ""}/`.replace(/\/+$/, "/");
    if (`${path}/`.startsWith(below)) return { folder: dir.replaceAll("[vhost]", vhost.name), path: path.slice(below.length) };
  }
  return { folder: serverDir, path: path.slice(1) };
}

/** Answers with the file that is there. False: there is none, and nothing was answered. */
export async function answerFile(request: IncomingMessage, response: ServerResponse, common: Headers, place: FilePlace): Promise<boolean> {
  const found = await find(place);
  if (found === null) return false;
  if (found.isFolder) {
    response.writeHead(301, { ...common, Location: `./${encodeURIComponent(found.name)}/`, "Content-Length": 0 }).end();
    return true;
  }
  const { handle, path, file } = found;
  try {
    await answer(request, response, { handle, file, headers: { ...common, "Content-Type": contentTypeOf(path) } });
  } catch {
    response.destroy(); // the client has left, or the disk has failed in the middle: either way it gets no more
  } finally {
    await handle.close().catch(() => undefined); // what it could still say is of no use to anybody
  }
  return true;
}

type Found =
  | { readonly isFolder: true; readonly name: string }
  | { readonly isFolder: false; readonly handle: FileHandle; readonly path: string; readonly file: FileState };

/** The file at a place, open; null: there is none that can be served. Whoever gets it closes it. */
export async function openFile(place: FilePlace): Promise<Opened | null> {
  const found = await find(place);
  return found === null || found.isFolder ? null : found;
}

/** The ETag of what a place leads to now, were it opened; null: nothing. What is not to be served may have one. */
export async function etagAt({ folder, path }: FilePlace): Promise<string | null> {
  try {
    return etagOf(await stat(join(folder, path), { bigint: true }));
  } catch {
    return null;
  }
}

function etagOf({ mtimeNs, size }: Pick<BigIntStats, "mtimeNs" | "size">): string {
  return `"${mtimeNs.toString(36)}-${size.toString(36)}"`;
}

/** A file that is in memory, or what was made of one; `body` is what is sent for all of it, and of which there is perhaps a copy. */
interface InMemory {
  readonly file: FileState & { readonly copy?: SystemCopy | null };
  readonly path: string;
  readonly body: Buffer;
}

/**
 * Answers with it: in one write, of the same memory for everybody; by the system, as far as that has a copy and the socket room. Tells
 * whether the answer has all of it.
 */
export function answerHot(request: IncomingMessage, response: ServerResponse, common: Headers, { file, path, body }: InMemory): boolean {
  const part = partOf(request.headers, file);
  const { start, end } = part;
  response.writeHead(part.status, headersOf(part, file, { ...common, "Content-Type": contentTypeOf(path) }));
  if (!hasBody(part, request)) {
    response.end();
    return false;
  }
  const from = start + sentBySystem(response, file.copy ?? null, start, end);
  endWith(response, from === 0 && end === body.length ? body : body.subarray(from, end));
  return part.status === 200;
}

/** Ends a response with bytes that may be many. */
export function endWith(response: ServerResponse, bytes: Buffer): void {
  response.end(bytes);
  if (response.writableLength > 0) response.setTimeout(fileStallMs); // node ends the connection then
}

/** What node has made of the head, and whether it has sent it. */
interface Headed {
  _header: string | null;
  _headerSent: boolean;
}

/** The head of a response as it is written; null: there is none yet. */
export function headOf(response: ServerResponse): string | null {
  return (response as unknown as Headed)._header;
}

/** Says that the head of a response, which told the length of its body, has been written past Node. */
export function headIsSent(response: ServerResponse): void {
  const headed = response as unknown as Headed;
  headed._header ??= "sent";
  headed._headerSent = true;
}

/** Gives the socket the head and what it has room for now behind it; returns how much of the file that is. */
function sentBySystem(response: ServerResponse, copy: SystemCopy | null, start: number, end: number): number {
  const { socket } = response;
  if (copy === null || socket === null || end - start < leastCopiedBytes) return 0;
  const fd = descriptorOf(socket);
  const text = headOf(response);
  if (fd === null || socket.writableLength > 0 || text === null) return 0;
  const head = Buffer.from(text, "latin1");
  const taken = copy.send(fd, head, start, end - start);
  if (taken === 0) return 0;
  headIsSent(response);
  if (taken < head.length) socket.write(head.subarray(taken));
  return Math.max(0, taken - head.length);
}

/** Null: nothing is to be served there. */
async function find({ folder, path }: FilePlace): Promise<Found | null> {
  if (!isServable(path)) return null;
  try {
    const root = await realpath(folder);
    const isInside = path === "" || path.endsWith("/");
    const real = await realpath(join(root, isInside ? `${path}index.html` : path));
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) return null;
    if (!isInside && (await stat(real)).isDirectory()) {
      const hasIndex = (await stat(join(real, "index.html"))).isFile();
      return hasIndex ? { isFolder: true, name: path.split("/").at(-1)! } : null;
    }
    // What is no file, such as a pipe, must not hold a thread until somebody writes to it.
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const found = await handle.stat({ bigint: true });
    const file = { etag: etagOf(found), modifiedMs: Number(found.mtimeMs), sizeBytes: Number(found.size) };
    if (found.isFile()) return { isFolder: false, handle, path: real, file };
    await handle.close();
    return null;
  } catch (thrown) {
    if (errnoOf(thrown) !== undefined) return null; // not there, not ours to read, a name too long for the system
    throw thrown;
  }
}

/** No part of it climbs, is hidden, or means something to the system that it does not mean in a URL. */
function isServable(path: string): boolean {
  return !path.includes("\0") && !path.includes("\\") && !isHidden(path);
}

interface Opened {
  readonly handle: FileHandle;
  readonly file: FileState;
}

function hasBody({ status, start, end }: Part, { method }: IncomingMessage): boolean {
  return (status === 200 || status === 206) && start < end && method !== "HEAD";
}

function headersOf({ status, start, end }: Part, file: FileState, headers: Headers): Record<string, string | number> {
  return {
    ...(status === 304 ? withoutType(headers) : headers),
    ETag: file.etag,
    "Last-Modified": modifiedOf(file),
    "Accept-Ranges": "bytes",
    "X-Content-Type-Options": "nosniff",
    ...(status === 304 ? {} : { "Content-Length": end - start }),
    ...(status === 206 ? { "Content-Range": `bytes ${start}-${end - 1}/${file.sizeBytes}` } : {}),
    ...(status === 416 ? { "Content-Range": `bytes */${file.sizeBytes}` } : {}),
  };
}

const modified = new WeakMap<FileState, string>();

/** Made once for what is in memory. */
function modifiedOf(file: FileState): string {
  const known = modified.get(file) ?? lastModified(file);
  modified.set(file, known);
  return known;
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { handle, file, headers }: Opened & { readonly headers: Headers },
): Promise<void> {
  const part = partOf(request.headers, file);
  const { start, end } = part;
  response.writeHead(part.status, headersOf(part, file, headers));
  if (!hasBody(part, request)) {
    response.end();
    return;
  }
  response.setTimeout(fileStallMs); // node ends the connection then
  const bytes = handle.createReadStream({ start, end: end - 1, highWaterMark: fileChunkBytes, autoClose: false });
  await pipeline(bytes, response, { end: false });
  if (bytes.bytesRead < end - start) response.destroy(); // it has become shorter meanwhile, and more was announced
  else response.end();
}

function withoutType({ "Content-Type": _type, ...rest }: Headers): Headers {
  return rest;
}
