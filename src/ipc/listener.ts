// A listening address as it is given to a child. The messages, the balance and an upgrade all speak of it.
import type { Endpoint } from "../conf/meaning/config.js";

/** What is spoken where streams are served. */
export type MediaProtocol = "rtmp" | "http";

/** What is spoken at an address; `api`, `api-tls` and `exporter` are the admin's, over HTTP as well. */
export type Protocol = MediaProtocol | "api" | "api-tls" | "exporter";

/** One public address that a child serves. */
export interface Listener {
  readonly protocol: Protocol;
  readonly endpoint: Endpoint;
  /** A listening descriptor of the master's that is this child's alone; null: bind `endpoint` through the cluster module. */
  readonly fd: number | null;
}
