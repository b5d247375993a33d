// Addresses as people write them ↔ {@link Endpoint}. Used for directives, for flags of the command line, and for messages.
import { isIP, isIPv4, isIPv6 } from "node:net";
import { DolphinError } from "../../base/errors.js";
import type { Config, Endpoint } from "./config.js";
import { shorten } from "../grammar/lexer.js";

/** The address that the processes of a box meet on. */
export const loopback = "127.0.0.1";
/** The port of RTMP where none is given. */
const rtmpPort = 1935;

/**
 * Reads an address to listen on: `1935`, `:1935`, `10.0.0.1:1935`, `[::1]:1935`. A port alone means every IPv4 address.
 * Throws CONF_VALUE with a sentence that shows the right forms.
 */
export function parseListen(text: string): Endpoint {
  const { host, port } = isNumber(text) ? { host: "", port: text } : splitPort(text, false);
  if (port === null || !isNumber(port) || !isHost(host === "" ? "0.0.0.0" : host)) {
    throw new DolphinError("CONF_VALUE", `${shorten(text)} is not an address to listen on: write 1935, 10.0.0.1:1935 or [::1]:1935`);
  }
  return { host: host === "" ? "0.0.0.0" : host, port: parsePort(port, text) };
}

/** Reads a server to connect to: `host`, `host:1935`, `[::1]:1935`, the port being 1935 by default. Throws CONF_VALUE. */
export function parseServer(text: string): Endpoint {
  const { host, port } = splitPort(text, true);
  // A service (SRV) tells its own ports: srv+_rtmp._tcp.example.com.
  if (!isHost(host.replace(/^srv\+(?=[a-z_])/i, "")) || (port !== null && !isNumber(port))) {
    throw new DolphinError("CONF_VALUE", `${shorten(text)} is not a server: write host, host:1935 or [::1]:1935`);
  }
  return { host, port: port === null ? rtmpPort : parsePort(port, text) };
}

/** Writes an address so that {@link parseListen} and {@link parseServer} read it back. */
export function formatEndpoint(endpoint: Endpoint): string {
  return isIPv6(endpoint.host) ? `[${endpoint.host}]:${endpoint.port}` : `${endpoint.host}:${endpoint.port}`;
}

/** Whether both are one address, however IPv6 is written. */
export function isSameEndpoint(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && canonicalHost(one.host) === canonicalHost(other.host);
}

/** Whether who listens on the one listens on the other, too: both are the same, or one is all addresses of the other's family. */
export function overlaps(one: Endpoint, other: Endpoint): boolean {
  const covers = (all: Endpoint, single: Endpoint): boolean => all.host === (isIPv6(single.host) ? "::" : "0.0.0.0");
  const isOneFamily = isIP(one.host) === isIP(other.host);
  return isSameEndpoint(one, other) || (one.port === other.port && isOneFamily && (covers(one, other) || covers(other, one)));
}

function canonicalHost(host: string): string {
  const [address = "", zone = ""] = host.split("%");
  return isIPv6(host) ? `${new URL(`http://[${address}]`).hostname}%${zone}` : host.toLowerCase();
}

/**
 * The addresses of one protocol as they can be listened on together: `::` takes IPv4 as well, as it does in SRS, unless the port has
 * an address of IPv4 beside it, as it has in nginx.
 */
export function besideEachOther(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const hasIPv4 = (port: number): boolean => endpoints.some((one) => one.port === port && isIPv4(one.host));
  return endpoints.map((one) => (one.host === "::" && hasIPv4(one.port) ? { ...one, isV6Only: true } : one));
}

/** The first addresses of RTMP and of HTTP that are one, or of which one covers the other, as a sentence; null: there are none. */
export function sharedAddress({ listen, http }: Pick<Config, "listen" | "http">): string | null {
  for (const rtmp of listen) {
    const other = http?.listen.find((one) => overlaps(one, rtmp) || (one.port === rtmp.port && [one, rtmp].some(takesBoth)));
    if (other === undefined) continue;
    const [one, two] = [formatEndpoint(rtmp), formatEndpoint(other)];
    return (
      `listen (--listen) has ${one} and http_server.listen (--http) ${one === two ? "too" : `${two}, which is the same`}: ` +
      "RTMP and HTTP need a port each"
    );
  }
  return null;
}

function takesBoth({ host, isV6Only }: Endpoint): boolean {
  return host === "::" && isV6Only !== true;
}

/** `::1` alone is a host for a server; for a listener, which must have a port, SRS also reads `:::1935` as `::` and a port. */
function splitPort(text: string, mayLackPort: boolean): { host: string; port: string | null } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text);
  if (bracketed !== null) {
    const host = bracketed[1] ?? "";
    return { host: isIPv6(host) ? host : " ", port: bracketed[2] ?? null };
  }
  const colon = text.lastIndexOf(":");
  if (colon < 0 || (mayLackPort && isIPv6(text))) return { host: text, port: null };
  return { host: text.slice(0, colon), port: text.slice(colon + 1) };
}

/** A name never ends in a number: what does is meant as an IPv4 address, and is one or wrong (256.1.1.1, 10.0.0). */
function isHost(host: string): boolean {
  if (isIP(host) !== 0) return true;
  return /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(host) && !/(^|\.)[0-9]+\.?$/.test(host) && host.length <= 253;
}

function isNumber(text: string): boolean {
  return /^[0-9]+$/.test(text);
}

/** `port` is digits only. */
function parsePort(port: string, text: string): number {
  const number = Number(port);
  if (number < 1 || number > 65_535) {
    throw new DolphinError("CONF_VALUE", `the port of ${shorten(text)} is not a number from 1 to 65535`);
  }
  return number;
}
