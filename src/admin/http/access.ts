// Who may do what at the API. Reading is as open as the configuration says; acting takes a token, or to be on this machine, and whoever is
// in a browser must be on a page of this very server: a page elsewhere can have a browser of this machine ask anything.
//
//   auth on, and not shown ─▶ 401      acting: a foreign page, a foreign name ─▶ 403      neither token nor this machine ─▶ 403
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { BlockList, isIP } from "node:net";
import { canonicalHost } from "../../base/host-name.js";
import type { ApiAuth, ApiSettings } from "../../conf/meaning/config.js";

/** What of a request decides. */
export interface Asker {
  readonly headers: IncomingHttpHeaders;
  /** Of the socket's other end, or of whom it is asked for. */
  readonly address: string;
  /** It came to a port for viewers. */
  readonly isAmongViewers?: boolean;
}

/** Why not: a status of HTTP, a sentence, and how to ask for a password. */
export interface Refusal {
  readonly status: 401 | 403 | 429;
  readonly error: string;
  readonly challenge: string | null;
}

/** Wrong words that one address may show within a minute, and addresses that are remembered for it. */
export const maxFailuresPerMinute = 20;
const maxRemembered = 1000;

/** The gate of one admin. */
export class Gate {
  private failures = new Map<string, number>();
  private sinceMs = 0;

  /** Whether somebody may ask, and where he `acts` may change something; null: he may. */
  check(
    { headers, address, isAmongViewers = false }: Asker,
    { auth, token }: Pick<ApiSettings, "auth" | "token">,
    acts: boolean,
  ): Refusal | null {
    const shown = headers.authorization ?? "";
    if (auth !== null && !this.isShown(address, shown, auth)) return this.refuse(address, shown, auth);
    // A site's viewers reach this port, too: what the box tells of them is not for everybody.
    if (isAmongViewers && auth === null && (!isLocal(address) || wasPassedOn(headers)))
      return forbidden("on this port only this machine is answered: ask the API's own, or write http_api { auth { … } }");
    if (!acts) return null;
    const foreign = foreignPage(headers);
    if (foreign !== null) return forbidden(`this is asked from a page of ${foreign}, which may not act here`);
    if (auth !== null) return null;
    if (token !== null) {
      if (this.isTold(address, shown, `Bearer ${token}`)) return null;
      return shown === ""
        ? forbidden("to act takes the token of api_token, in a header Authorization: Bearer TOKEN")
        : this.refuse(address, shown, { type: "bearer" });
    }
    if (!isLocal(address) || wasPassedOn(headers))
      return forbidden("only this machine may act: write api_token in the block dolphin to allow others");
    // A name of somebody else's that leads here is how a page of his gets into this machine (DNS rebinding).
    return isLocalName(headers.host) ? null : forbidden("only this machine may act, under its own name: 127.0.0.1 or localhost");
  }

  private isShown(address: string, shown: string, auth: ApiAuth): boolean {
    if (auth.type === "bearer") return auth.token !== "" && this.isTold(address, shown, `Bearer ${auth.token}`);
    if (auth.username === "" || auth.password === "") return false;
    return this.isTold(address, shown, `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`);
  }

  private isTold(address: string, shown: string, wanted: string): boolean {
    return this.failuresOf(address) < maxFailuresPerMinute && isSame(normal(shown), wanted);
  }

  /** Who shows nothing guesses nothing: a browser asks so before its user is asked, and a monitor that was never told. */
  private refuse(address: string, shown: string, { type }: Pick<ApiAuth, "type">): Refusal {
    const count = this.failuresOf(address);
    if (count >= maxFailuresPerMinute)
      return { status: 429, error: "too many wrong words from this address: wait a minute", challenge: null };
    if (shown !== "" && (this.failures.size < maxRemembered || this.failures.has(address))) this.failures.set(address, count + 1);
    const challenge = type === "basic" ? 'Basic realm="dolphin", charset="UTF-8"' : "Bearer";
    return { status: 401, error: type === "basic" ? "username and password are asked for" : "a token is asked for", challenge };
  }

  private failuresOf(address: string): number {
    const nowMs = Date.now();
    if (nowMs - this.sinceMs > 60_000) {
      this.sinceMs = nowMs;
      this.failures = new Map();
    }
    return this.failures.get(address) ?? 0;
  }
}

/** The words of a scheme are the same in capitals. */
function normal(shown: string): string {
  return shown.replace(/^(basic|bearer) +/i, (scheme) =>
    scheme[0]?.toLowerCase() === "b" && /^basic/i.test(scheme) ? "Basic " : "Bearer ",
  );
}

/** In a time that does not tell how much of it was right. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}

function forbidden(error: string): Refusal {
  return { status: 403, error, challenge: null };
}

/** The site of the page that a browser asks from, where that is another one than this; null: it is this one, or no browser. */
function foreignPage({ host = "", origin, referer, "sec-fetch-site": site }: IncomingHttpHeaders): string | null {
  for (const page of [origin, referer]) {
    if (page === undefined) continue;
    const named = hostOf(page);
    if (named === null || named !== host.toLowerCase()) return page.slice(0, 200);
  }
  return typeof site === "string" && !["same-origin", "none"].includes(site) ? "another site" : null;
}

/** With its port; null for `null` and what is no URL. */
function hostOf(url: string): string | null {
  try {
    return new URL(url).host.toLowerCase();
  } catch {
    return null;
  }
}

/** Whoever passes requests on stands on this machine and speaks for others. */
function wasPassedOn(headers: IncomingHttpHeaders): boolean {
  return ["forwarded", "via", "x-forwarded-for", "x-real-ip", "x-forwarded-host"].some((name) => headers[name] !== undefined);
}

const loopbacks = new BlockList();
loopbacks.addSubnet("127.0.0.0", 8);
loopbacks.addAddress("::1", "ipv6");

/** Whether an address is this machine's loopback. */
function isLocal(address: string): boolean {
  const family = isIP(address);
  return family !== 0 && loopbacks.check(address, family === 4 ? "ipv4" : "ipv6");
}

function isLocalName(host: string | undefined): boolean {
  const name = canonicalHost(host ?? "");
  return name === "localhost" || isLocal(name);
}
