// What `dolphin status` tells of a whole box: plain data that travels as JSON.
import type { ConfChange } from "../../conf/meaning/changes.js";
import type { PolicyName } from "../../conf/meaning/config.js";
import type { BackendState, Lease } from "../../ipc/balance.js";
import type { RegistryReport, SitePlace } from "../../ipc/box.js";
import type { ProgramReport } from "../../ipc/lists.js";
import type { StreamStatus } from "../../ipc/streams.js";
import type { ReadyBox } from "../host/daemon.js";
import type { CarriedCounts } from "../vault/vault.js";
import type { ChildState } from "../processes/child.js";
import type { CarriedBy } from "../backends/loads.js";
import type { ProcessSpec } from "../processes/plan.js";

export interface ProcessStatus {
  /** `master`, `origin`, `edge-1`, `server`. */
  readonly name: string;
  readonly role: "master" | "proxy" | "server" | "admin" | "packager";
  /** What it does for streams; null for a master that only supervises. */
  readonly duty: ProcessSpec["duty"] | null;
  readonly pid: number | null;
  /** `draining`: it takes nothing new, serves what it has, and then leaves. */
  readonly state: ChildState | "draining";
  readonly restarts: number;
  readonly lastDeath: { readonly cause: string; readonly secondsAgo: number } | null;
  readonly upSeconds: number | null;
  /** Percent of one core over the last moments; null when there is no process to look at. */
  readonly cpuPercent: number | null;
  readonly memoryBytes: number | null;
  readonly lagMs: number;
  readonly connections: number;
  readonly players: number;
  readonly publishers: number;
  readonly mbpsIn: number;
  readonly mbpsOut: number;
  /** It did not answer in time: what is shown is what was known before. */
  readonly isStale: boolean;
}

export interface BoxStatus extends ReadyBox {
  /** The name of this server, the same over restarts. */
  readonly serverId: string;
  readonly upSeconds: number;
  readonly controlSocket: string;
  readonly configFile: string | null;
  /** Null: it goes to the console. */
  readonly logFile: string | null;
  readonly processes: readonly ProcessStatus[];
  readonly streams: readonly StreamStatus[];
  /** Those of `ingest`, `transcode` and `exec`. */
  readonly programs: readonly ProgramReport[];
  /** What became of connections whose process was gone; null: they end with it. */
  readonly carried: CarriedCounts | null;
  /** Why that is null, else null. */
  readonly uncarried: string | null;
  /** Plan b only. */
  readonly balance?: BalanceStatus;
  /** Absent: the box is a site of its own. */
  readonly registry?: RegistryReport;
}

/** How plan b spreads connections. */
export interface BalanceStatus {
  readonly policy: PolicyName;
  readonly routing: "stream" | "connection";
  /** `builtin`, `srs 7.0.18`, or the words of the command. */
  readonly software: string;
  readonly servers: readonly BackendState[];
  /** What each proxy carries to each server now, and in total since the proxy started: exact, as of its last heartbeat. */
  readonly carried: readonly CarriedBy[];
  /** Which stream is published where. */
  readonly leases: readonly Lease[];
}

/** Where a stream lives or would go, and why: the answer of `dolphin explain`. */
export interface Explanation {
  readonly key: string;
  readonly policy: PolicyName;
  readonly routing: "stream" | "connection";
  readonly lease: Lease | null;
  readonly servers: readonly BackendState[];
  /** The names of those that may get a new connection. */
  readonly candidates: readonly string[];
  /** The server that the next connection for the stream gets; null: there is none. */
  readonly decision: string | null;
  /** A sentence. */
  readonly why: string;
  /** Where it is on the site; absent: there is no registry. */
  readonly site?: SitePlace;
}

/** What came of a reload or a rolling restart. */
export interface Reloaded {
  /** `refused`: everything is as it was; of a restart, the processes that were replaced already stay. */
  readonly outcome: "applied" | "unchanged" | "refused";
  readonly changes: readonly ConfChange[];
  /** Sentences: what is wrong, and of a configuration that was taken what it warns of. */
  readonly problems: readonly string[];
  /** Sentences about what goes on as it did, where one might expect otherwise. */
  readonly notes: readonly string[];
}
