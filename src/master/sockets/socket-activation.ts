// Which public address a socket of the service manager stands for. Pure: what the sockets are has been asked before.
//
//   FileDescriptorName=rtmp, =http, =api, =exporter      that protocol, whatever its port
//   any other name                                       the protocol in whose `listen` its port stands
//
// Several sockets of one address (ReusePort=yes) are one address with a socket for each worker; see listeners.ts.
import { isIP } from "node:net";
import { DolphinError } from "../../base/errors.js";
import type { Config, Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint, isSameEndpoint } from "../../conf/meaning/endpoint.js";
import type { Protocol } from "../../ipc/listener.js";
import type { InheritedSocket } from "../host/systemd-environment.js";

export interface GivenSocket extends InheritedSocket {
  /** Null for what is no listening TCP socket. */
  readonly endpoint: Endpoint | null;
}

type Addresses = Readonly<Record<Protocol, readonly Endpoint[]>>;

const protocols = ["rtmp", "http", "api", "api-tls", "exporter"] as const;

/**
 * The configuration with what was given in its `listen`: first the given addresses, then those that none of them covers.
 * Throws CONF_VALUE for a socket that stands for nothing.
 */
export function withGivenSockets(config: Config, sockets: readonly GivenSocket[]): Config {
  if (sockets.length === 0) return config;
  const { listen, http, api, exporter } = config;
  const wanted = { rtmp: listen, http: http?.listen ?? [], api: api.listen, "api-tls": api.tls?.listen ?? [], exporter: exporter.listen };
  const given: Record<Protocol, Endpoint[]> = { rtmp: [], http: [], api: [], "api-tls": [], exporter: [] };
  for (const { fd, name, endpoint } of sockets) {
    if (endpoint === null) refuse(`descriptor ${fd}`, name, "is no listening TCP socket: give a port or an address to ListenStream=");
    const protocol = protocolOf(name, endpoint, wanted);
    if (protocol === null)
      refuse(
        formatEndpoint(endpoint),
        name,
        "is in no listen: write it there, or say FileDescriptorName=rtmp, =http, =api or =exporter in its unit",
      );
    if (protocol === "api-tls" && api.tls === null) refuse(formatEndpoint(endpoint), name, "is for the API over TLS, which is off");
    if (protocol === "http" && http === null) refuse(formatEndpoint(endpoint), name, "is for HTTP, which is off");
    if (!given[protocol].some((known) => isSameEndpoint(known, endpoint))) given[protocol].push(endpoint);
  }
  const fitted = (protocol: Protocol): Endpoint[] => [
    ...given[protocol],
    ...wanted[protocol].filter((endpoint) => !given[protocol].some((one) => covers(one, endpoint))),
  ];
  return {
    ...config,
    listen: fitted("rtmp"),
    http: http === null ? null : { ...http, listen: fitted("http") },
    api: { ...api, listen: fitted("api"), tls: api.tls === null ? null : { ...api.tls, listen: fitted("api-tls") } },
    exporter: { ...exporter, listen: fitted("exporter") },
  };
}

function protocolOf(name: string, { port }: Endpoint, wanted: Addresses): Protocol | null {
  return (
    protocols.find((protocol) => protocol === name) ??
    protocols.find((protocol) => wanted[protocol].some((endpoint) => endpoint.port === port)) ??
    null
  );
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
