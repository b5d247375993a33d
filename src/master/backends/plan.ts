// Plan b: from a configuration and the slots to the processes. Pure.
//
//   public ports ─ proxy-1..N ──► server-1..M on 127.0.0.1, each on the ports of its slot
//
// Servers stand first, and nobody waits for anybody: a proxy that has no server yet says so to its clients.
import { type Config, type DolphinBlock, isForeign, prefaceFor } from "../../conf/meaning/config.js";
import { DolphinError } from "../../base/errors.js";
import type { Directive } from "../../conf/grammar/parser.js";
import type { ServerApi } from "../../ipc/balance.js";
import { type BackendPlace, connectionLimit, type PlanFacts, type ProcessSpec, type Program, publicNames } from "../processes/plan.js";
import type { ServerSlot } from "./slots.js";
import { loopback, sharedAddress } from "../../conf/meaning/endpoint.js";
import type { Software } from "./software.js";

export interface PlanBFacts extends Pick<PlanFacts, "cores" | "maxOpenFiles"> {
  readonly slots: readonly ServerSlot[];
  /** The program that runs in a slot; null: our own server. */
  programFor(slot: ServerSlot): Program | null;
}

/** Throws CONF_VALUE for RTMP and HTTP on one address, and for a foreign server that nothing stands before. */
export function checkPlan(config: Config): void {
  const shared = sharedAddress(config);
  if (shared !== null) throw new DolphinError("CONF_VALUE", shared);
  const { dolphin } = config;
  const { plan, balance } = dolphin;
  if (plan === "b" || !isForeign(dolphin)) return;
  throw new DolphinError("CONF_VALUE", `plan ${plan} runs our own server: ${balance.server[0] ?? ""} needs plan b`);
}

/** How many servers a configuration asks for. */
export function countServers(config: Config, cores: number): number {
  const { servers } = config.dolphin.balance;
  return servers === "auto" ? publicNames(config, cores).length : servers;
}

/**
 * The vhosts that the servers tell apart: null for our own, which have those of the configuration; those of the file that an srs
 * reads. What vhosts another program has, if any, is its own knowledge: its streams of one name all go to one server, which tells
 * them apart.
 */
export function vhostsOf(kind: Software["kind"], srsFile: readonly Directive[]): string[] | null {
  if (kind === "builtin") return null;
  return srsFile.flatMap(({ name, args: [vhost] }) => (name === "vhost" && vhost !== undefined ? [vhost] : []));
}

/** The processes of plan b. */
export function planB(config: Config, facts: PlanBFacts): ProcessSpec[] {
  const names = publicNames(config, facts.cores);
  const servers = facts.slots.map((slot) => {
    const backend = backendOf(config, slot, facts.programFor(slot));
    const http = config.http === null || backend.http === null ? null : { ...config.http, listen: [backend.http] };
    const own = { ...config, dolphin: behindProxies(config.dolphin), listen: [backend.rtmp], http };
    return child(slot.name, "server", own, null, backend);
  });
  const maxConnections = connectionLimit(config, names.length, { maxOpenFiles: halfOf(facts.maxOpenFiles) });
  const proxies = names.map((name) => child(name, "proxy", config, maxConnections));
  return [...servers, ...proxies];
}

/**
 * Our own server believes the proxies before it, and what they pass on of trusted networks. Where they tell nothing it believes
 * nobody: the first bytes would be a client's own.
 */
function behindProxies(dolphin: DolphinBlock): DolphinBlock {
  const { balance } = dolphin;
  const trustedProxies = prefaceFor(dolphin, "rtmp") === null ? [] : [...balance.trustedProxies, `${loopback}/32`];
  return { ...dolphin, balance: { ...balance, trustedProxies } };
}

function child(name: string, duty: "server" | "proxy", config: Config, maxConnections: number | null, backend?: BackendPlace): ProcessSpec {
  const spec: ProcessSpec = { name, duty, place: "child", isPublic: duty === "proxy", startsAfter: null, config, maxConnections };
  return backend === undefined ? spec : { ...spec, backend };
}

function backendOf({ http, dolphin }: Config, slot: ServerSlot, program: Program | null): BackendPlace {
  const servesHttp = program === null ? http !== null : program.servesHttp;
  return {
    rtmp: { host: loopback, port: slot.rtmpPort },
    http: servesHttp ? { host: loopback, port: slot.httpPort } : null,
    api: apiOf(slot, program),
    weight: dolphin.balance.weights[slot.number - 1] ?? 1,
    program,
  };
}

function apiOf({ apiPort }: ServerSlot, program: Program | null): ServerApi | null {
  if (program === null || program.api === null) return null;
  return { endpoint: { host: loopback, port: apiPort }, isPublic: program.api === "here" };
}

/** A proxy has two sockets for each connection. */
function halfOf(maxOpenFiles: number | null): number | null {
  return maxOpenFiles === null ? null : Math.floor(maxOpenFiles / 2);
}
