// By which names the box is known to a site's backend and to whoever asks its API. Every process of it tells the same.

export interface Identity {
  /** The name of the server over its restarts. */
  readonly serverId: string;
  /** Of one life of the server, its upgrades included. */
  readonly serviceId: string;
}

/** A server that nobody has named, as tests and stand-ins are. */
export const nobody: Identity = { serverId: "vid-0000000", serviceId: "00000000" };

const base36 = 36;
const serviceIdChars = 8;

/** A new `serviceId`: 8 letters and digits, as SRS's. */
export function newServiceId(random: () => number = Math.random): string {
  return Array.from({ length: serviceIdChars }, () => Math.floor(random() * base36).toString(base36)).join("");
}
