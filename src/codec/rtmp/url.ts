// From what a client says (tcUrl, app, stream name) to which stream it means. Clients of twenty years spell this in many
// ways; all of them end here, once, so that every later decision sees one canonical form.
import { DolphinError } from "../../base/errors.js";
import { canonicalHost, defaultVhost } from "../../base/host-name.js";

/** What a client asks for. `vhost` is the host that it named, in its one form: which configured vhost serves it is decided later. */
export interface StreamRequest {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** The parameters with their question mark (`?token=1`), without the vhost; empty when there are none. */
  readonly params: string;
  /** The places of other streams that it has come through on its way here (the server's via.ts); absent: none. */
  readonly via?: readonly string[];
  /** How often the boxes of a site have passed it on; absent: never. */
  readonly hops?: number;
}

/** Longest vhost, app or stream name in bytes. */
export const maxNameBytes = 255;

const maxParamsBytes = 4096;

/**
 * Endings that name a format, and no stream: an edge whose viewer came over HTTP asks its origin by RTMP for `s.flv`. All of them are
 * taken off, so that a name which was resolved stays as it is.
 */
const formats: ReadonlySet<string> = new Set(["flv", "m3u8", "ts", "aac", "mp3"]);

/**
 * Resolves what a client asks for. `app` is used where the tcUrl has none.
 * Throws RTMP_NAME for an empty stream, a name past {@link maxNameBytes}, control characters or `..` as a part of a path.
 *
 *   rtmp://HOST.:1935/live + s         the vhost is host: see {@link canonicalHost}
 *   rtmp://host/live + s?vhost=v&k=1   the vhost as a parameter, also `domain=v`, also on the tcUrl
 *   rtmp://host/live...vhost...v + s   the same for clients that cannot send a question mark
 *   rtmp://host/live + sub/s           the app is live/sub
 *   rtmp://host/live/s + (nothing)     the stream is the last part
 *   rtmp://host/live/_definst_ + s     the default instance of an app is the app
 *   rtmp://host + s                    the app is __defaultApp__
 *   rtmp://host/live + s.flv           the stream is s, as over HTTP
 */
export function resolveStream(tcUrl: string, app: string, streamName: string): StreamRequest {
  if (last === null || last.tcUrl !== tcUrl || last.app !== app || last.streamName !== streamName) {
    last = { tcUrl, app, streamName, request: resolve(tcUrl, app, streamName) };
  }
  return last.request;
}

/** What was resolved last: who comes in a crowd asks for the same. */
let last: { readonly tcUrl: string; readonly app: string; readonly streamName: string; readonly request: StreamRequest } | null = null;

function resolve(tcUrl: string, app: string, streamName: string): StreamRequest {
  const { host, path } = splitTcUrl(tcUrl);
  const [urlPath, urlParams] = splitParams(path === "" ? app : path);
  const [namePath, nameParams] = splitParams(streamName);
  const parts = `${urlPath}/${namePath}`.split("/").map((part) => part.replace(/^ +| +$/g, ""));
  const names = parts.filter((part) => part !== "" && part !== "_definst_");
  const stream = withoutFormat(names.pop() ?? "");
  const params = [...nameParams, ...urlParams];
  const named = params.findLast(([name]) => name === "vhost" || name === "domain")?.[1];
  const kept = params.filter(([name]) => name !== "vhost" && name !== "domain");
  const request = {
    vhost: named === undefined || named === null ? canonicalHost(host) || defaultVhost : canonicalHost(named),
    app: names.length === 0 ? "__defaultApp__" : names.join("/"),
    stream,
    params: kept.length === 0 ? "" : `?${kept.map(([name, value]) => (value === null ? name : `${name}=${value}`)).join("&")}`,
  };
  checkName("stream", request.stream);
  checkName("app", request.app);
  checkName("vhost", request.vhost);
  if (Buffer.byteLength(request.params) > maxParamsBytes) throw new DolphinError("RTMP_NAME", "the parameters are too long");
  return request;
}

function withoutFormat(name: string): string {
  let end = name.length;
  for (;;) {
    const dot = name.lastIndexOf(".", end - 1);
    if (dot <= 0 || !formats.has(name.slice(dot + 1, end))) return name.slice(0, end);
    end = dot;
  }
}

/** Splits `rtmp://host:port/path?x` without a URL parser: its values are not percent-encoded, and may be anything. */
function splitTcUrl(tcUrl: string): { host: string; path: string } {
  const match = /^[a-z]+:\/\/(\[[^\]]*\]|[^/:?]*)[^/?]*\/?(.*)$/is.exec(tcUrl);
  if (match === null) return { host: "", path: "" };
  return { host: match[1]!.replace(/^\[|\]$/g, ""), path: match[2]! };
}

type Param = readonly [name: string, value: string | null];

function splitParams(text: string): [path: string, params: Param[]] {
  const plain = text.replace(/\.\.\.(vhost|domain)\.\.\./, "?$1=");
  const mark = plain.indexOf("?");
  if (mark < 0) return [plain, []];
  const params = plain
    .slice(mark + 1)
    .split(/[&?]/)
    .filter((param) => param !== "")
    .map((param): Param => {
      const equals = param.indexOf("=");
      return equals < 0 ? [param, null] : [param.slice(0, equals), param.slice(equals + 1)];
    });
  return [plain.slice(0, mark), params];
}

function checkName(what: string, name: string): void {
  if (name === "") throw new DolphinError("RTMP_NAME", `the ${what} name is empty`);
  if (Buffer.byteLength(name) > maxNameBytes) throw new DolphinError("RTMP_NAME", `the ${what} name is longer than ${maxNameBytes} bytes`);
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) throw new DolphinError("RTMP_NAME", `the ${what} name has a control character`);
  if (name.split("/").includes("..")) throw new DolphinError("RTMP_NAME", `the ${what} name climbs with ".."`);
}
