// The directives `registry` and `registry_…` → what the box goes by as one of a site. rules.ts reports what cannot be read.
//
//   redis://[user[:password]@]host[:6379][/db]      rediss:// the same over TLS
//   redis+sentinel://[user[:password]@]host[:26379],host…/NAME[/db]
//   redis+cluster://[user[:password]@]host[:6379],host…
import { DolphinError } from "../../base/errors.js";
import type { Endpoint, RegistryBlock, RegistryServers } from "./config.js";
import { parseServer } from "./endpoint.js";
import { type Block, valueOf } from "./tree.js";

const forms = "write redis://host:6379, redis+sentinel://host:26379,host/NAME or redis+cluster://host:6379,host (rediss… for TLS)";
const redisPort = 6379;
const sentinelPort = 26_379;

/** Where the servers of a registry are, and as whom to come; or a sentence that says what is wrong, without the password that it may hold. */
export function parseRegistry(text: string): RegistryServers | string {
  const [, scheme = "", user, hosts = "", rest = ""] = /^(\w+(?:\+\w+)?):\/\/(?:([^@/]*)@)?([^@/]+)((?:\/[^/]*)*)$/.exec(text) ?? [];
  const [, tls = "", , kind = "single"] = /^redis(s?)(\+(sentinel|cluster))?$/.exec(scheme) ?? [];
  if (scheme === "" || !/^rediss?(\+(sentinel|cluster))?$/.test(scheme)) return `is not the address of a registry: ${forms}`;
  const path = rest.split("/").slice(1);
  const master = kind === "sentinel" ? (path.shift() ?? "") : "";
  if (kind === "sentinel" && master === "") return "names sentinels and not the set that they watch: write redis+sentinel://host,host/NAME";
  const dbText = path.shift() ?? "";
  if (!/^\d{0,4}$/.test(dbText) || path.length > 0) return "has more behind its hosts than the number of a database";
  if (kind === "cluster" && Number(dbText) > 0) return "names a database, which a Redis Cluster has not";
  const servers = endpointsOf(hosts, kind === "sentinel" ? sentinelPort : redisPort);
  if (servers === null) return `has a host that is none: ${forms}`;
  if (kind === "single" && servers.length > 1) return "has several hosts: write redis+sentinel:// or redis+cluster:// before them";
  const [name = "", password] = (user ?? "").split(/:(.*)/s);
  return {
    kind: kind as RegistryServers["kind"],
    servers,
    master,
    db: Number(dbText),
    isTls: tls === "s",
    username: name === "" ? null : decoded(name),
    password: password === undefined ? null : decoded(password),
  };
}

/** Null: the box is a site of its own. What could not be read was reported by rules.ts. */
export function buildRegistry(block: Block<"dolphin">): RegistryBlock | null {
  const address = valueOf(block, "registry");
  const servers = address === null ? "" : parseRegistry(address);
  if (typeof servers === "string") return null;
  const advertise = valueOf(block, "registry_advertise");
  return {
    servers: {
      ...servers,
      username: valueOf(block, "registry_user") ?? servers.username,
      password: valueOf(block, "registry_password") ?? servers.password,
    },
    passwordFile: valueOf(block, "registry_password_file"),
    sentinel: {
      username: valueOf(block, "registry_sentinel_user"),
      password: valueOf(block, "registry_sentinel_password"),
      passwordFile: valueOf(block, "registry_sentinel_password_file"),
    },
    tls: {
      ca: valueOf(block, "registry_tls_ca"),
      cert: valueOf(block, "registry_tls_cert"),
      key: valueOf(block, "registry_tls_key"),
      serverName: valueOf(block, "registry_tls_servername"),
    },
    prefix: valueOf(block, "registry_prefix"),
    advertise: advertise === null ? null : parseAdvertised(advertise),
    zone: valueOf(block, "registry_zone") ?? "",
    leaseMs: valueOf(block, "registry_lease"),
    timeoutMs: valueOf(block, "registry_timeout"),
    secondPublisher: valueOf(block, "registry_publisher"),
    whenAway: valueOf(block, "registry_away"),
  };
}

/** What to do where {@link advertisedOf} gives none. */
export const advertiseRemedy =
  "other boxes must know where this one is, which does not follow from an address that stands for all: write registry_advertise (or set " +
  "SRS_DOLPHIN_REGISTRY_ADVERTISE) with its address, such as 10.0.0.5:1935, or listen at that one";

/**
 * The address at which other boxes reach this one: the first of those that are listened on which names one, of this machine alone if there
 * is no other. Null: it cannot be told.
 */
export function advertisedOf(registry: Pick<RegistryBlock, "advertise">, listen: readonly Endpoint[]): Endpoint | null {
  if (registry.advertise !== null) return registry.advertise;
  const named = listen.filter(({ host }) => host !== "0.0.0.0" && host !== "::");
  const first = named.find(({ host }) => !isLoopback(host)) ?? (named.length === listen.length ? named[0] : undefined);
  return first === undefined ? null : { host: first.host, port: first.port };
}

function isLoopback(host: string): boolean {
  return host.startsWith("127.") || host === "::1";
}

/** Whether a text can be the name of a zone. */
export function isZone(text: string): boolean {
  return /^[\w.-]{1,64}$/.test(text);
}

/** `host[:1935]`; null for anything else. */
export function parseAdvertised(text: string): Endpoint | null {
  try {
    return parseServer(text);
  } catch (thrown) {
    if (thrown instanceof DolphinError) return null;
    throw thrown;
  }
}

function endpointsOf(hosts: string, port: number): readonly Endpoint[] | null {
  try {
    return hosts.split(",").map((host) => parseServer(/:\d+$/.test(host) && !host.endsWith("]") ? host : `${host}:${port}`));
  } catch (thrown) {
    if (thrown instanceof DolphinError) return null;
    throw thrown;
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a percent sign that is one
  }
}
