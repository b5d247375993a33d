// Names of servers → addresses, for every connection to another server: asked anew when they are older than they may be, or as soon as a
// connection has failed; all addresses are tried in turn, and the last good answer holds while nobody answers. A connection that stands
// is never cut for it. There is one cache for a process, as the system has one for the machine.
//
//   name ──────▶ known and fresh? ─ no ─▶ A, AAAA (`resolver`, or the system) ─▶ addresses, from the next one on
//   srv+name ──▶ SRV: which host and port ─▶ name                                    └─ none: those of before
import { lookup as lookupBySystem, promises as dns, type LookupAddress, type SrvRecord } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Endpoint } from "../conf/meaning/config.js";
import { formatEndpoint } from "../conf/meaning/endpoint.js";

/** How long an answer holds at most, whatever it says of itself. */
const longestNameMs = 30_000;
/** The shortest: a name without a lifetime is not asked for with each connection. */
const shortestMs = 1_000;
/** After so long without an answer the one of before is used, where there is one. */
const patienceMs = 1_000;
const questionTimeoutMs = 2_000;
/** Names that are remembered at once. */
const maxNames = 1_000;

const srvMark = "srv+";

interface Answer<T> {
  readonly records: readonly T[];
  readonly ttlMs: number;
}

interface Known<T> {
  /** The last good one. */
  answer: readonly T[] | null;
  untilMs: number;
  asking: Promise<readonly T[]> | null;
}

/** Where `ask` brings an answer, it is kept as long as it holds. */
class Cache<T> {
  private readonly known = new Map<string, Known<T>>();

  /** Rejects where there is no answer, and was none before. */
  async get(name: string, ask: () => Promise<Answer<T>>): Promise<readonly T[]> {
    const known = this.known.get(name) ?? { answer: null, untilMs: 0, asking: null };
    if (known.answer !== null && known.untilMs > performance.now()) return known.answer;
    this.known.delete(name);
    this.known.set(name, known);
    if (this.known.size > maxNames) this.known.delete(this.known.keys().next().value ?? "");
    known.asking ??= this.renew(known, ask).finally(() => (known.asking = null));
    const before = known.answer;
    if (before === null) return known.asking;
    return Promise.race([
      known.asking.catch(() => before),
      new Promise<readonly T[]>((resolve) => setTimeout(resolve, patienceMs, before).unref()),
    ]);
  }

  /** What is known of a name is to be asked for again. */
  expire(name: string): void {
    const known = this.known.get(name);
    if (known !== undefined) known.untilMs = 0;
  }

  clear(): void {
    this.known.clear();
  }

  private async renew(known: Known<T>, ask: () => Promise<Answer<T>>): Promise<readonly T[]> {
    const { records, ttlMs } = await ask();
    if (records.length === 0) throw new Error("the name has no address");
    known.answer = records;
    known.untilMs = performance.now() + Math.min(longestNameMs, Math.max(shortestMs, ttlMs));
    return records;
  }
}

/** The names of one process. Nothing to close. */
class Names {
  private readonly addresses = new Cache<LookupAddress>();
  private readonly services = new Cache<SrvRecord>();
  /** By how many a name's addresses are turned: who failed is tried last. */
  private readonly turns = new Map<string, number>();
  private resolver: dns.Resolver | null = null;
  private server = "";

  /** Asks this server from now on; null: as the system does. */
  use(server: Endpoint | null): void {
    const text = server === null ? "" : formatEndpoint(server);
    if (text === this.server) return;
    this.server = text;
    this.addresses.clear();
    this.services.clear();
    this.resolver = server === null ? null : new dns.Resolver({ timeout: questionTimeoutMs, tries: 2 });
    this.resolver?.setServers([text]);
  }

  /** For `net.connect` and its like. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    const { family } = options;
    const wanted = family === 4 || family === "IPv4" ? 4 : family === 6 || family === "IPv6" ? 6 : 0;
    this.addressesOf(hostname).then(
      (all) => {
        const fitting = wanted === 0 ? all : all.filter((one) => one.family === wanted);
        const [first] = fitting;
        if (first === undefined) callback(new Error(`${hostname} has no address of IPv${wanted}`), "", 0);
        else if (options.all === true) callback(null, [...fitting]);
        else callback(null, first.address, first.family);
      },
      (thrown: unknown) => callback(new Error(`${hostname} cannot be resolved: ${messageOf(thrown)}`), "", 0),
    );
  };

  /** The host and port of a server that may be named as a service (SRV). Rejects with RELAY_CONNECT. */
  async placeOf({ host, port }: Endpoint): Promise<Endpoint> {
    if (!isService({ host })) return { host, port };
    const name = host.slice(srvMark.length);
    try {
      const records = await this.services.get(name, async () => {
        const found = await (this.resolver ?? dns).resolveSrv(name);
        return { records: byPriority(found), ttlMs: longestNameMs };
      });
      const turned = turn(records, this.turns.get(host) ?? 0);
      return { host: turned[0]!.name, port: turned[0]!.port };
    } catch (cause) {
      throw new DolphinError("RELAY_CONNECT", `${name} cannot be resolved: ${messageOf(cause)}`, { cause });
    }
  }

  /** A connection to a server has failed, or brought nothing: it is asked for again, and another address comes first. */
  failed({ host }: Endpoint): void {
    if (isIP(host) !== 0) return;
    const turns = this.turns.get(host) ?? 0;
    this.turns.delete(host);
    this.turns.set(host, turns + 1);
    if (this.turns.size > maxNames) this.turns.delete(this.turns.keys().next().value ?? "");
    this.addresses.expire(host);
    this.services.expire(host.slice(srvMark.length));
  }

  private async addressesOf(host: string): Promise<readonly LookupAddress[]> {
    const all = await this.addresses.get(host, () => (this.resolver === null ? askSystem(host) : askServer(this.resolver, host)));
    return turn(all, this.turns.get(host) ?? 0);
  }
}

/** Those of this process. */
export const names = new Names();

/** Whether a server is named as a service: `srv+_rtmp._tcp.example.com`. */
export function isService({ host }: Pick<Endpoint, "host">): boolean {
  return host.startsWith(srvMark);
}

/** The system tells of no lifetime. */
function askSystem(host: string): Promise<Answer<LookupAddress>> {
  return new Promise((resolve, reject) => {
    lookupBySystem(host, { all: true }, (error, records) => {
      if (error === null) resolve({ records, ttlMs: longestNameMs });
      else reject(error);
    });
  });
}

/** Names of this machine that no server knows are the system's. */
async function askServer(resolver: dns.Resolver, host: string): Promise<Answer<LookupAddress>> {
  if (host === "localhost") return askSystem(host);
  const [four, six] = await Promise.allSettled([resolver.resolve4(host, { ttl: true }), resolver.resolve6(host, { ttl: true })]);
  const records = [
    ...(four.status === "fulfilled" ? four.value.map(({ address, ttl }) => ({ address, family: 4, ttl })) : []),
    ...(six.status === "fulfilled" ? six.value.map(({ address, ttl }) => ({ address, family: 6, ttl })) : []),
  ];
  if (records.length === 0 && four.status === "rejected") throw four.reason;
  return { records, ttlMs: 1000 * Math.min(...records.map(({ ttl }) => ttl)) };
}

/** Lowest priority first, and of one priority the heaviest: failures turn the list. */
function byPriority(records: readonly SrvRecord[]): readonly SrvRecord[] {
  return [...records].sort((one, other) => one.priority - other.priority || other.weight - one.weight);
}

function turn<T>(all: readonly T[], by: number): readonly T[] {
  const at = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}
