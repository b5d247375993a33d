// Flags of the command line over a configuration. A flag that is not given leaves the file's value alone. Pure: the verb
// that reads the words of the command line parses addresses with endpoint.ts and hands the values over here.
import { builtin, type BalanceBlock, type Config, type DolphinBlock, type Endpoint, type Vhost } from "./meaning/config.js";
import { besideEachOther } from "./meaning/endpoint.js";
import { deepFreeze } from "./meaning/freeze.js";

/** What may be given on the command line, already parsed; `undefined` is the same as absent. */
export interface Flags {
  /** Replaces `listen`; an empty list is the same as absent. */
  readonly listen?: readonly Endpoint[] | undefined;
  /** Serves HTTP here and nowhere else; vhosts that say nothing of http_remux get it with its defaults. */
  readonly http?: Endpoint | readonly Endpoint[] | "off" | undefined;
  /** Serves the API here and nowhere else. */
  readonly api?: Endpoint | "off" | undefined;
  readonly plan?: Config["dolphin"]["plan"] | undefined;
  readonly cores?: Config["dolphin"]["cores"] | undefined;
  readonly originProcess?: Config["dolphin"]["originProcess"] | undefined;
  readonly controlSocket?: string | undefined;
  readonly daemon?: boolean | undefined;
  readonly pidFile?: string | undefined;
  readonly maxConnections?: number | undefined;
  readonly logFile?: string | null | undefined;
  readonly logLevel?: Config["log"]["level"] | undefined;
  /** `builtin`, a path, or a command in one string, its words apart by spaces; a foreign one without a plan means plan b. */
  readonly server?: string | undefined;
  readonly serverConf?: string | undefined;
  readonly servers?: BalanceBlock["servers"] | undefined;
  readonly serverPorts?: BalanceBlock["serverPorts"] | undefined;
  readonly balance?: BalanceBlock["policy"] | undefined;
  readonly routing?: BalanceBlock["routing"] | undefined;
}

/** A new frozen configuration in which the flags win. The one that is passed in is not changed. */
export function applyFlags(config: Config, flags: Flags): Config {
  const { dolphin, log } = config;
  return deepFreeze({
    ...config,
    listen: flags.listen === undefined || flags.listen.length === 0 ? config.listen : besideEachOther(flags.listen),
    maxConnections: flags.maxConnections ?? config.maxConnections,
    daemon: flags.daemon ?? config.daemon,
    pidFile: flags.pidFile ?? config.pidFile,
    log: { ...log, file: flags.logFile === undefined ? log.file : flags.logFile, level: flags.logLevel ?? log.level },
    http: httpOf(config, flags.http),
    api: apiOf(config.api, flags.api),
    vhosts: typeof flags.http === "object" ? config.vhosts.map(withHttpRemux) : config.vhosts,
    dolphin: {
      ...dolphin,
      plan: flags.plan ?? planOf(dolphin, flags.server),
      cores: flags.cores ?? dolphin.cores,
      originProcess: flags.originProcess ?? dolphin.originProcess,
      controlSocket: flags.controlSocket ?? dolphin.controlSocket,
      balance: balanceOf(dolphin.balance, flags),
    },
  });
}

/**
 * The directives that flags decide, as paths of changes.ts: what the file says of them changes nothing. `implied http_remux` says
 * that vhosts without an http_remux have one that is on.
 */
export function flaggedPaths(flags: Flags): Set<string> {
  const isForeign = planOf({ plan: "a" }, flags.server) !== "a";
  const rows: readonly (readonly [isGiven: boolean, ...paths: string[]])[] = [
    [flags.listen !== undefined && flags.listen.length > 0, "listen"],
    [flags.http !== undefined, "http_server.enabled", "http_server.listen"],
    [flags.http === "off", "http_server.crossdomain"],
    [typeof flags.http === "object", "implied http_remux"],
    [flags.api !== undefined, "http_api.enabled", "http_api.listen"],
    [flags.plan !== undefined || isForeign, "dolphin.plan"],
    [flags.cores !== undefined, "dolphin.cores"],
    [flags.originProcess !== undefined, "dolphin.origin_process"],
    [flags.controlSocket !== undefined, "dolphin.control_socket"],
    [flags.daemon !== undefined, "daemon"],
    [flags.pidFile !== undefined, "pid"],
    [flags.maxConnections !== undefined, "max_connections"],
    [flags.logFile !== undefined, "srs_log_tank", "srs_log_file"],
    [flags.logLevel !== undefined, "srs_log_level", "srs_log_level_v2"],
    [flags.server !== undefined, "dolphin.server"],
    [flags.serverConf !== undefined, "dolphin.server_conf"],
    [flags.servers !== undefined, "dolphin.servers"],
    [flags.balance !== undefined, "dolphin.balance"],
    [flags.routing !== undefined, "dolphin.routing"],
  ];
  return new Set(rows.flatMap(([isGiven, ...paths]) => (isGiven ? paths : [])));
}

/** What is started behind proxies cannot be anything but plan b; our own server can be all of them. */
function planOf({ plan }: Pick<DolphinBlock, "plan">, server: string | undefined): DolphinBlock["plan"] {
  return server === undefined || server === builtin ? plan : "b";
}

function balanceOf(balance: BalanceBlock, flags: Flags): BalanceBlock {
  const words = (flags.server ?? "").split(/\s+/).filter((word) => word !== "");
  return {
    ...balance,
    server: words.length === 0 ? balance.server : words,
    serverConf: flags.serverConf ?? balance.serverConf,
    servers: flags.servers ?? balance.servers,
    serverPorts: flags.serverPorts ?? balance.serverPorts,
    policy: flags.balance ?? balance.policy,
    routing: flags.routing ?? balance.routing,
  };
}

function httpOf(config: Config, http: Flags["http"]): Config["http"] {
  if (http === undefined) return config.http;
  if (http === "off") return null;
  return { listen: besideEachOther([http].flat()), crossdomain: config.http?.crossdomain ?? true };
}

function apiOf(api: Config["api"], flag: Flags["api"]): Config["api"] {
  if (flag === undefined) return api;
  return flag === "off" ? { ...api, listen: [], tls: null, atHttp: null, mayLack: false } : { ...api, listen: [flag], mayLack: false };
}

/** A vhost whose file has an http_remux, be it off, keeps it. */
function withHttpRemux(vhost: Vhost): Vhost {
  return vhost.httpRemux.isAbsent === true ? { ...vhost, httpRemux: { ...vhost.httpRemux, enabled: true } } : vhost;
}
