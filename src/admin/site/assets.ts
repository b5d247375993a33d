// The built pages (web/, by esbuild) as they are sent: read once and kept, each also in the compressed forms that lie beside it. Names
// with a hash never change what they stand for, so browsers keep them; a page itself is asked for again each time.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { join } from "node:path";
import { safeHeaders, type Exchange } from "../http/reply.js";

const folder = join(import.meta.dirname, "pages");

const types: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
};

/** What may be sent in place of the file, the best first. */
const encodings = [
  ["br", ".br"],
  ["gzip", ".gz"],
] as const;

interface Asset {
  readonly type: string;
  readonly etag: string;
  readonly isImmutable: boolean;
  /** By the coding; the file itself is `identity`. */
  readonly bodies: ReadonlyMap<string, Buffer>;
}

let assets: ReadonlyMap<string, Asset> | null = null;

/** Answers with a built file: `console/index.html`. False: there is none. */
export function answerAsset({ request, response }: Exchange, path: string, policy: string): boolean {
  assets ??= load();
  const asset = assets.get(path);
  if (asset === undefined) return false;
  const { type, etag, isImmutable, bodies } = asset;
  const coding = encodings.find(([name]) => bodies.has(name) && accepts(request.headers["accept-encoding"], name))?.[0] ?? "identity";
  const body = bodies.get(coding)!;
  const tag = `"${etag}-${coding}"`;
  const headers: OutgoingHttpHeaders = {
    ...safeHeaders,
    "Content-Security-Policy": policy,
    "Cache-Control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
    ETag: tag,
    Vary: "Accept-Encoding",
  };
  if (request.headers["if-none-match"]?.includes(tag) === true) {
    response.writeHead(304, headers).end();
    return true;
  }
  const more = coding === "identity" ? {} : { "Content-Encoding": coding };
  response.writeHead(200, { ...headers, ...more, "Content-Type": type, "Content-Length": body.length });
  response.end(request.method === "HEAD" ? undefined : body);
  return true;
}

function load(): ReadonlyMap<string, Asset> {
  const found = new Map<string, Asset>();
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  } catch {
    return found; // the program was compiled without its pages
  }
  for (const name of names) {
    const type = types[/\.([a-z]+)$/.exec(name)?.[1] ?? ""];
    if (type === undefined) continue;
    const plain = readFileSync(join(folder, name));
    const packed = encodings.flatMap(([coding, ending]): [string, Buffer][] =>
      names.includes(name + ending) ? [[coding, readFileSync(join(folder, name + ending))]] : [],
    );
    const etag = createHash("sha256").update(plain).digest("base64url").slice(0, 16);
    const isImmutable = /-[A-Z0-9]{8}\.(?:js|css)$/.test(name);
    found.set(name, { type, etag, isImmutable, bodies: new Map([["identity", plain], ...packed]) });
  }
  return found;
}

/** Whether a client takes a coding (RFC 9110, section 12.5.3); `*` and weights but 0 are not looked at. */
function accepts(header: string | string[] | undefined, coding: string): boolean {
  return String(header ?? "")
    .split(",")
    .some((word) => word.trim().split(";")[0] === coding && !/;\s*q=0(\.0*)?\s*$/.test(word));
}
