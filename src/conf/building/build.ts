// A checked tree → Config: names become fields, absent values their defaults. Values that could not be read were replaced
// (and reported by meaning/check.ts) as values.ts says. What takes more than a row of the table is decided here.
import { canonicalHost } from "../../base/host-name.js";
import { parseAccessRule, parseCoworker, parseNetwork, parseResolver, parseWeight } from "../meaning/balance-values.js";
import { buildDvr, buildExec, buildHls, buildIngests, buildTranscodes } from "./build-recording.js";
import { buildRegistry } from "../meaning/registry.js";
import {
  type AccessRule,
  type ApiAuth,
  type ApiSettings,
  type BalanceBlock,
  builtin,
  type Config,
  type DolphinBlock,
  type Endpoint,
  type ExporterSettings,
  hooksOf,
  type LogSettings,
  type Vhost,
  type VhostHooks,
} from "../meaning/config.js";
import { besideEachOther, overlaps } from "../meaning/endpoint.js";
import { findsOrigin, isEdgeWithoutOrigin } from "../meaning/rules.js";
import { type Block, blockIn, find, findAll, isGiven, valueOf, vhostsIn } from "../meaning/tree.js";

/** What a configuration is made from beside its text. */
interface Circumstances {
  readonly file: string | null;
  readonly isContainer: boolean;
  /** Nobody wrote it: it is what a bare start serves. */
  readonly isBuiltIn: boolean;
}

/** Makes the configuration of a tree in which meaning/check.ts found no error. */
export function build(root: Block<"root">, { file, isContainer, isBuiltIn }: Circumstances): Config {
  const http = blockIn(root, "http_server");
  const pidFile = valueOf(root, "pid");
  return {
    file,
    listen: besideEachOther(valueOf(root, "listen")),
    maxConnections: valueOf(root, "max_connections"),
    daemon: valueOf(root, "daemon"),
    pidFile: pidFile === "off" ? null : pidFile,
    workDir: valueOf(root, "work_dir"),
    asProcess: valueOf(root, "asprocess"),
    serverId: valueOf(root, "server_id"),
    log: buildLog(root, isContainer),
    grace: {
      startWaitMs: valueOf(root, "grace_start_wait"),
      finalWaitMs: valueOf(root, "grace_final_wait"),
      isForced: valueOf(root, "force_grace_quit"),
    },
    isWatched: valueOf(root, "inotify_auto_reload"),
    container: {
      isGiven: valueOf(root, "in_docker"),
      staysInForeground: valueOf(root, "disable_daemon_for_docker"),
      isWatched: valueOf(root, "auto_reload_for_docker"),
    },
    http: valueOf(http, "enabled") ? { listen: besideEachOther(valueOf(http, "listen")), crossdomain: valueOf(http, "crossdomain") } : null,
    api: buildApi(root, isBuiltIn),
    exporter: buildExporter(blockIn(root, "exporter")),
    heartbeat: buildHeartbeat(blockIn(root, "heartbeat")),
    httpDir: valueOf(http, "dir"),
    vhosts: buildVhosts(root),
    dolphin: buildDolphin(blockIn(root, "dolphin"), valueOf(root, "ff_log_level")),
  };
}

function buildApi(root: Block<"root">, mayLack: boolean): ApiSettings {
  const block = blockIn(root, "http_api");
  const raw = blockIn(block, "raw_api");
  const dolphin = blockIn(root, "dolphin");
  return {
    listen: apiAddresses(root),
    tls: buildApiTls(root),
    atHttp: apiAtHttp(root),
    mayLack,
    crossdomain: valueOf(blockIn(root, "http_server"), "crossdomain"),
    raw: { isEnabled: valueOf(raw, "enabled"), allowsReload: valueOf(raw, "allow_reload") },
    auth: buildAuth(blockIn(block, "auth")),
    token: valueOf(dolphin, "api_token"),
    servesJsonp: valueOf(dolphin, "api_jsonp"),
  };
}

/** Without those that HTTP streaming has, where the processes that serve that pass on what is the API's. */
function apiAddresses(root: Block<"root">): readonly Endpoint[] {
  const [api, http] = [blockIn(root, "http_api"), blockIn(root, "http_server")];
  if (!valueOf(api, "enabled")) return [];
  const others = valueOf(http, "enabled") ? valueOf(http, "listen") : [];
  return besideEachOther(valueOf(api, "listen")).filter((one) => !others.some((other) => overlaps(one, other)));
}

function buildApiTls(root: Block<"root">): ApiSettings["tls"] {
  const block = blockIn(root, "http_api");
  const tls = blockIn(block, "https");
  if (!valueOf(block, "enabled") || !valueOf(tls, "enabled")) return null;
  return { listen: besideEachOther(valueOf(tls, "listen")), key: valueOf(tls, "key"), cert: valueOf(tls, "cert") };
}

function apiAtHttp(root: Block<"root">): ApiSettings["atHttp"] {
  const [api, http] = [blockIn(root, "http_api"), blockIn(root, "http_server")];
  if (!valueOf(api, "enabled") || !valueOf(http, "enabled")) return null;
  if (valueOf(api, "listen").some((one) => valueOf(http, "listen").some((other) => overlaps(one, other)))) return "api";
  return valueOf(blockIn(root, "dolphin"), "console_on_http") ? "console" : null;
}

function buildAuth(block: Block<"http_api.auth">): ApiAuth | null {
  if (!valueOf(block, "enabled")) return null;
  if (valueOf(block, "type") === "bearer") return { type: "bearer", token: valueOf(block, "token") ?? "" };
  return { type: "basic", username: valueOf(block, "username") ?? "", password: valueOf(block, "password") ?? "" };
}

function buildExporter(block: Block<"exporter">): ExporterSettings {
  const listen = valueOf(block, "enabled") ? besideEachOther(valueOf(block, "listen")) : [];
  return { listen, label: valueOf(block, "label"), tag: valueOf(block, "tag") };
}

function buildHeartbeat(block: Block<"heartbeat">): Config["heartbeat"] {
  if (!valueOf(block, "enabled")) return null;
  const [url, intervalMs, tellsPorts] = [valueOf(block, "url"), valueOf(block, "interval"), valueOf(block, "ports")];
  return { url, intervalMs, deviceId: valueOf(block, "device_id") ?? "", tellsPorts };
}

function buildLog(root: Block<"root">, isContainer: boolean): LogSettings {
  const block = blockIn(root, "dolphin");
  const givesWay = !isGiven(block, "log_max_size") && !isGiven(block, "log_max_age");
  const maxSize = givesWay || isGiven(block, "log_max_size") ? valueOf(block, "log_max_size") : "off";
  return {
    file: logFile(root, isContainer),
    level: logLevel(root),
    format: valueOf(root, "srs_log_format"),
    maxSizeBytes: maxSize === "off" ? null : bytesOf(maxSize),
    givesWay,
    maxAgeMs: valueOf(block, "log_max_age"),
    maxFiles: valueOf(block, "log_max_files"),
    isCompressed: valueOf(block, "log_compress"),
  };
}

function bytesOf(mib: number | null): number | null {
  return mib === null ? null : mib * 1024 * 1024;
}

/** Containers gather what is written to the console; everywhere else SRS's default is a file. */
function logFile(root: Block<"root">, isContainer: boolean): string | null {
  const isConsole = isGiven(root, "srs_log_tank") ? valueOf(root, "srs_log_tank") === "console" : isContainer || valueOf(root, "in_docker");
  return isConsole ? null : valueOf(root, "srs_log_file");
}

const levelOfOldWord = { verbose: "trace", info: "debug", trace: "info", warn: "warn", error: "error", silent: "silent" } as const;

function logLevel(root: Block<"root">): LogSettings["level"] {
  return valueOf(root, "srs_log_level_v2") ?? levelOfOldWord[valueOf(root, "srs_log_level")];
}

function buildDolphin(block: Block<"dolphin">, ffmpegLogLevel: string): DolphinBlock {
  const minFree = valueOf(block, "dvr_min_free");
  const balance = buildBalance(block);
  const isForeignAlone = balance.server[0] !== builtin && !isGiven(block, "plan");
  return {
    plan: isForeignAlone ? "b" : valueOf(block, "plan"),
    cores: valueOf(block, "cores"),
    originProcess: valueOf(block, "origin_process"),
    controlSocket: valueOf(block, "control_socket"),
    heartbeatTimeoutMs: valueOf(block, "heartbeat_timeout"),
    stopTimeoutMs: valueOf(block, "stop_timeout"),
    carriesSessions: valueOf(block, "carry_sessions"),
    warmsUp: valueOf(block, "warm_up"),
    drainTimeoutMs: valueOf(block, "drain_timeout"),
    drainSpreadMs: valueOf(block, "drain_spread"),
    workers: { maxMemoryBytes: bytesOf(valueOf(block, "worker_max_memory")), maxAgeMs: valueOf(block, "worker_max_age") },
    flvWaitMs: valueOf(block, "http_flv_wait"),
    pullLingerMs: valueOf(block, "pull_linger"),
    resolver: parseResolver(valueOf(block, "resolver") ?? ""),
    clusterPlay: valueOf(block, "cluster_play"),
    hooks: {
      timeoutMs: valueOf(block, "hook_timeout"),
      connections: valueOf(block, "hook_connections"),
      keepsAlive: valueOf(block, "hook_keep_alive"),
      secret: valueOf(block, "hook_secret"),
      retries: valueOf(block, "hook_retries"),
      whenDown: valueOf(block, "hook_when_down"),
      cacheMs: valueOf(block, "hook_cache"),
    },
    metricsStreams: valueOf(block, "metrics_streams"),
    packagers: valueOf(block, "packagers"),
    minFreeBytes: minFree === "off" ? null : bytesOf(minFree),
    ffmpegLogLevel,
    balance,
    registry: buildRegistry(block),
  };
}

function buildBalance(block: Block<"dolphin">): BalanceBlock {
  return {
    server: valueOf(block, "server"),
    serverConf: valueOf(block, "server_conf"),
    servers: valueOf(block, "servers"),
    serverPorts: null,
    policy: valueOf(block, "balance"),
    routing: valueOf(block, "routing"),
    weights: valueOf(block, "server_weight").flatMap((text) => parseWeight(text) ?? []),
    maxServerConnections: valueOf(block, "server_max_connections"),
    playWaitMs: valueOf(block, "play_wait"),
    trustedProxies: valueOf(block, "trusted_proxies").flatMap((text) => parseNetwork(text) ?? []),
    sendProxy: valueOf(block, "send_proxy"),
  };
}

/** Of vhosts of one name the first counts. */
function buildVhosts(root: Block<"root">): Vhost[] {
  const vhosts = new Map<string, Vhost>();
  const hasRegistry = buildRegistry(blockIn(root, "dolphin")) !== null;
  for (const { at, vhost } of vhostsIn(root)) {
    const name = at.args[0] ?? "";
    const host = canonicalHost(name);
    if (!vhosts.has(host))
      vhosts.set(host, buildVhost(name, vhost, { chunkSize: valueOf(root, "chunk_size"), isUtc: valueOf(root, "utc_time"), hasRegistry }));
  }
  return [...vhosts.values()];
}

/** What the root says for all vhosts. */
interface OfRoot {
  readonly chunkSize: number;
  readonly isUtc: boolean;
  readonly hasRegistry: boolean;
}

function buildVhost(name: string, vhost: Block<"vhost">, { chunkSize, isUtc, hasRegistry }: OfRoot): Vhost {
  const cluster = blockIn(vhost, "cluster");
  const play = blockIn(vhost, "play");
  const publish = blockIn(vhost, "publish");
  const remux = blockIn(vhost, "http_remux");
  const forward = blockIn(vhost, "forward");
  return {
    name,
    enabled: valueOf(vhost, "enabled") && !isEdgeWithoutOrigin(vhost),
    chunkSize: valueOf(vhost, "chunk_size") ?? chunkSize,
    inAckSizeBytes: valueOf(vhost, "in_ack_size"),
    outAckSizeBytes: valueOf(vhost, "out_ack_size"),
    minLatency: valueOf(vhost, "min_latency"),
    tcpNodelay: valueOf(vhost, "tcp_nodelay"),
    cluster: {
      mode: valueOf(cluster, "mode"),
      isOnDemand: valueOf(cluster, "mode") === "remote",
      origins: findsOrigin(cluster) ? [] : valueOf(cluster, "origin"),
      findsOrigin: findsOrigin(cluster),
      vhost: valueOf(cluster, "vhost"),
      debugSrsUpnode: valueOf(cluster, "debug_srs_upnode"),
      isInOriginCluster: valueOf(cluster, "origin_cluster") || hasRegistry,
      coworkers: valueOf(cluster, "coworkers").flatMap((text) => parseCoworker(text) ?? []),
    },
    play: {
      gopCache: valueOf(play, "gop_cache"),
      gopCacheMaxFrames: valueOf(play, "gop_cache_max_frames"),
      queueLengthMs: valueOf(play, "queue_length"),
      mwLatencyMs: valueOf(play, "mw_latency"),
      timeJitter: valueOf(play, "time_jitter"),
      atc: valueOf(play, "atc"),
      reduceSequenceHeader: valueOf(play, "reduce_sequence_header"),
    },
    publish: { firstPacketTimeoutMs: valueOf(publish, "firstpkt_timeout"), normalTimeoutMs: valueOf(publish, "normal_timeout") },
    httpRemux: {
      enabled: valueOf(remux, "enabled"),
      mounts: valueOf(remux, "mount"),
      hasAudio: valueOf(remux, "has_audio"),
      hasVideo: valueOf(remux, "has_video"),
      guessHasAv: valueOf(remux, "guess_has_av"),
      ...(find(vhost, "http_remux") === undefined ? { isAbsent: true as const } : {}),
    },
    forward: {
      enabled: valueOf(forward, "enabled"),
      destinations: valueOf(forward, "destination"),
      backend: valueOf(forward, "backend"),
    },
    hooks: buildHooks(blockIn(vhost, "http_hooks")),
    httpStatic: buildHttpStatic(blockIn(vhost, "http_static")),
    security: buildSecurity(blockIn(vhost, "security")),
    refer: buildRefer(blockIn(vhost, "refer")),
    hls: buildHls(vhost, isUtc),
    dvr: buildDvr(vhost, isUtc),
    ingests: buildIngests(vhost),
    transcodes: buildTranscodes(vhost),
    exec: buildExec(vhost),
  };
}

function buildHttpStatic(block: Block<"vhost.http_static">): Vhost["httpStatic"] {
  return valueOf(block, "enabled") ? { mount: valueOf(block, "mount"), dir: valueOf(block, "dir") } : null;
}

function buildSecurity(block: Block<"vhost.security">): Vhost["security"] {
  const rulesOf = (name: "allow" | "deny"): AccessRule[] => findAll(block, name).flatMap(({ args }) => parseAccessRule(args) ?? []);
  return valueOf(block, "enabled") ? { allow: rulesOf("allow"), deny: rulesOf("deny") } : null;
}

function buildRefer(block: Block<"vhost.refer">): Vhost["refer"] {
  if (!valueOf(block, "enabled")) return null;
  return { all: valueOf(block, "all"), play: valueOf(block, "play"), publish: valueOf(block, "publish") };
}

function buildHooks(hooks: Block<"vhost.http_hooks">): VhostHooks {
  const isOn = valueOf(hooks, "enabled");
  return hooksOf((name) => (isOn ? valueOf(hooks, name) : []));
}
