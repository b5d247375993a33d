// PlanB's words between the master and its proxies: which servers there are, how each fares, and what each proxy carries.
// The master adds up what all proxies carry and gives the sum to each, so that N proxies do not all choose the same server.
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { Listener } from "./listener.js";

export type { PolicyName } from "../conf/meaning/config.js";

/** What a proxy process is to be: it reads no file and no flag of its own. Servers and leases are told right behind it. */
export interface ProxySetup {
  /** `proxy-1`. */
  readonly name: string;
  /** The policy, weights, waits and headers are in its `dolphin.balance`. */
  readonly config: Config;
  readonly listeners: readonly Listener[];
  /** The vhosts that the servers tell apart, all other names being one; null: those of the configuration. */
  readonly vhosts: readonly string[] | null;
  /** Connections that this process accepts; null: no limit of its own. */
  readonly maxConnections: number | null;
  /** The admin's, in front of servers that do not know of it. */
  readonly adminDoor?: string;
}

/** SRS's HTTP API of one server. */
export interface ServerApi {
  readonly endpoint: Endpoint;
  /** The server's file puts it on a public port of HTTP, so requests there that name the server are passed to it. */
  readonly isPublic: boolean;
}

/** A local server behind the proxies, as the master last knew it. */
export interface BackendState {
  /** `server-1`. */
  readonly name: string;
  readonly rtmp: Endpoint;
  /** Null where it serves no HTTP. */
  readonly http: Endpoint | null;
  /** Null where it serves none. */
  readonly api: ServerApi | null;
  /** Whether it answered its last probe; one that did not gets no new connection. */
  readonly isUp: boolean;
  /** It keeps its connections and gets no new ones. */
  readonly isDraining: boolean;
  /** When it came up (ms since the epoch), for the slow start. */
  readonly upSinceMs: number;
  /** Share of the load relative to the others; above 0. */
  readonly weight: number;
  /** Connections after which `fill` goes on to the next server, and no policy gives more; null: no cap. */
  readonly maxConnections: number | null;
  /** What all proxies together carry to it; where a proxy is told, what the others carry: it knows its own better. */
  readonly connections: number;
  /** By all proxies. */
  readonly bytesPerSecond: number;
}

/** Where a stream is published; it holds while the publisher is connected. */
export interface Lease {
  /** `vhost/app/stream`. */
  readonly key: string;
  readonly backend: string;
  /** The proxy that has the publisher. */
  readonly proxy: string;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
}

/** What one proxy carries to one server now, and since it started. */
export interface Carried {
  readonly backend: string;
  readonly connections: number;
  readonly total: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}
