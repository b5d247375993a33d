// Where else a stream is that is not published to this box. Whoever knows the other servers of a site (coworkers of an origin cluster,
// a registry) is a locator; it lives in the master, so that all processes of a box share what it has learned, and a child asks it by a
// message. The hub pulls from what it finds, and RTMP sends those there who can follow.
//
//   hub, RTMP ─ locate ─▶ (child ─ message ─▶ master) ─▶ the locator ─▶ { isHere, servers } ─▶ finding.ts pulls │ elsewhere.ts sends on
//
// With a registry a publisher asks as well, for the right to his name on the site, and hears when he has lost it:
//
//   publisher ─ claim ─▶ owner ─────────────(another has it: onLost)─▶ closed, its viewers go where the stream is
//                  └───▶ standby ─(the owner has left: onAir)─▶ owner
import type { DolphinError } from "../base/errors.js";
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
  /** `isLost`: it is no longer where it was. Rejects where nobody could be asked: then nothing is known, and what there is stays as it is. */
  locate(name: StreamName, signal: AbortSignal, isLost?: boolean): Promise<Located>;
  /** Boxes of the site that a publisher may be passed on to, the best first. Rejects with REGISTRY_AWAY where none is known. */
  origins?(name: StreamName): Promise<readonly Endpoint[]>;
  /** A stream comes from this other server of the site, or is about to; null: no more. */
  tellReplica?(name: StreamName, from: string | null): void;
  /** Who gives the right to publish; absent: everybody has it. */
  readonly claims?: Claims | null;
}

/** How often a stream may be passed on between the boxes of a site, on its way from its publisher to a viewer. */
export const maxHops = 3;

/** One publishing of one connection. */
export interface Claimant {
  /** Unlike that of any other publishing of any box. */
  readonly id: string;
  /** Since when it publishes, where another process of the box has let it go on here (ms since 1970); null: it has just come. */
  readonly underWaySinceMs: number | null;
  /** It stood by, and is the stream's publisher from now on. */
  onAir(): void;
  /** Another box has the stream: nothing more of this publisher may reach anybody. */
  onLost(reason: DolphinError): void;
  /** What was held back because it might be stale (`Claim.mayPass`) may go on. */
  onSure(): void;
}

/** What a claimant has. `release` gives it back, also after it was lost. */
export interface Claim {
  /** Whether another has the stream, and this one waits until he leaves. */
  readonly isStandby: boolean;
  /** Whether media that has come just now may go on. The process may have stood still, and the stream be elsewhere since: then it is asked. */
  mayPass(): boolean;
  release(): void;
}

/** Gives the right to publish. */
export interface Claims {
  /** Within a second, whatever happens. Rejects with RTMP_BUSY where another has the stream, and REGISTRY_AWAY where that is the policy. */
  claim(name: StreamName, claimant: Claimant): Promise<Claim>;
  /**
   * A number for somebody who is about to be asked about, above those of all who have published the name so far; the claim is given one that
   * is no lower. Within two seconds; 0: there is none. Rejects with RTMP_BUSY for whoever would be refused.
   */
  fence(name: StreamName): Promise<number>;
}
