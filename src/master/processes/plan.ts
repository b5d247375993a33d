// From a configuration to the processes that serve it. Pure: what has to be asked of the machine comes in as facts.
//
//   plan a        public ports ─ edge-1..N ──► origin (in the master, or a child of its own), 127.0.0.1:auto
//   plan single   public ports ─ server
//   plan b        public ports ─ proxy-1..N ──► server-1..N, 127.0.0.1:chosen ports (backends/plan.ts)
//
// Edges relay every vhost to the origin and keep its name; the origin keeps the user's vhosts, so that a vhost of
// `mode remote` is pulled from its far origin once for the whole box, and forwarding happens in one place.
import type { Config, Endpoint, Vhost } from "../../conf/meaning/config.js";
import { loopback } from "../../conf/meaning/endpoint.js";
import type { ServerApi } from "../../ipc/balance.js";
import type { ChildState } from "./child.js";

export interface PlanFacts {
  /** What `cores auto` stands for. */
  readonly cores: number;
  /** Where the origin of plan a listens; its host is a loopback address. */
  readonly origin: Endpoint;
  /** Open files that one process may have; null when unknown. */
  readonly maxOpenFiles: number | null;
}

/** One process to run. */
export interface ProcessSpec {
  /** `edge-2`, `origin`, `server`, `proxy-1`, `server-1`. */
  readonly name: string;
  readonly duty: "origin" | "edge" | "server" | "proxy" | "admin" | "packager";
  /** Whether it is a child process or lives in the master. */
  readonly place: "child" | "master";
  /** Whether it serves the public addresses; an origin serves the loopback one alone. */
  readonly isPublic: boolean;
  /** The child that must be ready before this one is started for the first time. */
  readonly startsAfter: string | null;
  readonly config: Config;
  readonly maxConnections: number | null;
  /** Of a packager: the servers that have the streams. */
  readonly origins?: readonly Endpoint[];
  /** What it is to the proxies, if it is a server behind them. */
  readonly backend?: BackendPlace;
}

/** A foreign program as it is to be run in one slot. */
export interface Program {
  readonly argv: readonly string[];
  /** What stands in its environment beside ours. */
  readonly env: Readonly<Record<string, string>>;
  /** Its scratch folder, made before it starts. */
  readonly folder: string;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Whether it serves HTTP on its slot's port. */
  readonly servesHttp: boolean;
  /** Whether it serves SRS's API on its slot's port for that, and whether the public HTTP port is to pass requests for it: `here`. */
  readonly api: "here" | "apart" | null;
  /** Where it is started; null: in the master's own folder. */
  readonly cwd: string | null;
}

/** A server's place behind the proxies of plan b. */
export interface BackendPlace {
  readonly rtmp: Endpoint;
  readonly http: Endpoint | null;
  readonly api: ServerApi | null;
  readonly weight: number;
  /** The foreign program to run; null: our own server, a child like all others. */
  readonly program: Program | null;
}

/** The processes of plan a and plan single, in the order of their start. */
export function planProcesses(config: Config, facts: PlanFacts): ProcessSpec[] {
  return config.dolphin.plan === "single" ? planSingle(config, facts) : planA(config, facts);
}

/** The process that answers operators, where there is an address for it. */
export function planAdmin(config: Config): ProcessSpec[] {
  const { api, exporter } = config;
  if (api.listen.length + exporter.listen.length === 0 && api.tls === null && api.atHttp === null) return [];
  return [{ name: "admin", duty: "admin", place: "child", isPublic: false, startsAfter: null, config, maxConnections: null }];
}

/** Whether no stream, viewer or publisher depends on a process: a box serves with it or without. */
export function isAide({ duty }: Pick<ProcessSpec, "duty">): boolean {
  return duty === "admin" || duty === "packager";
}

/** Whether viewers come to a process and it sends them their streams. */
export function isServing({ duty, isPublic }: Pick<ProcessSpec, "duty" | "isPublic">): boolean {
  return isPublic && (duty === "edge" || duty === "server");
}

/**
 * The processes that write streams to disk and run programs, where a vhost asks for that; `specs`: those of our own servers that streams
 * are published to, or pulled by. Several share the streams by names of the kernel, which only Linux has.
 */
export function planPackagers(config: Config, specs: readonly ProcessSpec[]): ProcessSpec[] {
  const isAsked = config.vhosts.some(({ enabled, cluster, hls, dvr, ingests, transcodes, exec }) => {
    const isOfPublished = cluster.mode === "local" && transcodes.length + exec.length > 0;
    return enabled && (hls !== null || dvr !== null || ingests.length > 0 || isOfPublished);
  });
  const origins = isAsked ? specs.flatMap(originsOf) : [];
  if (origins.length === 0) return [];
  const count = process.platform === "linux" ? config.dolphin.packagers : 1;
  const spec = { duty: "packager", place: "child", isPublic: false, startsAfter: null, config, maxConnections: null, origins } as const;
  return Array.from({ length: count }, (_, index) => ({ ...spec, name: index === 0 ? "packager" : `packager-${index + 1}` }));
}

/** Where the streams of a process can be had that are published to it; none where it has none, or is not ours. */
function originsOf({ duty, config, backend }: ProcessSpec): Endpoint[] {
  if (backend !== undefined) return backend.program === null ? [backend.rtmp] : [];
  const [first] = config.listen;
  return (duty === "origin" || duty === "server") && first !== undefined ? [reachable(first)] : [];
}

/** An address to listen on, as it is connected to from the same machine. */
function reachable({ host, port }: Endpoint): Endpoint {
  return { host: host === "0.0.0.0" ? loopback : host === "::" ? "::1" : host, port };
}

/** How many public workers a configuration asks for. */
function countWorkers(config: Pick<Config, "dolphin">, cores: number): number {
  if (config.dolphin.plan === "single") return 1;
  return config.dolphin.cores === "auto" ? cores : config.dolphin.cores;
}

/** Names of the processes that serve the public addresses. */
export function publicNames(config: Pick<Config, "dolphin">, cores: number): string[] {
  if (config.dolphin.plan === "single") return ["server"];
  const noun = config.dolphin.plan === "b" ? "proxy" : "edge";
  return Array.from({ length: countWorkers(config, cores) }, (_, index) => `${noun}-${index + 1}`);
}

function planSingle(config: Config, facts: PlanFacts): ProcessSpec[] {
  const maxConnections = connectionLimit(config, 1, facts);
  return [{ name: "server", duty: "server", place: "child", isPublic: true, startsAfter: null, config, maxConnections }];
}

function planA(config: Config, facts: PlanFacts): ProcessSpec[] {
  const place = config.dolphin.originProcess;
  const origin: ProcessSpec = {
    name: "origin",
    duty: "origin",
    place,
    isPublic: false,
    startsAfter: null,
    config: { ...config, listen: [facts.origin], http: null },
    maxConnections: null,
  };
  const names = publicNames(config, facts.cores);
  const edgeConfig = { ...config, vhosts: config.vhosts.map((vhost) => edgeVhost(vhost, facts.origin)) };
  const maxConnections = connectionLimit(config, names.length, facts);
  const edges = names.map((name): ProcessSpec => ({
    name,
    duty: "edge",
    place: "child",
    isPublic: true,
    startsAfter: place === "child" ? origin.name : null,
    config: edgeConfig,
    maxConnections,
  }));
  return [origin, ...edges];
}

function edgeVhost(vhost: Vhost, origin: Endpoint): Vhost {
  return {
    ...vhost,
    // The origin knows its own edges by what their connect command tells, so that is always on inside the box.
    cluster: { ...vhost.cluster, mode: "remote", origins: [origin], findsOrigin: false, vhost: "[vhost]", debugSrsUpnode: true },
    forward: { enabled: false, destinations: [], backend: null },
  };
}

/**
 * A process's share of `max_connections`, or what its open files allow: less what it needs beside its connections, which are
 * libraries, pipes, the log, and pulls (a tenth).
 */
export function connectionLimit(config: Config, processes: number, { maxOpenFiles }: Pick<PlanFacts, "maxOpenFiles">): number | null {
  if (config.maxConnections !== null) return Math.ceil(config.maxConnections / processes);
  return maxOpenFiles === null ? null : Math.max(16, Math.floor(maxOpenFiles * 0.9) - 64);
}

/** A process as its supervisor knows it, as far as it matters here; `state` is that of child.ts. */
interface StartedChild {
  readonly spec: Pick<ProcessSpec, "isPublic" | "duty">;
  readonly child: { readonly state: ChildState };
}

/**
 * Whether a box has come up: every child serves or was given up, and somebody serves, one of those on the public addresses and one of
 * those behind them where there are any. Nobody waits for aides.
 */
export function isComeUp(all: readonly StartedChild[]): boolean {
  const children = all.filter(({ spec }) => !isAide(spec));
  const hasSettled = children.every(({ child }) => child.state === "up" || child.state === "failed");
  const serves = (isPublic: boolean): boolean => {
    const group = children.filter(({ spec }) => spec.isPublic === isPublic);
    return group.length === 0 || group.some(({ child }) => child.state === "up");
  };
  return children.length > 0 && hasSettled && serves(true) && serves(false);
}
