// From the URL that people give to where a stream is published.
import { DolphinError } from "../base/errors.js";
import { resolveStream, type StreamRequest } from "../codec/rtmp/url.js";
import type { Endpoint } from "../conf/meaning/config.js";
import { parseServer } from "../conf/meaning/endpoint.js";

export interface Target {
  readonly endpoint: Endpoint;
  readonly request: StreamRequest;
}

/** Reads `rtmp://HOST[:PORT]/APP/STREAM[?PARAMETERS]`. Throws RTMP_NAME or CONF_VALUE with a sentence that shows the form. */
export function parseTarget(url: string): Target {
  const [, authority = "", path = ""] = /^rtmp:\/\/([^/?]+)\/(.+)$/i.exec(url) ?? [];
  if (
    path
      .replace(/[?].*$/, "")
      .split("/")
      .filter((name) => name !== "").length < 2
  )
    throw new DolphinError(
      "RTMP_NAME",
      `${url} is no URL to publish to: write rtmp://HOST/APP/STREAM, as in rtmp://127.0.0.1/live/livestream`,
    );
  return { endpoint: parseServer(authority), request: resolveStream(url, "", "") };
}
