// Where else a stream is that is not published to this box. Whoever knows the other servers of a site (coworkers of an origin cluster,
// a registry) is a locator; it lives in the master, so that all processes of a box share what it has learned, and a child asks it by a
// message. The hub pulls from what it finds, and RTMP sends those there who can follow.
//
//   hub, RTMP ─ locate ─▶ (child ─ message ─▶ master) ─▶ the locator ─▶ { isHere, servers } ─▶ finding.ts pulls │ elsewhere.ts sends on
import type { Endpoint } from "../conf/meaning/config.js";

/** A stream by the name of the vhost that serves it here. */
export interface StreamName {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
}

/** Where a stream is. */
export interface Located {
  /** Somebody publishes it to this box. */
  readonly isHere: boolean;
  /** Other servers that have it, by their RTMP addresses, in the order of preference; empty: nobody has it. */
  readonly servers: readonly Endpoint[];
}

export const nowhere: Located = { isHere: false, servers: [] };

/** Finds streams. */
export interface Locator {
  /** Rejects where nobody could be asked: then nothing is known, and what there is stays as it is. */
  locate(name: StreamName, signal: AbortSignal): Promise<Located>;
}

/** How often a stream may be passed on between the boxes of a site, on its way from its publisher to a viewer. */
export const maxHops = 3;
