// The addresses of a box, taken when it starts: the public ones, those of the admin, and the one on the loopback where the origin of
// plan a listens.
import { messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import { loopback } from "../conf/meaning/endpoint.js";
import type { Protocol } from "../ipc/listener.js";
import { planAdmin, publicNames } from "../master/processes/plan.js";
import type { Listeners } from "../master/sockets/listeners.js";

/** What a box listens on. */
export interface Addresses {
  /** As it was given, but for an API that nobody asked for and that cannot be had. */
  readonly config: Config;
  /** The public ones. */
  readonly addresses: readonly Endpoint[];
  readonly origin: Endpoint;
}

/** The addresses of a configuration that the processes of each kind listen on. */
export function addressesIn({ listen, http, api, exporter }: Config, whose: "public" | "admin"): [Protocol, Endpoint][] {
  const of = (protocol: Protocol, list: readonly Endpoint[]): [Protocol, Endpoint][] => list.map((one) => [protocol, one]);
  if (whose === "admin") return [...of("api", api.listen), ...of("api-tls", api.tls?.listen ?? []), ...of("exporter", exporter.listen)];
  return [...of("rtmp", listen), ...of("http", http?.listen ?? [])];
}

/** Throws CHILD_LISTEN for one that cannot be had. */
export async function takeAddresses(listeners: Listeners, wanted: Config, cores: number, log: Log): Promise<Addresses> {
  const { dolphin } = wanted;
  const names = publicNames({ dolphin }, cores);
  const addresses: Endpoint[] = [];
  for (const [protocol, endpoint] of addressesIn(wanted, "public")) addresses.push(await listeners.add(protocol, endpoint, names));
  const config = await takeAdmins(listeners, wanted, log);
  listeners.settle();
  // Chosen once: an origin that is a child comes back on the same port, and edges find it again.
  const isChild = dolphin.plan === "a" && dolphin.originProcess === "child";
  const origin = await listeners.add("rtmp", { host: loopback, port: 0 }, isChild ? ["origin"] : []);
  return { config, addresses, origin };
}

async function takeAdmins(listeners: Listeners, config: Config, log: Log): Promise<Config> {
  const names = planAdmin(config).map(({ name }) => name);
  try {
    for (const [protocol, endpoint] of addressesIn(config, "admin")) await listeners.add(protocol, endpoint, names);
    return config;
  } catch (thrown) {
    if (!config.api.mayLack) throw thrown;
    for (const name of names) listeners.forget(name);
    const why = `the box serves without the HTTP API, which nobody asked for: ${messageOf(thrown)}; --api names another port, or off`;
    log.info({ event: "api.lacking", code: "CHILD_LISTEN" }, why);
    return { ...config, api: { ...config.api, listen: [], tls: null, atHttp: null }, exporter: { ...config.exporter, listen: [] } };
  }
}
