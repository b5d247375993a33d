// From a request's target to the stream that it is for, by the mount of its vhost. Pure: no socket, no response.
import { DolphinError } from "../../base/errors.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";
import { remuxTaps, type RemuxTap } from "../../stream/remux.js";

/** The stream that a request is for, and the vhost that serves it. */
export interface Route {
  readonly vhost: Vhost;
  readonly request: StreamRequest;
  /** By the ending of the mount. */
  readonly format: "flv" | RemuxTap;
}

/**
 * Finds the stream of a request target (`/live/a.flv?token=1`) on a host (the Host header).
 * Throws FLV_NOT_FOUND where no stream is mounted, and what `findVhost` and the checks of names throw.
 */
export function findRoute(target: string, host: string, findVhost: (name: string) => Vhost): Route {
  const [path, query] = splitTarget(target);
  const params = query === "" ? "" : `?${query}`;
  const tcHost = tcHostOf(host);
  const vhost = findVhost(vhostName(host, query));
  const { enabled, mounts } = vhost.httpRemux;
  const found = enabled ? mounts.find((mount) => mountPattern(mount).test(path)) : undefined;
  const names = found === undefined ? undefined : mountPattern(found).exec(path)?.groups;
  if (found === undefined || names === undefined) {
    const told = enabled ? mounts.join(", ") : "none";
    throw new DolphinError("FLV_NOT_FOUND", `no stream is mounted there; the vhost ${vhost.name} mounts ${told}`);
  }
  const format = remuxTaps.find((ending) => found.endsWith(`.${ending}`)) ?? "flv";
  return { vhost, format, request: resolveStream(`rtmp://${tcHost}/${names["app"]}`, "", `${names["stream"]}${params}`) };
}

/** The name of the vhost that a request means, by its Host header and its query. */
export function vhostName(host: string, query: string): string {
  return resolveStream(`rtmp://${tcHostOf(host)}/app`, "", query === "" ? "stream" : `stream?${query}`).vhost;
}

/** What is no name of a host names no vhost of ours. */
function tcHostOf(host: string): string {
  return /^[\w.-]+$/.test(host.replace(/:\d+$/, "")) ? host : "";
}

/** `[vhost]/[app]/[stream].flv` as a pattern of paths: the first part is the host, an app may have several parts. */
function mountPattern(mount: string): RegExp {
  const path = mount.slice(mount.indexOf("/"));
  const pattern = path
    .split(/(\[app\]|\[stream\])/)
    .map((part) =>
      part === "[app]" ? "(?<app>.+)" : part === "[stream]" ? "(?<stream>[^/]+)" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"),
    );
  return new RegExp(`^${pattern.join("")}$`);
}

/** The path of a request's target, decoded once, and its query. Throws FLV_NOT_FOUND where it is not properly encoded. */
export function splitTarget(target: string): [path: string, query: string] {
  const local = target.replace(/^https?:\/\/[^/]*/i, ""); // a proxy's absolute form
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  try {
    return [decodeURIComponent(path), mark < 0 ? "" : local.slice(mark + 1)];
  } catch {
    throw new DolphinError("FLV_NOT_FOUND", "the path is not properly percent-encoded");
  }
}
