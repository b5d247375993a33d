// "It is there", as servers of RTMP say it: a refusal that names another server. SRS's origins send it behind Play.Start, Adobe's
// in answer to `connect`. Only the server is taken from it: vhost, app, stream and parameters stay those that were asked for.
import { DolphinError } from "../base/errors.js";
import { asObject, type AmfObject } from "../codec/rtmp/amf0.js";
import type { Endpoint } from "../conf/meaning/config.js";
import { formatEndpoint, parseServer } from "../conf/meaning/endpoint.js";

/** How often an upstream may be sent on by another. */
export const maxRedirects = 3;

/** The servers that one connection upstream has been sent along. */
export class Trail {
  private readonly asked: string[];

  constructor(first: Endpoint) {
    this.asked = [formatEndpoint(first)];
  }

  /** Whether the present server was named by another, and not by our configuration. */
  get isLed(): boolean {
    return this.asked.length > 1;
  }

  /** The way so far, for a sentence; empty where nobody has sent us on. */
  get text(): string {
    return this.isLed ? `, where ${this.asked.slice(0, -1).join(" and ")} sent us` : "";
  }

  /** The server that a refusal names, which is asked next; null: it names none. Throws RELAY_REDIRECT where it is not to be asked. */
  next(information: AmfObject | null): Endpoint | null {
    const url = redirectOf(information);
    if (url === null) return null;
    const [, server = ""] = /^rtmp:\/\/([^/?]+)/i.exec(url) ?? [];
    let endpoint: Endpoint;
    try {
      endpoint = parseServer(server);
    } catch (cause) {
      throw new DolphinError("RELAY_REDIRECT", `${this.asked.at(-1)!} sends us to ${url.slice(0, 200)}, which is no RTMP server`, {
        cause,
      });
    }
    const to = formatEndpoint(endpoint);
    const way = [...this.asked, to].join(", ");
    if (this.asked.includes(to)) throw new DolphinError("RELAY_REDIRECT", `servers send us in a circle: ${way}`);
    if (this.asked.length > maxRedirects)
      throw new DolphinError("RELAY_REDIRECT", `we are sent on more than ${maxRedirects} times: ${way}`);
    this.asked.push(to);
    return endpoint;
  }
}

/** SRS names the stream in `redirect2` and its app in `redirect`; Adobe's servers have the second only. */
function redirectOf(information: AmfObject | null): string | null {
  const ex = asObject(information?.["ex"]);
  if (ex === null || (typeof ex["code"] === "number" && ex["code"] !== 302)) return null;
  return ([ex["redirect2"], ex["redirect"]].find((url) => typeof url === "string" && url !== "") as string | undefined) ?? null;
}
