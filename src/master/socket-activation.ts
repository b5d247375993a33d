// Which public address a socket of the service manager stands for. Pure: what the sockets are has been asked before.
//
//   FileDescriptorName=rtmp, =http      that protocol, whatever its port
//   any other name                      the protocol in whose `listen` its port stands
//
// Several sockets of one address (ReusePort=yes) make one public address with a socket for each worker.
import { isIP } from "node:net";
import { DolphinError } from "../base/errors.js";
import type { Config, Endpoint } from "../conf/config.js";
import { formatEndpoint } from "../conf/endpoint.js";
import type { Listener } from "../ipc/messages.js";
import type { InheritedSocket } from "./systemd-environment.js";

export interface GivenSocket extends InheritedSocket {
  /** Null for what is no listening TCP socket. */
  readonly endpoint: Endpoint | null;
}

/** A public address: with the descriptors that were given for it, or without any, to be listened on. */
export interface PublicAddress {
  readonly protocol: Listener["protocol"];
  readonly endpoint: Endpoint;
  readonly fds: readonly number[];
}

const protocols = ["rtmp", "http"] as const;

/**
 * The public addresses of each protocol: what was given first, then what the configuration says and nothing given covers.
 * Throws CONF_VALUE for a socket that stands for nothing.
 */
export function publicAddresses({ listen, http }: Pick<Config, "listen" | "http">, sockets: readonly GivenSocket[]): PublicAddress[] {
  const wanted = { rtmp: listen, http: http?.listen ?? [] };
  const given: (PublicAddress & { readonly fds: number[] })[] = [];
  for (const { fd, name, endpoint } of sockets) {
    if (endpoint === null) refuse(`descriptor ${fd}`, name, "is no listening TCP socket: give a port or an address to ListenStream=");
    const protocol = protocolOf(name, endpoint, wanted);
    if (protocol === null)
      refuse(formatEndpoint(endpoint), name, "is in no listen: write it there, or say FileDescriptorName=rtmp or =http in its unit");
    if (protocol === "http" && http === null) refuse(formatEndpoint(endpoint), name, "is for HTTP, which is off");
    const known = given.find((one) => one.protocol === protocol && isSame(one.endpoint, endpoint));
    if (known === undefined) given.push({ protocol, endpoint, fds: [fd] });
    else known.fds.push(fd);
  }
  const left = protocols.flatMap((protocol) => wanted[protocol].map((endpoint) => ({ protocol, endpoint, fds: [] })));
  const isLeft = ({ protocol, endpoint }: PublicAddress): boolean =>
    !given.some((one) => one.protocol === protocol && covers(one.endpoint, endpoint));
  const all = [...given, ...left.filter(isLeft)];
  return protocols.flatMap((protocol) => all.filter((one) => one.protocol === protocol));
}

function protocolOf(
  name: string,
  { port }: Endpoint,
  wanted: Readonly<Record<Listener["protocol"], readonly Endpoint[]>>,
): Listener["protocol"] | null {
  if (name === "rtmp" || name === "http") return name;
  return protocols.find((protocol) => wanted[protocol].some((endpoint) => endpoint.port === port)) ?? null;
}

function isSame(one: Endpoint, other: Endpoint): boolean {
  return one.port === other.port && one.host === other.host;
}

/** Whether listening on the configured address as well would be too much: the manager may have widened or narrowed it. */
function covers(given: Endpoint, configured: Endpoint): boolean {
  if (given.port !== configured.port) return false;
  return [given.host, configured.host].some(isWildcard) || given.host === configured.host || isIP(configured.host) === 0;
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function refuse(what: string, name: string, why: string): never {
  const called = name === "" ? "" : ` (${name})`;
  throw new DolphinError("CONF_VALUE", `the service manager gave a socket that cannot be used: ${what}${called} ${why}`);
}
