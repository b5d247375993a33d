// From a request's target to the stream that it is for, by the mount of its vhost. Pure: no socket, no response.
import { DolphinError } from "../../base/errors.js";
import { resolveStream, type StreamRequest } from "../../codec/rtmp/url.js";
import type { Vhost } from "../../conf/meaning/config.js";

/** The stream that a request is for, and the vhost that serves it. */
export interface Route {
  readonly vhost: Vhost;
  readonly request: StreamRequest;
}

/**
 * Finds the stream of a request target (`/live/a.flv?token=1`) on a host (the Host header).
 * Throws FLV_NOT_FOUND where no stream is mounted, and what `findVhost` and the checks of names throw.
 */
export function findRoute(target: string, host: string, findVhost: (name: string) => Vhost): Route {
  const [path, query] = splitTarget(target);
  const params = query === "" ? "" : `?${query}`;
  const tcHost = /^[\w.-]+$/.test(host.replace(/:\d+$/, "")) ? host : ""; // anything else names no vhost of ours
  const vhost = findVhost(resolveStream(`rtmp://${tcHost}/app`, "", `stream${params}`).vhost);
  const { enabled, mount } = vhost.httpRemux;
  const names = enabled ? mountPattern(mount).exec(path)?.groups : undefined;
  if (names === undefined) {
    throw new DolphinError("FLV_NOT_FOUND", `no stream is mounted there; the vhost ${vhost.name} mounts ${enabled ? mount : "none"}`);
  }
  return { vhost, request: resolveStream(`rtmp://${tcHost}/${names["app"]}`, "", `${names["stream"]}${params}`) };
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

function splitTarget(target: string): [path: string, query: string] {
  const local = target.replace(/^https?:\/\/[^/]*/i, ""); // a proxy's absolute form
  const mark = local.indexOf("?");
  const path = mark < 0 ? local : local.slice(0, mark);
  try {
    return [decodeURIComponent(path), mark < 0 ? "" : local.slice(mark + 1)];
  } catch {
    throw new DolphinError("FLV_NOT_FOUND", "the path is not properly percent-encoded");
  }
}
