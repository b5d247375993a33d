// What a running master and the one that takes its place say to each other. They may be of different versions, so what is here
// carries a number, and a master that does not know it lets the other one go on.
//
//   predecessor                                     successor
//     │ environment: the succession below ──────────────▶│  starts, its processes listen on the sockets that it is given
//     │ sittings: viewers without a connection ─────────▶│  may come to either from now on
//     │◀───────────────────────────────── ready, refused │
//     │ mirror: where the streams are ──────────────────▶│  its origin follows all of them
//     │◀─────────────────────────────────────── mirrored │
//     │ parcels: viewers, then publishers, on the link ─▶│  they go on
//     │ over: pid file, control socket and manager free ▶│
//     │◀────────────────────────────────────────── taken │
//     └ leaves when its last connections have
import type { Endpoint } from "../conf/meaning/config.js";
import type { Sitting } from "./dues.js";
import type { Identity } from "./identity.js";
import type { Listener } from "./listener.js";

/** Of everything in this file and of what goes over the link: a change that an older version cannot read raises it. */
export const successionFormat = 5;

/** The environment variable in which a successor finds its succession. */
export const successionVariable = "DOLPHIN_SUCCEEDS";

/** The successor's end of the link over which connections come; the sockets stand behind it, in their order. */
export const linkFd = 4;

/** A listening socket that is handed on. */
interface HandedSocket {
  readonly protocol: Listener["protocol"];
  /** As the configuration names it, and as it is. */
  readonly wanted: Endpoint;
  readonly endpoint: Endpoint;
  /** Its name where a service manager gave it; null: it is dolphin's own. */
  readonly givenName: string | null;
}

export interface Succession {
  readonly format: number;
  /** Of the predecessor. */
  readonly version: string;
  readonly identity: Identity;
  readonly sockets: readonly HandedSocket[];
}

/** The streams of an origin whose place another one takes. */
export interface MirroredOrigin {
  readonly endpoint: Endpoint;
  /** The secret by which it knows its own edges. */
  readonly edgeKey: string;
  readonly streams: readonly { readonly vhost: string; readonly app: string; readonly stream: string }[];
}

export type FromSuccessor =
  | { readonly type: "ready" }
  /** A sentence. */
  | { readonly type: "refused"; readonly sentence: string }
  | { readonly type: "mirrored" }
  | { readonly type: "taken" };

export type ToSuccessor =
  | { readonly type: "mirror"; readonly origin: MirroredOrigin }
  | { readonly type: "parcels" }
  | { readonly type: "sittings"; readonly sittings: readonly Sitting[] }
  /** `sittings`: absent from a predecessor that has none. */
  | { readonly type: "over"; readonly sittings?: readonly Sitting[] };
