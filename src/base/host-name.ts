// Host names, by which clients name a vhost: in a URL, in a Host header, as a parameter. They mean the same in capitals, with a
// port behind them and with the dot of the root at their end (RFC 4343, RFC 1034 section 3.1), so each has one form here.

/** The vhost that takes every name that no other has. */
export const defaultVhost = "__defaultVhost__";

const lowerDefault = defaultVhost.toLowerCase();

/** The one form of a host name or an address, without port and brackets. */
export function canonicalHost(text: string): string {
  const address = /^\[([^\]]*:[^\]]*:[^\]]*)\](?::\d*)?$/.exec(text)?.[1]; // brackets are IPv6's
  const name = (address ?? /^([^:]*?)\.*(?::\d*)?$/.exec(text)?.[1] ?? text).toLowerCase();
  return name === lowerDefault ? defaultVhost : name;
}
