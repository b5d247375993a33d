// A checked tree → Config: names become fields, absent values their defaults. Values that could not be read were replaced
// (and reported by check.ts) as values.ts says. What takes more than a row of the table is decided here.
import { parseNetwork, parseWeight } from "./balance-values.js";
import {
  type BalanceBlock,
  builtin,
  type Config,
  type DolphinBlock,
  type LogSettings,
  policyNames,
  proxyHeaders,
  type Vhost,
} from "./config.js";
import { isEdgeWithoutOrigin } from "./rules.js";
import {
  type Block,
  blockIn,
  endpointsOf,
  find,
  findAll,
  inside,
  isGiven,
  isOn,
  numberOf,
  optionalNumberOf,
  optionalTextOf,
  textOf,
  textsOf,
  valueOf,
  wordOf,
} from "./tree.js";

/** Makes the configuration of a file in which check.ts found no error. */
export function build(root: Block, file: string | null): Config {
  const http = blockIn(root, "http_server");
  return {
    file,
    listen: endpointsOf(root, "listen"),
    maxConnections: optionalNumberOf(root, "max_connections"),
    daemon: isOn(root, "daemon"),
    pidFile: optionalTextOf(root, "pid"),
    workDir: textOf(root, "work_dir"),
    asProcess: isOn(root, "asprocess"),
    serverId: optionalTextOf(root, "server_id"),
    log: buildLog(root),
    grace: {
      startWaitMs: numberOf(root, "grace_start_wait"),
      finalWaitMs: numberOf(root, "grace_final_wait"),
      isForced: isOn(root, "force_grace_quit"),
    },
    isWatched: isOn(root, "inotify_auto_reload"),
    container: {
      isGiven: isOn(root, "in_docker"),
      staysInForeground: isOn(root, "disable_daemon_for_docker"),
      isWatched: isOn(root, "auto_reload_for_docker"),
    },
    http: isOn(http, "enabled") ? { listen: endpointsOf(http, "listen"), crossdomain: isOn(http, "crossdomain") } : null,
    vhosts: buildVhosts(root),
    dolphin: buildDolphin(blockIn(root, "dolphin")),
  };
}

function buildLog(root: Block): LogSettings {
  const block = blockIn(root, "dolphin");
  const maxSizeMib = optionalNumberOf(block, "log_max_size");
  return {
    file: logFile(root),
    level: logLevel(root),
    format: wordOf(root, "srs_log_format", ["json", "srs"]),
    maxSizeBytes: maxSizeMib === null ? null : maxSizeMib * 1024 * 1024,
    maxAgeMs: optionalNumberOf(block, "log_max_age"),
    maxFiles: numberOf(block, "log_max_files"),
    isCompressed: isOn(block, "log_compress"),
  };
}

/** SRS logs to a file when nothing is said; here only when one is asked for, so that nothing is written by surprise. */
function logFile(root: Block): string | null {
  const tank = optionalTextOf(root, "srs_log_tank") ?? (isGiven(root, "srs_log_file") ? "file" : "console");
  return tank === "file" ? textOf(root, "srs_log_file") : null;
}

const levelOfOldWord = { verbose: "trace", info: "debug", trace: "info", warn: "warn", error: "error", silent: "silent" } as const;
const oldWords = ["verbose", "info", "trace", "warn", "error", "silent"] as const;
const levels = ["trace", "debug", "info", "warn", "error", "silent"] as const;

function logLevel(root: Block): LogSettings["level"] {
  if (isGiven(root, "srs_log_level_v2")) return wordOf(root, "srs_log_level_v2", levels);
  return levelOfOldWord[wordOf(root, "srs_log_level", oldWords)];
}

function buildDolphin(block: Block): DolphinBlock {
  const balance = buildBalance(block);
  const isForeignAlone = balance.server[0] !== builtin && !isGiven(block, "plan");
  return {
    plan: isForeignAlone ? "b" : wordOf(block, "plan", ["a", "b", "single"]),
    cores: countOf(block, "cores"),
    originProcess: wordOf(block, "origin_process", ["master", "child"]),
    controlSocket: optionalTextOf(block, "control_socket"),
    heartbeatTimeoutMs: numberOf(block, "heartbeat_timeout"),
    stopTimeoutMs: numberOf(block, "stop_timeout"),
    drainTimeoutMs: optionalNumberOf(block, "drain_timeout"),
    flvWaitMs: numberOf(block, "http_flv_wait"),
    pullLingerMs: numberOf(block, "pull_linger"),
    balance,
  };
}

function buildBalance(block: Block): BalanceBlock {
  return {
    server: textsOf(block, "server"),
    serverConf: optionalTextOf(block, "server_conf"),
    servers: countOf(block, "servers"),
    serverPorts: null,
    policy: wordOf(block, "balance", policyNames),
    routing: wordOf(block, "routing", ["auto", "stream", "connection"]),
    weights: textsOf(block, "server_weight").flatMap((text) => parseWeight(text) ?? []),
    maxServerConnections: optionalNumberOf(block, "server_max_connections"),
    playWaitMs: numberOf(block, "play_wait"),
    trustedProxies: textsOf(block, "trusted_proxies").flatMap((text) => parseNetwork(text) ?? []),
    sendProxy: wordOf(block, "send_proxy", proxyHeaders),
  };
}

function countOf(block: Block, name: string): number | "auto" {
  const value = valueOf(block, name);
  return typeof value === "number" ? value : "auto";
}

/** Of vhosts of one name the first counts. */
function buildVhosts(root: Block): Vhost[] {
  const vhosts = new Map<string, Vhost>();
  for (const directive of findAll(root, "vhost")) {
    const name = directive.args[0] ?? "";
    if (!vhosts.has(name)) vhosts.set(name, buildVhost(name, inside(root, directive), numberOf(root, "chunk_size")));
  }
  return [...vhosts.values()];
}

function buildVhost(name: string, vhost: Block, chunkSize: number): Vhost {
  const cluster = blockIn(vhost, "cluster");
  const play = blockIn(vhost, "play");
  const publish = blockIn(vhost, "publish");
  const remux = blockIn(vhost, "http_remux");
  const forward = blockIn(vhost, "forward");
  return {
    name,
    enabled: isOn(vhost, "enabled") && !isEdgeWithoutOrigin(vhost),
    chunkSize: optionalNumberOf(vhost, "chunk_size") ?? chunkSize,
    inAckSizeBytes: numberOf(vhost, "in_ack_size"),
    outAckSizeBytes: numberOf(vhost, "out_ack_size"),
    minLatency: isOn(vhost, "min_latency"),
    tcpNodelay: isOn(vhost, "tcp_nodelay"),
    cluster: {
      mode: wordOf(cluster, "mode", ["local", "remote"]),
      origins: endpointsOf(cluster, "origin"),
      vhost: textOf(cluster, "vhost"),
      debugSrsUpnode: isOn(cluster, "debug_srs_upnode"),
    },
    play: {
      gopCache: isOn(play, "gop_cache"),
      gopCacheMaxFrames: numberOf(play, "gop_cache_max_frames"),
      queueLengthMs: numberOf(play, "queue_length"),
      mwLatencyMs: numberOf(play, "mw_latency"),
      timeJitter: wordOf(play, "time_jitter", ["full", "zero", "off"]),
      atc: isOn(play, "atc"),
      reduceSequenceHeader: isOn(play, "reduce_sequence_header"),
    },
    publish: { firstPacketTimeoutMs: numberOf(publish, "firstpkt_timeout"), normalTimeoutMs: numberOf(publish, "normal_timeout") },
    httpRemux: {
      enabled: isOn(remux, "enabled"),
      mount: textOf(remux, "mount"),
      hasAudio: isOn(remux, "has_audio"),
      hasVideo: isOn(remux, "has_video"),
      guessHasAv: isOn(remux, "guess_has_av"),
      ...(find(vhost, "http_remux") === undefined ? { isAbsent: true as const } : {}),
    },
    forward: { enabled: isOn(forward, "enabled"), destinations: endpointsOf(forward, "destination") },
  };
}
