// What packagers have written, among the files: a vhost's rules hold for its lists and keys as for its streams, and players and caches in
// between are told how long each is good for. Pure.
import { basename, relative, resolve } from "node:path";
import type { Vhost } from "../../conf/meaning/config.js";
import type { Headers } from "./answers.js";

/**
 * Whose streams' rules hold for a file: for lists and keys, for with a list one finds the rest. It is the file that tells, and not the name
 * by which somebody asks: the vhost that was asked for counts where it may have written the file, else every one that may have must let in.
 */
export function guardsOf(path: string, asked: Vhost | null, vhosts: readonly Vhost[]): readonly Vhost[] {
  if (!/\.(m3u8|key)$/i.test(path)) return [];
  const packaged = vhosts.filter(({ enabled, hls }) => enabled && hls !== null);
  const names = path.replaceAll(/\/+/g, "/");
  const writers = packaged.filter((vhost) => templatesOf(vhost).some((template) => patternOf(template, vhost.name).test(names)));
  // Behind a folder of another vhost's name any name could be an app's.
  const named = writers.filter((vhost) =>
    templatesOf(vhost).some((template) => template.includes("[vhost]") && patternOf(template, vhost.name).test(names)),
  );
  const guards = [named, writers].find((found) => found.length > 0) ?? packaged;
  return asked !== null && guards.includes(asked) ? [asked] : guards;
}

function templatesOf({ hls }: Vhost): readonly string[] {
  if (hls === null) return [];
  return hls.keys.areOn ? [hls.listFile, hls.keys.file] : [hls.listFile];
}

/** The end of a path that was made of a template of names; what is no placeholder of the vhost can be anything. */
function patternOf(template: string, vhost: string): RegExp {
  const parts = template.replace(/^\/+/, "").split(/(\[[^\]]*\])/);
  const pattern = parts.map((part) => (part === "[vhost]" ? literal(vhost) : /^\[.*\]$/.test(part) ? ".+" : literal(part)));
  return new RegExp(`/${pattern.join("")}$`, "i");
}

/** Whether a crowd may ask for it at once: what a player of HLS asks for, but for recordings, which are long. */
export function isHot(path: string): boolean {
  return /\.(?:m3u8|ts|m4s|key)$|(?:^|\/)init[^/]*\.mp4$/i.test(path);
}

/** The stream of a list that the vhost writes at this place on the disk; null: it writes none there. */
export function streamOf(file: string, { name, hls }: Vhost): { readonly app: string; readonly stream: string } | null {
  if (hls === null) return null;
  const parts = hls.listFile.replace(/^\/+/, "").split(/(\[[^\]]*\])/);
  const known: Readonly<Record<string, string>> = { "[app]": "(?<app>.+)", "[stream]": "(?<stream>[^/]+)", "[vhost]": literal(name) };
  const named = new Set<string>();
  const pattern = parts.map((part) => {
    const isAgain = named.has(part);
    named.add(part);
    return isAgain ? ".+" : (known[part] ?? literal(part));
  });
  const found = new RegExp(`^${pattern.join("")}$`).exec(relative(resolve(hls.path), file));
  return found === null ? null : { app: found.groups?.["app"] ?? "", stream: found.groups?.["stream"] ?? basename(file, ".m3u8") };
}

function literal(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** How long it is good for: a list until the next segment, a segment for good, for numbers are used once. */
export function cachingOf(path: string, vhost: Vhost | null): Headers {
  if (vhost === null || vhost.hls === null) return {};
  if (/\.m3u8$/i.test(path)) return { "Cache-Control": "max-age=1" };
  return /\.(ts|m4s)$/i.test(path) ? { "Cache-Control": "public, max-age=3600, immutable" } : {};
}
