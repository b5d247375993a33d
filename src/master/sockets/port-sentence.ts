// Why an address cannot be listened on, and what to do: one sentence for a start, a reload and `dolphin check`.
import { readFileSync } from "node:fs";
import { errnoOf, messageOf } from "../../base/errors.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { portOwner, type PortOwner } from "./port-owner.js";

/** `cause` is the system's error. `owner` tells who listens there. */
export function portSentence(endpoint: Endpoint, cause: unknown, owner: (endpoint: Endpoint) => PortOwner | null = portOwner): string {
  const address = formatEndpoint(endpoint);
  switch (errnoOf(cause)) {
    case "EADDRINUSE":
      return `${address} is in use by ${ownerSentence(owner(endpoint))}`;
    case "EACCES":
    case "EPERM":
      if (endpoint.port >= lowestFreePort())
        return `${address} may not be listened on by this user (${messageOf(cause)}): take another address`;
      return (
        `${address} needs a privilege, for ports below ${lowestFreePort()} are the system's: take a higher one, or give ` +
        "CAP_NET_BIND_SERVICE (AmbientCapabilities= in a unit, setcap on node)"
      );
    case "EADDRNOTAVAIL":
      return `${address} is no address of this machine, or none yet: correct listen, or start when it is there`;
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `${address} cannot be listened on, for nobody knows an address of ${endpoint.host}: correct listen, or the resolver`;
    case undefined:
    default:
      return `${address} cannot be listened on: ${messageOf(cause)}; correct listen`;
  }
}

/** Who has a port, and what to do about it. */
function ownerSentence(owner: PortOwner | null): string {
  if (owner?.pid === process.pid) return "this dolphin itself: another of its addresses covers it";
  return `${owner === null ? "another program" : `process ${owner.pid} (${owner.name})`}: stop it, or take another port`;
}

function lowestFreePort(): number {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8"));
  } catch {
    return 1024; // the rule of every Unix
  }
}
