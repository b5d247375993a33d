// What the console asks for and gets, as JSON: the one file that the pages' own sources (web/) share with this program. Types alone, so that
// it means the same in a browser.
import type { CoworkerReport, ProcessFacts, RegistryReport } from "../../ipc/box.js";
import type { ProgramReport, RecordingReport } from "../../ipc/lists.js";

/** `/console/data/overview`: what stands on the first page. */
export interface Overview {
  readonly version: string;
  readonly plan: string;
  readonly serverId: string;
  readonly host: string;
  readonly upSeconds: number;
  readonly health: Health;
  readonly totals: Totals;
  readonly streams: number;
  /** Null: as many as the open files allow. */
  readonly maxConnections: number | null;
  /** Cores of the machine, and its memory. */
  readonly cores: number;
  readonly memoryBytes: number;
  /** What became of connections whose process was gone; null: they end with it. */
  readonly carried: Readonly<Record<string, number>> | null;
  readonly processes: readonly ProcessRow[];
  /** Where the public ports are; null: there is none. */
  readonly ports: Ports;
}

export interface Ports {
  readonly rtmp: number | null;
  readonly http: number | null;
}

export interface Totals {
  readonly connections: number;
  readonly players: number;
  readonly publishers: number;
  readonly mbpsIn: number;
  readonly mbpsOut: number;
  /** Shares of one core, of all processes together. */
  readonly cpu: number;
  readonly memoryBytes: number;
  /** The longest of all. */
  readonly lagMs: number;
}

/** Is it fine. */
export interface Health {
  readonly word: "good" | "strained" | "bad";
  readonly reasons: readonly Reason[];
}

/** Why not, for the reader's language. */
export interface Reason {
  readonly word: "strained" | "bad";
  readonly what:
    | "down"
    | "none"
    | "died"
    | "lag"
    | "connections"
    | "memory"
    | "server"
    | "relay"
    | "origin"
    | "coworker"
    | "registry"
    | "program";
  /** A process, a server, a program; empty: the box. */
  readonly name: string;
  readonly value: string;
}

export interface ProcessRow extends ProcessFacts {
  /** Share of one core, and memory; null: it does not run, or nobody has looked yet. */
  readonly cpu: number | null;
  readonly memoryBytes: number | null;
  /** Beyond which it is replaced; null: never for that. */
  readonly maxMemoryBytes: number | null;
}

/** The series of the charts. */
export const series = ["players", "publishers", "connections", "mbpsIn", "mbpsOut", "cpu", "memoryBytes", "lagMs"] as const;
export type Series = (typeof series)[number];

/** `/console/data/history?since=`: columns of one length; where nobody looked there is a step without a row. */
export interface History {
  readonly stepMs: number;
  readonly keptMs: number;
  /** Since 1970. */
  readonly at: readonly number[];
  readonly columns: Readonly<Record<Series, readonly number[]>>;
}

/** A part of a list: `?q=&sort=&start=&count=`. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  readonly total: number;
  readonly start: number;
}

/** `/console/data/streams`. */
export interface StreamRow {
  /** `vhost/app/stream`. */
  readonly key: string;
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  readonly state: "publish" | "pull" | "wait";
  /** The process that it comes in at, and from whom. */
  readonly process: string | null;
  readonly from: string | null;
  readonly publisherId: string;
  readonly players: number;
  readonly playersOf: Readonly<Record<string, number>>;
  readonly pulledBy: readonly string[];
  readonly video: string;
  readonly profile: string;
  readonly width: number;
  readonly height: number;
  readonly fps: number | null;
  readonly keyFrameMs: number | null;
  readonly audio: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly kbpsIn: number;
  readonly kbpsOut: number;
  /** Since 1970. */
  readonly sinceMs: number | null;
  /** Where it is watched, on the port of HTTP streaming: path and query; null: it is not, in this way. */
  readonly paths: { readonly flv: string | null; readonly hls: string | null };
}

/** `/console/data/stream?key=`; null: there is none. */
export interface StreamDetail extends StreamRow {
  /** Whether it is being recorded; null: its vhost has no `dvr`. */
  readonly isRecorded: boolean | null;
}

/** `/console/data/recordings`. */
export interface RecordingRow extends RecordingReport {
  readonly key: string;
}

/** `/console/data/ticket?path=`: where a recording is played from, relative to the page. */
export interface Ticket {
  readonly url: string;
}

/** `/console/data/programs`: without what lets one in at other servers. */
export interface ProgramRow extends Omit<ProgramReport, "argv"> {
  /** `vhost/app/stream`; the vhost alone of an ingest. */
  readonly key: string;
  readonly command: string;
}

/** `/console/data/clients`. */
export interface ClientRow {
  readonly id: string;
  readonly key: string;
  readonly type: string;
  readonly ip: string;
  readonly process: string;
  readonly sinceMs: number;
  readonly kbps: number;
  readonly bytes: number;
  readonly page: string;
}

/** `/console/data/relays`: other servers, and what is called at them. */
export interface Relays {
  /** Origins that vhosts pull from, with how many streams come from each now. */
  readonly upstreams: readonly Relay[];
  readonly forwards: readonly Relay[];
  /** The other origins of an origin cluster. */
  readonly coworkers: readonly CoworkerReport[];
  /** Null: the box is a site of its own. */
  readonly registry: RegistryReport | null;
  /** Plan b's servers. */
  readonly servers: readonly {
    readonly name: string;
    readonly address: string;
    readonly isUp: boolean;
    readonly isDraining: boolean;
    readonly connections: number;
    readonly weight: number;
  }[];
  readonly hooks: readonly {
    readonly url: string;
    readonly on: string;
    readonly calls: number;
    readonly failures: number;
    readonly refusals: number;
    readonly dropped: number;
    readonly meanMs: number | null;
  }[];
}

/** One vhost's way to or from another server. */
interface Relay {
  readonly vhost: string;
  readonly server: string;
  readonly streams: number;
  /** Connections to that server that were lost or could not be made since the start, and by what code mostly. */
  readonly failures: number;
  readonly code: string;
  /** Something waits for it now. */
  readonly isDown: boolean;
}

/** `/console/data/explain?key=`: where a stream is, or would be, and why; the sentences are those of `dolphin explain`. */
export interface Explained {
  readonly why: string;
  readonly processes: readonly { readonly name: string; readonly how: string }[];
}

/** `/console/data/config`: names and values in the order of the file, without secrets. */
export type ConfigTree = Readonly<Record<string, unknown>>;
