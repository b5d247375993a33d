// What the master tells of the box when it is asked for nothing that takes a look at the processes: it is all in its memory.
import type { HookCounts } from "./dues.js";

/** One process of the box. */
interface ProcessFacts {
  /** `master`, `origin`, `edge-1`, `server`, `proxy-1`, `admin`. */
  readonly name: string;
  readonly role: string;
  /** What it does for streams; null for a master that only supervises. */
  readonly duty: string | null;
  readonly pid: number | null;
  readonly state: string;
  readonly restarts: number;
  readonly lastDeath: { readonly cause: string; readonly secondsAgo: number } | null;
  readonly upSeconds: number | null;
  readonly lagMs: number;
  readonly connections: number;
  readonly players: number;
  readonly publishers: number;
  readonly mbpsIn: number;
  readonly mbpsOut: number;
}

/** The box itself. */
export interface BoxFacts {
  readonly version: string;
  /** Of the master. */
  readonly pid: number;
  readonly ppid: number;
  readonly argv: string;
  /** The program that it runs: what takes its place is found there. */
  readonly script: string;
  readonly cwd: string;
  readonly plan: string;
  /** The name of this server, the same over restarts, and of this run of it. */
  readonly serverId: string;
  readonly serviceId: string;
  readonly upSeconds: number;
  readonly processes: readonly ProcessFacts[];
  /** Bytes of media and of what goes with it since the start, of the processes that are gone as well; what passes between the box's own is left out. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** What became of connections whose process was gone; null: they end with it. */
  readonly carried: Readonly<Record<string, number>> | null;
  /** How the calls of hooks went, of all processes since the start, one row for each hook and URL. */
  readonly hooks: readonly HookCounts[];
}
