// A listening address as it is given to a child. The messages, the balance and an upgrade all speak of it.
import type { Endpoint } from "../conf/meaning/config.js";

/** One public address that a child serves. */
export interface Listener {
  readonly protocol: "rtmp" | "http";
  readonly endpoint: Endpoint;
  /** A listening descriptor of the master's that is this child's alone; null: bind `endpoint` through the cluster module. */
  readonly fd: number | null;
}
