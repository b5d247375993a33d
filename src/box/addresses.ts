// The addresses of a box, taken when it starts: the public ones, and the one on the loopback where the origin of plan a listens.
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { Listeners } from "../master/sockets/listeners.js";
import { publicNames } from "../master/processes/plan.js";
import { loopback } from "../conf/meaning/endpoint.js";

/** Throws CHILD_LISTEN for one that cannot be had. */
export async function takeAddresses(
  listeners: Listeners,
  { listen, http, dolphin }: Config,
  cores: number,
): Promise<{ readonly addresses: readonly Endpoint[]; readonly origin: Endpoint }> {
  const names = publicNames({ dolphin }, cores);
  const addresses: Endpoint[] = [];
  for (const wanted of listen) addresses.push(await listeners.add("rtmp", wanted, names));
  for (const wanted of http?.listen ?? []) addresses.push(await listeners.add("http", wanted, names));
  listeners.settle();
  // Chosen once: an origin that is a child comes back on the same port, and edges find it again.
  const isChild = dolphin.plan === "a" && dolphin.originProcess === "child";
  const origin = await listeners.add("rtmp", { host: loopback, port: 0 }, isChild ? ["origin"] : []);
  return { addresses, origin };
}
