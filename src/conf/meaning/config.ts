// What a configuration is once it has been read: plain frozen data with every default filled in and every unit in
// its name. It is made by load.ts, and travels to child processes as JSON, so it holds no functions or classes.
//
//   a tree ─▶ tree.ts: which block, which directive ─┬─▶ check.ts, rules.ts ─▶ problems
//             values.ts: arguments → a value         └─▶ the room building ─▶ freeze.ts ─▶ Config, of config.ts
//   two trees ─▶ changes.ts: what differs                in-force.ts: what of it a reload can bring into force
//   the table ─▶ full-conf.ts: the manual                schema.ts: the same for programs
//   endpoint.ts, balance-values.ts, networks.ts: single values
import type { DvrBlock, HlsBlock } from "./recording.js";
import type { IngestBlock, TranscodeBlock } from "./programs.js";
import type { policyNames, proxyHeaders } from "../directives/dolphin.js";

/** An address to listen on or to connect to. `host` is an IP address or a name; IPv6 stands without brackets. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  /** Of `::` to listen on: IPv4 is left to the other addresses of the port. */
  readonly isV6Only?: true;
}

/** How timestamps of a stream are corrected: `full` makes them continuous, `zero` only starts them at 0. */
type TimeJitter = "full" | "zero" | "off";

export interface Config {
  /** The file it was read from, or null for the built-in default. */
  readonly file: string | null;
  /** RTMP addresses; at least one. */
  readonly listen: readonly Endpoint[];
  /** Connections of the whole box, RTMP and HTTP together; null: as many as the open-file limit allows. */
  readonly maxConnections: number | null;
  /** Detach from the terminal; a container may overrule it. */
  readonly daemon: boolean;
  /** Null: none. */
  readonly pidFile: string | null;
  /** The folder to change to before any file but the configuration is opened. */
  readonly workDir: string;
  /** End when the parent process ends. */
  readonly asProcess: boolean;
  /** The name of this server; null: one that is made up once and kept beside the pid file. */
  readonly serverId: string | null;
  readonly log: LogSettings;
  readonly grace: GraceSettings;
  /** Reload when the configuration file changes. */
  readonly isWatched: boolean;
  readonly container: ContainerSettings;
  /** HTTP streaming, or null when it is off. */
  readonly http: { readonly listen: readonly Endpoint[]; readonly crossdomain: boolean } | null;
  readonly api: ApiSettings;
  readonly exporter: ExporterSettings;
  /** The URL that is told from time to time that the box is there; null: none is. */
  readonly heartbeat: { readonly url: string; readonly intervalMs: number; readonly deviceId: string; readonly tellsPorts: boolean } | null;
  /** The folder whose files HTTP serves; it may not be there. */
  readonly httpDir: string;
  readonly vhosts: readonly Vhost[];
  readonly dolphin: DolphinBlock;
}

/** The HTTP API. */
export interface ApiSettings {
  /** None: it is off. */
  readonly listen: readonly Endpoint[];
  /** The same over TLS. The files are PEM; null: it is not. */
  readonly tls: { readonly listen: readonly Endpoint[]; readonly key: string; readonly cert: string } | null;
  /** What of it the ports of HTTP streaming have, too: all, where they share an address, or the console with what that needs; null: nothing. */
  readonly atHttp: "api" | "console" | null;
  /** Nobody asked for these addresses: the box serves without the API where one cannot be had. */
  readonly mayLack: boolean;
  /** Pages of other sites may read what it answers. */
  readonly crossdomain: boolean;
  readonly raw: { readonly isEnabled: boolean; readonly allowsReload: boolean };
  /** Who may ask at all; null: everybody. */
  readonly auth: ApiAuth | null;
  /** What lets somebody from another machine act; null: nothing does. */
  readonly token: string | null;
  /** `?callback=NAME` makes a script of an answer. */
  readonly servesJsonp: boolean;
}

/** What a client of the API has to show. Empty words let nobody in. */
export type ApiAuth =
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "bearer"; readonly token: string };

/** Prometheus' port. */
export interface ExporterSettings {
  /** None: it is off. */
  readonly listen: readonly Endpoint[];
  readonly label: string | null;
  readonly tag: string | null;
}

/** Where the log goes and how its lines look. */
export interface LogSettings {
  /** Null writes to the console. */
  readonly file: string | null;
  readonly level: "trace" | "debug" | "info" | "warn" | "error" | "silent";
  /** `json`, or SRS's text line. */
  readonly format: "json" | "srs";
  /** The master rotates a file that is larger; null: never for its size. */
  readonly maxSizeBytes: number | null;
  /** The master rotates a file that is older; null: never for its age. */
  readonly maxAgeMs: number | null;
  /** Nobody asked for this limit: it gives way to whoever else rotates the file. */
  readonly givesWay: boolean;
  /** Rotated files that are kept; older ones are deleted. */
  readonly maxFiles: number;
  /** Rotated files are compressed by gzip. */
  readonly isCompressed: boolean;
}

/** A graceful stop: how long connections are still taken at its beginning, and what is waited at its end. */
interface GraceSettings {
  readonly startWaitMs: number;
  readonly finalWaitMs: number;
  /** SIGTERM is a graceful stop too. */
  readonly isForced: boolean;
}

/** What a container changes. */
interface ContainerSettings {
  /** Said by the file; otherwise the process finds out. */
  readonly isGiven: boolean;
  readonly staysInForeground: boolean;
  readonly isWatched: boolean;
}

/** What SRS has no words for: the root block `dolphin { … }`. Flags of the command line win over it. */
export interface DolphinBlock {
  readonly plan: "a" | "b" | "single";
  /** Worker processes; `auto` is what the CPU set and the cgroup allow. */
  readonly cores: number | "auto";
  /** Where PlanA's origin runs: in the master, or in a child of its own. */
  readonly originProcess: "master" | "child";
  /** The control socket; null: a default below the runtime folder. */
  readonly controlSocket: string | null;
  /** A child that has not been heard for so long is taken as hung. */
  readonly heartbeatTimeoutMs: number;
  /** How long a stop may take before what is left is killed. */
  readonly stopTimeoutMs: number;
  /** Viewers outlive the process that serves them, where the system can do that. */
  readonly carriesSessions: boolean;
  /** Young processes compile their code before a crowd comes, and one is ready for the place of one that dies. */
  readonly warmsUp: boolean;
  /** How long a worker that was replaced may still serve the connections that it has; null: until the last one has left. */
  readonly drainTimeoutMs: number | null;
  /** The last part of that, over which who is left is sent away one by one. */
  readonly drainSpreadMs: number;
  /** A worker that is over one of these is replaced; null: no limit. */
  readonly workers: { readonly maxMemoryBytes: number | null; readonly maxAgeMs: number | null };
  /** How long HTTP-FLV waits for a stream that is not (or no longer) published. */
  readonly flvWaitMs: number;
  /** How long an edge keeps pulling after its last player left. */
  readonly pullLingerMs: number;
  /** The DNS server that names of other servers are asked of; null: as the system does. */
  readonly resolver: Endpoint | null;
  /** What an origin does with players of a stream that another origin has; `auto`: those are sent there who can follow. */
  readonly clusterPlay: "auto" | "redirect" | "relay";
  readonly hooks: HookSettings;
  /** Streams that have series of their own in metrics; 0: none has. */
  readonly metricsStreams: number;
  /** Processes that write streams to disk. */
  readonly packagers: number;
  /** Nothing is recorded on a disk that has less room; null: until it has none. */
  readonly minFreeBytes: number | null;
  /** What ffmpeg logs, in its own words. */
  readonly ffmpegLogLevel: string;
  readonly balance: BalanceBlock;
  /** Null: the box is a site of its own. */
  readonly registry: RegistryBlock | null;
}

/** Where the servers of a registry are, or the sentinels of the set `master`, and as whom to come. */
export interface RegistryServers {
  readonly kind: "single" | "sentinel" | "cluster";
  readonly servers: readonly Endpoint[];
  readonly master: string;
  readonly db: number;
  readonly isTls: boolean;
  readonly username: string | null;
  readonly password: string | null;
}

/** How the box is one of a site. Files of passwords win over passwords. */
export interface RegistryBlock {
  readonly servers: RegistryServers;
  readonly passwordFile: string | null;
  readonly sentinel: Readonly<Record<"username" | "password" | "passwordFile", string | null>>;
  /** Paths of PEM files, and the name in the server's certificate. */
  readonly tls: Readonly<Record<"ca" | "cert" | "key" | "serverName", string | null>>;
  readonly prefix: string;
  /** Where other boxes reach this one; null: at the first address that is listened on. */
  readonly advertise: Endpoint | null;
  /** The part of the site that the box is in; empty: nobody has said. */
  readonly zone: string;
  readonly leaseMs: number;
  readonly timeoutMs: number;
  readonly secondPublisher: "refuse" | "takeover" | "backup";
  /** What becomes of a publisher while the registry cannot be asked. */
  readonly whenAway: "accept" | "refuse";
}

/** How hooks are called. */
export interface HookSettings {
  readonly timeoutMs: number;
  /** Calls of one process that are under way at one URL. */
  readonly connections: number;
  readonly keepsAlive: boolean;
  /** The key of signatures; null: none. */
  readonly secret: string | null;
  /** How often a notification is sent again. */
  readonly retries: number;
  /** What a backend that does not answer is taken to say. */
  readonly whenDown: "deny" | "allow" | "last";
  /** How long the answer about a player holds for those that are alike; 0: for that player alone. */
  readonly cacheMs: number;
}

/** The hooks of a vhost. */
export const hookNames = [
  "on_connect",
  "on_close",
  "on_publish",
  "on_unpublish",
  "on_play",
  "on_stop",
  "on_dvr",
  "on_hls",
  "on_hls_notify",
] as const;

/** The URLs of each; none where hooks are off. */
export type VhostHooks = Readonly<Record<(typeof hookNames)[number], readonly string[]>>;

/** The hooks of a vhost, each by its name. */
export function hooksOf(urlsOf: (name: (typeof hookNames)[number]) => readonly string[]): VhostHooks {
  return Object.fromEntries(hookNames.map((name) => [name, urlsOf(name)])) as unknown as VhostHooks;
}

/** How a server is chosen for a connection that no stream ties to one. */
export type PolicyName = (typeof policyNames)[number];

/** PlanB: the servers behind the proxies, and how connections are spread over them. */
export interface BalanceBlock {
  /** `builtin`, the path of an srs, or the words of any other server's command, with `{rtmp_port}` and the like in them. */
  readonly server: readonly string[];
  /** The configuration of a foreign server: a template for a command, the file itself for an srs; null: none of its own. */
  readonly serverConf: string | null;
  /** Servers; `auto`: one for each proxy. */
  readonly servers: number | "auto";
  /** Ports of the servers in their order, where somebody asks for certain ones; null: chosen. */
  readonly serverPorts: { readonly rtmp: readonly number[]; readonly http: readonly number[] } | null;
  readonly policy: PolicyName;
  /** `stream`: all connections of a stream go to the server that it is published to; `auto`: so, unless every vhost is an edge. */
  readonly routing: "auto" | "stream" | "connection";
  /** Weights of the servers in their order, above 0; those beyond the list weigh 1. */
  readonly weights: readonly number[];
  /** Connections that one server gets at most; null: no cap. */
  readonly maxServerConnections: number | null;
  /** How long players wait for the publisher of their stream before they are sent to any server. */
  readonly playWaitMs: number;
  /** Networks (CIDR) from which prefaces and headers that name the client are believed. */
  readonly trustedProxies: readonly string[];
  /** How a server is told who the client is, by what stands before the client's own bytes; `auto`: see {@link prefaceFor}. */
  readonly sendProxy: (typeof proxyHeaders)[number];
}

/** The word for our own server. */
export const builtin = "builtin";

/**
 * What PlanB's proxies write before a client's bytes; null: nothing. Our own servers are told by version 2 unless somebody says
 * otherwise, others only when somebody asks. SRS's form is for RTMP: its HTTP reads none, and ours gets version 2.
 */
export function prefaceFor(dolphin: DolphinBlock, protocol: "rtmp" | "http"): "v1" | "v2" | "srs" | null {
  const { sendProxy } = dolphin.balance;
  if (sendProxy === "off") return null;
  const isAsked = sendProxy !== "auto" && !(sendProxy === "srs" && protocol === "http");
  if (isAsked) return sendProxy;
  return isForeign(dolphin) ? null : "v2";
}

/** Whether the servers of PlanB are another program. */
export function isForeign({ balance }: DolphinBlock): boolean {
  return balance.server[0] !== builtin;
}

/** What `routing auto` comes to: streams live in one place unless every server pulls them from somewhere else. */
export function routingOf({ dolphin, vhosts }: Config): "stream" | "connection" {
  const { routing } = dolphin.balance;
  if (routing !== "auto") return routing;
  const served = vhosts.filter(({ enabled }) => enabled);
  return served.length > 0 && served.every(({ cluster }) => cluster.mode === "remote") ? "connection" : "stream";
}

export interface Vhost {
  /** `__defaultVhost__` serves every name that no other vhost has. */
  readonly name: string;
  readonly enabled: boolean;
  /** Output chunk size in bytes, 128…65536. */
  readonly chunkSize: number;
  /** Window sizes in bytes; 0: the peer's own for what we receive, none announced for what we send. */
  readonly inAckSizeBytes: number;
  readonly outAckSizeBytes: number;
  readonly minLatency: boolean;
  readonly tcpNodelay: boolean;
  readonly cluster: {
    readonly mode: "local" | "remote";
    /** The file says `mode remote`: its streams are in the box while somebody plays them. To edges of the box's own origin every vhost is remote. */
    readonly isOnDemand: boolean;
    /** Upstream servers in the order of preference; at least one when the mode is remote and the vhost enabled, but for `findsOrigin`. */
    readonly origins: readonly Endpoint[];
    /** There are none, for the site's registry is asked. */
    readonly findsOrigin: boolean;
    /** The vhost asked for upstream; `[vhost]` stands for the client's. */
    readonly vhost: string;
    /** Whether our connect command tells who we are. */
    readonly debugSrsUpnode: boolean;
    /** It serves what is published to another origin of its cluster, whose HTTP APIs are those of `coworkers`. */
    readonly isInOriginCluster: boolean;
    readonly coworkers: readonly Endpoint[];
  };
  readonly play: {
    readonly gopCache: boolean;
    /** 0: no limit in frames (the limit in bytes stays). */
    readonly gopCacheMaxFrames: number;
    readonly queueLengthMs: number;
    readonly mwLatencyMs: number;
    readonly timeJitter: TimeJitter;
    /** Keep the encoder's timestamps untouched. */
    readonly atc: boolean;
    readonly reduceSequenceHeader: boolean;
  };
  readonly publish: { readonly firstPacketTimeoutMs: number; readonly normalTimeoutMs: number };
  readonly httpRemux: {
    readonly enabled: boolean;
    /** For example `[vhost]/[app]/[stream].flv`; the ending is the container. */
    readonly mounts: readonly string[];
    readonly hasAudio: boolean;
    readonly hasVideo: boolean;
    readonly guessHasAv: boolean;
    /** The file says nothing of http_remux for this vhost, so that `--http` may switch it on. */
    readonly isAbsent?: true;
  };
  /** `backend`: the URL that names the destinations, in place of those that are written; null: none does. */
  readonly forward: { readonly enabled: boolean; readonly destinations: readonly Endpoint[]; readonly backend: string | null };
  readonly hooks: VhostHooks;
  /** Files of its own; null: none. */
  readonly httpStatic: {
    /** For example `[vhost]/` or `[vhost]/hls`. */
    readonly mount: string;
    /** The folder; `[vhost]` in it stands for the vhost's name. */
    readonly dir: string;
  } | null;
  /** Who may play and publish, by address; null: everybody. */
  readonly security: { readonly allow: readonly AccessRule[]; readonly deny: readonly AccessRule[] } | null;
  /** The domains whose pages may play and publish; null: all, and so does an empty list. */
  readonly refer: { readonly all: readonly string[]; readonly play: readonly string[]; readonly publish: readonly string[] } | null;
  /** Null: none is written. */
  readonly hls: HlsBlock | null;
  readonly dvr: DvrBlock | null;
  /** What ffmpeg brings in, makes of streams, and other programs that run while a stream is published. */
  readonly ingests: readonly IngestBlock[];
  readonly transcodes: readonly TranscodeBlock[];
  /** The words of each. */
  readonly exec: readonly (readonly string[])[];
}

/** One `allow` or `deny`. */
export interface AccessRule {
  readonly does: "play" | "publish";
  /** `all`, or a network: `10.0.0.0/8`. */
  readonly network: string;
}
