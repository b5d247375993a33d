// Values that no type of the table reads: weights, networks, and rules about them. rules.ts reports those that cannot be read,
// build.ts takes those that can.
import { BlockList, isIP } from "node:net";
import type { AccessRule } from "./config.js";

/** A weight above 0 and up to 1000, or null. */
export function parseWeight(text: string): number | null {
  const weight = /^\d+(\.\d+)?$/.test(text) ? Number(text) : 0;
  return weight > 0 && weight <= 1000 ? weight : null;
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
