// Which client a request is from where proxies stand between: X-Forwarded-For, to which each proxy adds whom it serves at the
// end, or X-Real-IP. Headers can be made up, so they are followed from the end, and only as far as trusted peers wrote them. Pure.
import type { IncomingHttpHeaders } from "node:http";
import { addressBytes, addressText } from "../../codec/ip-address.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import type { TrustedNetworks } from "../../conf/meaning/networks.js";

/** The client of a request of `peer`; port 0 where a header tells none. A peer that is not trusted is the client. */
export function forwardedClient(headers: IncomingHttpHeaders, peer: Endpoint, trusted: TrustedNetworks): Endpoint {
  const entries = String(headers["x-forwarded-for"] ?? headers["x-real-ip"] ?? "").split(",");
  let client = peer;
  for (const entry of entries.toReversed()) {
    const named = trusted.has(client.host) ? parseEntry(entry.trim()) : null;
    if (named === null) break;
    client = named;
  }
  return client;
}

/** `192.0.2.1`, `192.0.2.1:50000`, `2001:db8::1`, `[2001:db8::1]:50000`; null for `unknown` and all else. */
function parseEntry(text: string): Endpoint | null {
  const alone = addressBytes(text);
  if (alone !== null) return { host: addressText(alone), port: 0 };
  const [, bracketed, plain, port = "0"] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const bytes = addressBytes(bracketed ?? plain ?? "");
  return bytes === null || Number(port) > 65_535 ? null : { host: addressText(bytes), port: Number(port) };
}

/** Of what a request says of itself, which is kept only to be shown. */
export const maxShownChars = 512;

/** The page that a browser plays in. Over WebSocket it tells the site alone. */
export function pageOf({ referer, origin }: IncomingHttpHeaders): string {
  return (referer ?? origin ?? "").slice(0, maxShownChars);
}
