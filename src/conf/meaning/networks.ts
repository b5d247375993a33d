// The networks of `trusted_proxies`: whose word on a client's address counts, once the directive has been read.
import { BlockList, isIP } from "node:net";

export interface TrustedNetworks {
  has(address: string): boolean;
}

/** Looks addresses up in networks as `parseNetwork` writes them: `10.0.0.0/8`. IPv4 is also found as `::ffff:10.0.0.1`. */
export function trustedNetworks(networks: readonly string[]): TrustedNetworks {
  if (networks.length === 0) return { has: () => false }; // every connection asks
  const list = new BlockList();
  for (const network of networks) {
    const [address = "", prefix] = network.split("/");
    list.addSubnet(address, Number(prefix), isIP(address) === 4 ? "ipv4" : "ipv6");
  }
  return {
    has(address) {
      const host = address.replace(/%.*$/, ""); // a link-local address may carry its zone
      const family = isIP(host);
      return family !== 0 && list.check(host, family === 4 ? "ipv4" : "ipv6");
    },
  };
}
