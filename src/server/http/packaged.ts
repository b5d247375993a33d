// What packagers have written, among the files: a vhost's rules hold for its lists and keys as for its streams, and players and caches in
// between are told how long each is good for. Pure.
import type { Vhost } from "../../conf/meaning/config.js";
import type { Headers } from "./answers.js";

/** Whether only who may play a vhost's streams gets such a file: with a list it finds the rest. */
export function isGuarded(path: string, vhost: Vhost | null): boolean {
  return vhost !== null && vhost.hls !== null && /\.(m3u8|key)$/i.test(path);
}

/** How long it is good for: a list until the next segment, a segment for good, for numbers are used once. */
export function cachingOf(path: string, vhost: Vhost | null): Headers {
  if (vhost === null || vhost.hls === null) return {};
  if (/\.m3u8$/i.test(path)) return { "Cache-Control": "max-age=1" };
  return /\.(ts|m4s)$/i.test(path) ? { "Cache-Control": "public, max-age=3600" } : {};
}
