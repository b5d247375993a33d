// Values that no type of the table reads: weights, networks, and rules about them. rules.ts reports those that cannot be read,
// build.ts takes those that can.
import { BlockList, isIP } from "node:net";
import { DolphinError } from "../../base/errors.js";
import type { AccessRule, Endpoint } from "./config.js";
import { parseServer } from "./endpoint.js";

const apiPort = 1985;
const dnsPort = 53;

/** A weight above 0 and up to 1000, or null. */
export function parseWeight(text: string): number | null {
  const weight = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return weight > 0 && weight <= 1000 ? weight : null;
}

/** A DNS server, `ip[:port]`; null for anything else. */
export function parseResolver(text: string): Endpoint | null {
  const server = parsePort(text, dnsPort);
  return server === null || isIP(server.host) === 0 ? null : server;
}

/** The API of another origin, `host[:port]`; null for anything else. */
export function parseCoworker(text: string): Endpoint | null {
  return parsePort(text, apiPort);
}

function parsePort(text: string, port: number): Endpoint | null {
  try {
    return parseServer(/:\d+$/.test(text) && isIP(text) === 0 ? text : `${isIP(text) === 6 ? `[${text}]` : text}:${port}`);
  } catch (thrown) {
    if (thrown instanceof DolphinError) return null;
    throw thrown;
  }
}

/** `play all`, `publish 10.0.0.0/8`: one rule of `security`; null for anything else. */
export function parseAccessRule(args: readonly string[]): AccessRule | null {
  const [does, who = "", ...more] = args;
  const network = who === "all" ? who : parseNetwork(who);
  return (does !== "play" && does !== "publish") || network === null || more.length > 0 ? null : { does, network };
}

/** A network in CIDR notation; an address alone is the network of that address; null for anything else. */
export function parseNetwork(text: string): string | null {
  const [, address = "", bits] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0) return null;
  const prefix = Number(bits ?? (family === 4 ? 32 : 128));
  try {
    new BlockList().addSubnet(address, prefix, family === 4 ? "ipv4" : "ipv6");
  } catch {
    return null; // more bits than the address has
  }
  return `${address}/${prefix}`;
}
