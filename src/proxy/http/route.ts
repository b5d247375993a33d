// Which stream an HTTP request is for, so that it goes where the stream is: HTTP-FLV and its like, HLS playlists and their
// segments. Pure. What is no stream's (the API, a player's page) any server answers.
import { DolphinError } from "../../base/errors.js";
import { resolveStream } from "../../codec/rtmp/url.js";
import { streamKey } from "../balance/chooser.js";

export interface HttpRoute {
  /** The streams that the path may mean, the likelier first: `s-12.ts` is a segment of `s`, or the stream `s-12`. */
  readonly keys: readonly string[];
  /** Whether the answer is the stream itself, for as long as it lasts. */
  readonly isLive: boolean;
}

/** Reads a request target (`/live/s.flv?vhost=v`) on a host (the Host header). Null where it is no stream's. */
export function routeOf(target: string, host: string, vhosts: ReadonlySet<string>): HttpRoute | null {
  const local = target.replace(/^https?:\/\/[^/]*/i, ""); // a proxy's absolute form
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  const query = mark < 0 ? "" : local.slice(mark);
  const found = /^(\/.+\/[^/]+)\.(flv|m3u8|ts|aac|mp3|m4s)$/.exec(path) ?? /^(\/.+\/[^/]+)\/init[^/]*\.(mp4)$/.exec(path);
  if (found === null) return null;
  const [, name = "", kind = ""] = found;
  const names = [name];
  const segment = /^(?:ts|aac|m4s)$/.test(kind) ? /^(.+)-\d+(?:\.part\d+)?$/.exec(name) : null;
  if (segment !== null) names.unshift(segment[1]!);
  const hostName = host.replace(/:\d+$/, "");
  const keys = names.flatMap((one) => keyOf(/^[\w.-]+$/.test(hostName) ? hostName : "", one, query, vhosts));
  return keys.length === 0 ? null : { keys, isLive: !/^(?:m3u8|m4s|mp4)$/.test(kind) && segment === null };
}

function keyOf(host: string, name: string, query: string, vhosts: ReadonlySet<string>): string[] {
  try {
    const path = decodeURIComponent(name);
    const at = path.lastIndexOf("/");
    return [streamKey(resolveStream(`rtmp://${host}${path.slice(0, at)}`, "", `${path.slice(at + 1)}${query}`), vhosts)];
  } catch (thrown) {
    if (thrown instanceof DolphinError || thrown instanceof URIError) return []; // no name of a stream, which every server can say
    throw thrown;
  }
}
