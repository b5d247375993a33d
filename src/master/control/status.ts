// What `dolphin status` tells of a whole box: plain data that travels as JSON, and how the streams that each process sees
// become one list. A stream comes into the box once, is passed to the origin and pulled by the edges that have
// viewers for it, so several processes report it, each from where it stands.
import type { ConfChange } from "../../conf/meaning/changes.js";
import type { PolicyName } from "../../conf/meaning/config.js";
import type { BackendState, Lease } from "../../ipc/balance.js";
import type { StreamReport } from "../../ipc/messages.js";
import type { ReadyBox } from "../host/daemon.js";
import type { CarriedCounts } from "../vault/vault.js";
import type { ChildState } from "../processes/child.js";
import type { CarriedBy } from "../backends/loads.js";
import type { ProcessSpec } from "../processes/plan.js";

export interface ProcessStatus {
  /** `master`, `origin`, `edge-1`, `server`. */
  readonly name: string;
  readonly role: "master" | "proxy" | "server" | "admin";
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

export interface StreamStatus {
  readonly vhost: string;
  readonly app: string;
  readonly stream: string;
  /** `publish`: into this box; `pull`: from a far origin; `wait`: players wait for a publisher. */
  readonly state: "publish" | "pull" | "wait";
  /** The process that has the publisher or pulls from afar, and that publisher's or origin's address; null while waiting. */
  readonly source: { readonly process: string; readonly peer: string } | null;
  readonly players: number;
  /** Players of each process that has any. */
  readonly playersOf: Readonly<Record<string, number>>;
  /** How many edges pull it from the box's own origin. */
  readonly edges: number;
  /** Their names. */
  readonly pulledBy: readonly string[];
  readonly video: string;
  readonly audio: string;
  readonly bytesIn: number;
}

export interface BoxStatus extends ReadyBox {
  /** The name of this server, the same over restarts. */
  readonly serverId: string;
  readonly upSeconds: number;
  readonly controlSocket: string;
  readonly configFile: string | null;
  readonly processes: readonly ProcessStatus[];
  readonly streams: readonly StreamStatus[];
  /** What became of connections whose process was gone; null: they end with it. */
  readonly carried: CarriedCounts | null;
  /** Why that is null, else null. */
  readonly uncarried: string | null;
  /** Plan b only. */
  readonly balance?: BalanceStatus;
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

/** The streams that one process reported. */
export interface ProcessStreams {
  readonly name: string;
  readonly duty: ProcessSpec["duty"];
  readonly streams: readonly StreamReport[];
}

/** One line per stream key over all processes, sorted by key. */
export function mergeStreams(processes: readonly ProcessStreams[]): StreamStatus[] {
  const seen = new Map<string, Sighting[]>();
  for (const { name, duty, streams } of processes) {
    for (const report of streams) {
      const key = `${report.vhost}/${report.app}/${report.stream}`;
      seen.set(key, [...(seen.get(key) ?? []), { process: name, duty, report }]);
    }
  }
  return [...seen.keys()].sort().map((key) => mergeOne(seen.get(key) ?? []));
}

interface Sighting {
  readonly process: string;
  readonly duty: ProcessSpec["duty"];
  readonly report: StreamReport;
}

function mergeOne(sightings: readonly Sighting[]): StreamStatus {
  // The origin sees a publisher behind an edge as that edge; the edge knows who it is, so it is believed first.
  const pushed = sightings.find(({ report }) => report.state === "push");
  const published = sightings.find(({ report }) => report.state === "publish");
  // An edge's own pull is how it comes by the stream, not where the stream comes from.
  const pulled = sightings.find(({ duty, report }) => duty !== "edge" && report.state === "pull");
  const source = pushed ?? published ?? pulled ?? null;
  const described = source ?? sightings.find(({ report }) => report.video !== "" || report.audio !== "") ?? sightings[0];
  const viewed = sightings.filter(({ report }) => report.players > 0);
  const { vhost = "", app = "", stream = "" } = described?.report ?? {};
  const codecs = (field: "video" | "audio"): string =>
    described?.report[field] || (sightings.find(({ report }) => report[field] !== "")?.report[field] ?? "");
  return {
    vhost,
    app,
    stream,
    state: source === null ? "wait" : source === pulled ? "pull" : "publish",
    source: source === null ? null : { process: source.process, peer: source.report.from },
    players: viewed.reduce((sum, { report }) => sum + report.players, 0),
    edges: sightings.reduce((sum, { report }) => sum + report.edges, 0),
    pulledBy: sightings.flatMap(({ process, duty, report }) => (duty === "edge" && report.state === "pull" ? [process] : [])),
    playersOf: Object.fromEntries(viewed.map(({ process, report }) => [process, report.players])),
    video: codecs("video"),
    audio: codecs("audio"),
    // An edge that passes a publisher on does not count its media; the origin behind it does.
    bytesIn: source === null ? 0 : Math.max(...sightings.map(({ report }) => report.bytesIn)),
  };
}
