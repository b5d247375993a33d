// The origins of an origin cluster as SRS has them: each is asked over its HTTP API whether a stream is published there, all of them
// side by side. Whoever does not answer is left alone for a while, so that it costs nobody else anything; where a stream was before is
// preferred while it is there, so that nobody goes to and fro between two copies.
//
//   locate ─▶ asked within a second, or under way? ─▶ each coworker, POST /api/v1/clusters ─▶ those that have it
//                                                       └─ no answer ─▶ not asked for 1, 2, 4 … 15 s
import { Agent, request as requestHttp } from "node:http";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { signature } from "../base/version.js";
import type { ApiAuth, Config, Endpoint } from "../conf/meaning/config.js";
import { formatEndpoint, isSameEndpoint, parseServer } from "../conf/meaning/endpoint.js";
import type { CoworkerReport } from "../ipc/box.js";
import { names } from "../wire/names.js";
import { nowhere, type Located, type Locator, type StreamName } from "../ipc/locating.js";

/** How long a coworker may take to answer. */
export const coworkerTimeoutMs = 1_000;
/** So soon after the first that has it, others are still heard. */
const togetherMs = 100;
/** An answer serves all who ask for the stream so soon. */
const freshMs = 1_000;
const firstRestMs = 1_000;
const longestRestMs = 15_000;
/** Streams whose place is remembered. */
const maxRemembered = 10_000;
/** The longest answer that is read. */
const maxAnswerBytes = 16 << 10;

/** What is known of one coworker. */
interface Coworker {
  /** Until when it is left alone, on the clock of `performance`; 0: it answers. */
  restsUntilMs: number;
  restMs: number;
}

interface Known {
  readonly answer: Promise<Located>;
  readonly untilMs: number;
}

/** The coworkers of one box. `close` ends connections. */
export class Coworkers implements Locator {
  private readonly config: () => Config;
  private readonly log: Log;
  private readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 4, timeout: 30_000 });
  private readonly coworkers = new Map<string, Coworker>();
  /** Those that have answered the last time, by their addresses. */
  private readonly answering = new Set<string>();
  private readonly known = new Map<string, Known>();
  /** Where streams were found, the latest last. */
  private readonly places = new Map<string, Endpoint>();

  constructor(config: () => Config, log: Log) {
    this.config = config;
    this.log = log;
  }

  /** Whether there are any for a stream. */
  hasAny({ vhost: name }: StreamName): boolean {
    const vhost = this.config().vhosts.find((one) => one.name === name);
    return vhost?.cluster.isInOriginCluster === true && vhost.cluster.coworkers.length > 0;
  }

  /** Rejects with RELAY_CONNECT where no coworker could be asked. */
  locate(name: StreamName): Promise<Located> {
    const vhost = this.config().vhosts.find((one) => one.name === name.vhost);
    if (vhost === undefined || !this.hasAny(name)) return Promise.resolve(nowhere);
    const key = `${name.vhost}/${name.app}/${name.stream}`;
    const nowMs = performance.now();
    const known = this.known.get(key);
    if (known !== undefined && known.untilMs > nowMs) return known.answer;
    const answer = this.askAll(vhost.cluster.coworkers, key, name);
    this.known.set(key, { answer, untilMs: nowMs + freshMs });
    setTimeout(() => this.known.delete(key), freshMs).unref();
    return answer;
  }

  /** Each once, in the order of the file. */
  report(): CoworkerReport[] {
    const vhosts = this.config().vhosts.filter(({ enabled, cluster }) => enabled && cluster.isInOriginCluster);
    const servers = new Set(vhosts.flatMap(({ cluster }) => cluster.coworkers.map(formatEndpoint)));
    return [...servers].map((server) => {
      const state = this.coworkers.has(server) ? "down" : this.answering.has(server) ? "up" : "unknown";
      return { server, state };
    });
  }

  close(): void {
    this.agent.destroy();
  }

  private async askAll(all: readonly Endpoint[], key: string, name: StreamName): Promise<Located> {
    const awake = all.filter((coworker) => (this.coworkers.get(formatEndpoint(coworker))?.restsUntilMs ?? 0) <= performance.now());
    const found: Endpoint[] = [];
    let answered = 0;
    let enough = (): void => undefined;
    const together = new Promise<void>((resolve) => (enough = () => void setTimeout(resolve, togetherMs)));
    const asked = awake.map(async (coworker) => {
      const server = await this.ask(coworker, name);
      if (server !== undefined) answered += 1;
      if (server === undefined || server === null || found.some((one) => isSameEndpoint(one, server))) return;
      found.push(server);
      enough();
    });
    await Promise.race([Promise.all(asked), together]);
    if (answered === 0) throw new DolphinError("RELAY_CONNECT", `no coworker could be asked for ${key}`);
    return { isHere: false, servers: this.remember(key, found) };
  }

  /** The one where it was comes first. */
  private remember(key: string, found: readonly Endpoint[]): readonly Endpoint[] {
    const before = this.places.get(key);
    const kept = before === undefined ? undefined : found.find((one) => isSameEndpoint(one, before));
    const first = kept ?? found[0];
    if (first === undefined) return [];
    this.places.delete(key);
    this.places.set(key, first);
    if (this.places.size > maxRemembered) this.places.delete(this.places.keys().next().value ?? "");
    return [first, ...found.filter((one) => one !== first)];
  }

  /** The server that has the stream; null: this coworker has it not; undefined: it could not be asked. */
  private async ask(coworker: Endpoint, name: StreamName): Promise<Endpoint | null | undefined> {
    const address = formatEndpoint(coworker);
    try {
      const origin = await this.fetch(coworker, name);
      this.answering.add(address);
      if (this.coworkers.delete(address)) this.log.info({ event: "coworker.back", upstream: address }, "the coworker answers again");
      return origin;
    } catch (thrown) {
      names.failed(coworker);
      this.answering.delete(address);
      const restMs = Math.min(longestRestMs, 2 * (this.coworkers.get(address)?.restMs ?? firstRestMs / 2));
      if (!this.coworkers.has(address)) this.tellLost(address, thrown);
      this.coworkers.set(address, { restMs, restsUntilMs: performance.now() + restMs });
      return undefined;
    }
  }

  private tellLost(upstream: string, thrown: unknown): void {
    this.log.warn({ event: "coworker.lost", code: "RELAY_CONNECT", upstream }, `the coworker cannot be asked: ${messageOf(thrown)}`);
  }

  private async fetch(coworker: Endpoint, { vhost, app, stream }: StreamName): Promise<Endpoint | null> {
    const query = new URLSearchParams({ vhost, ip: coworker.host, app, stream, coworker: formatEndpoint(coworker) });
    const text = await this.post(coworker, `/api/v1/clusters?${query.toString()}`);
    return originIn(JSON.parse(text), coworker);
  }

  /** Every origin of a cluster has the same words for its API. */
  private post({ host, port }: Endpoint, path: string): Promise<string> {
    const { api, dolphin } = this.config();
    const { auth } = api;
    names.use(dolphin.resolver);
    return new Promise((resolve, reject) => {
      const headers = { "User-Agent": signature, "Content-Length": 0, ...(auth === null ? {} : { Authorization: wordsOf(auth) }) };
      const signal = AbortSignal.timeout(coworkerTimeoutMs);
      const request = requestHttp(
        { host, port, path, method: "POST", agent: this.agent, lookup: names.lookup, headers, signal },
        (response) => {
          const parts: Buffer[] = [];
          let bytes = 0;
          response.on("data", (part: Buffer) => {
            bytes += part.length;
            if (bytes > maxAnswerBytes) request.destroy(new Error(`it answers more than ${maxAnswerBytes} bytes`));
            else parts.push(part);
          });
          response.on("end", () => {
            if (response.statusCode === 200) resolve(Buffer.concat(parts).toString());
            else reject(new Error(`it answers ${response.statusCode ?? 0}`));
          });
          response.on("error", reject);
        },
      );
      request.on("error", (error) => reject(signal.aborted ? new Error(`no answer within ${coworkerTimeoutMs} ms`) : error));
      request.end();
    });
  }
}

/**
 * The server in an answer of SRS's form: `{ code: 0, data: { origin: { ip, port } } }`; null where it has none. One that calls itself by
 * a loopback address is where its API is. Throws for anything else.
 */
export function originIn(answer: unknown, coworker: Endpoint): Endpoint | null {
  const data = memberOf(answer, "data");
  if (memberOf(answer, "code") !== 0 || typeof data !== "object" || data === null) throw new Error("it answers in no form of SRS's");
  const origin = memberOf(data, "origin");
  if (origin === null || origin === undefined) return null;
  const [ip, port] = [memberOf(origin, "ip"), memberOf(origin, "port")];
  if (typeof ip !== "string" || typeof port !== "number") throw new Error("it names no server");
  const host = /^(127\.|::1$|localhost$|$)/.test(ip) ? coworker.host : ip;
  return parseServer(host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`);
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;
}

function wordsOf(auth: ApiAuth): string {
  if (auth.type === "bearer") return `Bearer ${auth.token}`;
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`;
}
