// What the master tells of the box when it is asked for nothing that takes a look at the processes: it is all in its memory.
import type { Endpoint } from "../conf/meaning/config.js";
import type { BackendState } from "./balance.js";
import type { HookCounts } from "./dues.js";
import type { Present, Tally, Times } from "./tally.js";

/** One process of the box. */
export interface ProcessFacts {
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

/** What the processes of one place, `edge-1` with all its heirs, have counted since the box began: none of it falls, whatever dies. */
export interface ProcessCounts {
  readonly name: string;
  /** Of those that tell it: a foreign server does not. */
  readonly cpuSeconds: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Of these, what passed between the box's own processes. */
  readonly innerBytesIn: number;
  readonly innerBytesOut: number;
  readonly tally: Tally;
  /** The latest turn of the event loop of each second. */
  readonly lag: Times;
  readonly restarts: number;
  /** By a word for the cause: a signal, `exit 1`. */
  readonly deaths: Readonly<Record<string, number>>;
  /** What those have now who live. */
  readonly presents: readonly Present[];
  /** How long it has been silent; null: there is none, or it tells nothing. */
  readonly reportAgeSeconds: number | null;
}

/** A foreign server of plan b, behind the proxies. */
export interface ForeignServer {
  /** `server-1`. */
  readonly name: string;
  /** Where it answers SRS's HTTP API; null: it has none. */
  readonly api: Endpoint | null;
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
  readonly counts: readonly ProcessCounts[];
  /** Where the box's own origin listens for its edges; absent: there is none. */
  readonly origin?: Endpoint;
  /** Absent: all servers are ours. */
  readonly servers?: readonly ForeignServer[];
  /** Plan b: what the proxies know of the servers behind them. */
  readonly backends?: readonly BackendState[];
  /** The other origins of an origin cluster; absent: it is in none. */
  readonly coworkers?: readonly CoworkerReport[];
  /** Absent: the box is a site of its own. */
  readonly registry?: RegistryReport;
}

/** An origin that is asked where streams are. */
export interface CoworkerReport {
  /** Of its HTTP API. */
  readonly server: string;
  /** `unknown`: it has not been asked yet. */
  readonly state: "up" | "down" | "unknown";
}

/** How the registry stands, as `dolphin status` shows it. */
export interface RegistryReport {
  /** Without what lets one in. */
  readonly address: string;
  /** The name of this box there. */
  readonly node: string;
  readonly isConnected: boolean;
  /** Nobody can publish while it is away. */
  readonly isStrict: boolean;
  /** Since its last answer (ms); null: it has not answered yet. */
  readonly heardMs: number | null;
  /** That have spoken lately, this one included. */
  readonly nodes: number;
  /** Streams that this box may publish, of which the registry is still to be told, and that stand by. */
  readonly held: number;
  readonly unconfirmed: number;
  readonly standby: number;
  /** Since the start: publishers who asked, those whose stream another had or got, questions where a stream is. */
  readonly claims: number;
  readonly conflicts: number;
  readonly lookups: number;
}

/** Where a stream is on the site. */
interface StreamPlace {
  readonly node: string;
  readonly rtmp: string;
  readonly fence: number;
  /** Since when it is published there (ms since 1970). */
  readonly sinceMs: number;
  readonly isHere: boolean;
  readonly isAlive: boolean;
}

/** The same with a sentence; null: nobody has it, or nobody could be asked. */
export interface SitePlace {
  readonly place: StreamPlace | null;
  readonly why: string;
}
