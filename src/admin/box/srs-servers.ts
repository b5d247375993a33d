// The HTTP APIs of unmodified srs behind plan b's proxies, asked side by side: a list page by page, each server within one deadline, so
// that one which hangs costs an answer no more than that. Whoever does not answer is left out, and told of once in the log. It asks when
// somebody wants to know and keeps nothing but sums that must not fall when a server begins anew. What rows mean is srs-rows.ts's.
import { Agent, request, type IncomingMessage } from "node:http";
import { errnoOf, messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { ApiAuth, Endpoint } from "../../conf/meaning/config.js";
import { memberOf, numberOf, textOf, type ServerRow, type SrsRow } from "./srs-rows.js";

/** How long one server may take for all of a list. */
const answerWithinMs = 1000;
/** Rows that are asked for at once: a srs writes them in one turn, in which it serves nobody. */
const pageRows = 1000;
/** The most that are taken of one server. */
const maxRows = 100_000;
/** The longest answer that is taken, in bytes. */
const maxAnswerBytes = 16 << 20;

/** A server that has an API. */
export interface SrsServer {
  readonly name: string;
  readonly api: Endpoint;
}

/** The rows of all who answered; `workMs`: the longest that one of them took. */
export interface SrsAnswer<T> {
  readonly answers: readonly T[];
  readonly workMs: number;
}

/** What servers tell of themselves, added up: sums of bytes and connections, the longest time that one is up. */
export interface SrsSums {
  readonly version: string;
  readonly upSeconds: number;
  readonly recvBytes: number;
  readonly sendBytes: number;
  readonly connections: number;
  readonly servers: readonly Readonly<Record<string, unknown>>[];
}

interface Counted {
  readonly pid: number;
  readonly recv: number;
  readonly send: number;
  /** Of the processes that had this place before. */
  readonly goneRecv: number;
  readonly goneSend: number;
}

export interface SrsServersParts {
  readonly log: Log;
  /** What the file of the servers, which is that of the box, asks of clients of the API. */
  auth(): ApiAuth | null;
}

type Ask = (path: string, method?: "GET" | "DELETE") => Promise<SrsRow>;

/** Asks the servers of one box. `close` ends the connections that are kept to them. */
export class SrsServers {
  private readonly parts: SrsServersParts;
  private readonly agent = new Agent({ keepAlive: true, maxFreeSockets: 2, timeout: 15_000 });
  private readonly quiet = new Set<string>();
  private readonly counted = new Map<string, Counted>();

  constructor(parts: SrsServersParts) {
    this.parts = parts;
  }

  /** Those that did not answer when they were asked last. */
  get silent(): readonly string[] {
    return [...this.quiet].toSorted();
  }

  /** A list of every server, one behind the other. */
  async rows(servers: readonly SrsServer[], name: "vhosts" | "streams" | "clients"): Promise<SrsAnswer<ServerRow>> {
    for (const one of this.quiet) if (!servers.some((server) => server.name === one)) this.quiet.delete(one); // a slot less
    const { answers, workMs } = await this.each(servers, async (server, ask) => {
      const rows = await allPages(name, ask);
      return rows.map((row): ServerRow => ({ server: server.name, row }));
    });
    return { answers: answers.flat(), workMs };
  }

  /** What the first server says that answers; null: none does. */
  async first(servers: readonly SrsServer[], path: string): Promise<SrsRow | null> {
    for (const server of servers) {
      const found = await this.one(server, (ask) => ask(path));
      if (found !== null && numberOf(found, "code") === 0) return found;
    }
    return null;
  }

  /** Null: no server answers. */
  async sums(servers: readonly SrsServer[]): Promise<SrsSums | null> {
    const { answers } = await this.each(servers, async ({ name }, ask) => {
      const data = memberOf(await ask("/api/v1/summaries"), "data");
      const [self, system] = [memberOf(data, "self"), memberOf(data, "system")];
      this.count(name, numberOf(self, "pid"), numberOf(system, "srs_recv_bytes"), numberOf(system, "srs_send_bytes"));
      return { name, self, system };
    });
    if (answers.length === 0) return null;
    const counted = [...this.counted.values()];
    const sum = <T>(of: readonly T[], value: (one: T) => number): number => of.reduce((total, one) => total + value(one), 0);
    return {
      version: textOf(answers[0]?.self ?? {}, "version"),
      upSeconds: Math.max(...answers.map(({ self }) => numberOf(self, "srs_uptime"))),
      recvBytes: sum(counted, ({ recv, goneRecv }) => recv + goneRecv),
      sendBytes: sum(counted, ({ send, goneSend }) => send + goneSend),
      connections: sum(answers, ({ system }) => numberOf(system, "conn_srs")),
      servers: answers.map(({ name, self, system }) => ({
        name,
        pid: numberOf(self, "pid"),
        version: textOf(self, "version"),
        srs_uptime: numberOf(self, "srs_uptime"),
        cpu_percent: numberOf(self, "cpu_percent"),
        mem_kbyte: numberOf(self, "mem_kbyte"),
        srs_recv_bytes: numberOf(system, "srs_recv_bytes"),
        srs_send_bytes: numberOf(system, "srs_send_bytes"),
        conn_srs: numberOf(system, "conn_srs"),
      })),
    };
  }

  /** Sends a client away whom the server knows by this id. Whether he was there; null: the server does not answer. */
  async kick(server: SrsServer, id: string): Promise<boolean | null> {
    const answer = await this.one(server, (ask) => ask(`/api/v1/clients/${encodeURIComponent(id)}`, "DELETE"));
    return answer === null ? null : numberOf(answer, "code") === 0;
  }

  close(): void {
    this.agent.destroy();
  }

  private async each<T>(servers: readonly SrsServer[], question: (server: SrsServer, ask: Ask) => Promise<T>): Promise<SrsAnswer<T>> {
    let workMs = 0;
    const fromMs = performance.now();
    const found = await Promise.all(
      servers.map((server) =>
        this.one(server, async (ask) => {
          const answer = [await question(server, ask)];
          workMs = performance.now() - fromMs;
          return answer;
        }),
      ),
    );
    return { answers: found.flatMap((answer) => answer ?? []), workMs };
  }

  /** The one place where a server's silence ends: null. */
  private async one<T>({ name, api }: SrsServer, question: (ask: Ask) => Promise<T>): Promise<T | null> {
    const signal = AbortSignal.timeout(answerWithinMs);
    try {
      const answer = await question((path, method = "GET") => this.ask(api, path, method, signal));
      if (this.quiet.delete(name)) this.parts.log.info({ event: "server.api-back", child: name }, `${name} answers again over its API`);
      return answer;
    } catch (thrown) {
      const reason = signal.aborted ? `no answer within ${answerWithinMs / 1000} s` : messageOf(thrown);
      if (!this.quiet.has(name)) {
        this.quiet.add(name);
        const text = `${name} is left out of the API's answers until it answers: ${reason}`;
        this.parts.log.warn({ event: "server.api-silent", code: "API_SERVER_SILENT", child: name, reason }, text);
      }
      return null;
    }
  }

  private async ask(api: Endpoint, path: string, method: "GET" | "DELETE", signal: AbortSignal, isAgain = false): Promise<SrsRow> {
    const options = { host: api.host, port: api.port, path, method, agent: this.agent, signal, headers: this.headers() };
    const asked = request(options);
    try {
      return await new Promise((resolve, reject) => {
        asked.once("error", reject);
        asked.once("response", (response) => void read(response).then(resolve, reject));
        asked.end();
      });
    } catch (thrown) {
      // A kept connection that the server had ended already.
      if (isAgain || !asked.reusedSocket || errnoOf(thrown) !== "ECONNRESET") throw thrown;
      return this.ask(api, path, method, signal, true);
    }
  }

  private headers(): Record<string, string> {
    const auth = this.parts.auth();
    if (auth === null) return {};
    if (auth.type === "bearer") return { Authorization: `Bearer ${auth.token}` };
    return { Authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}` };
  }

  private count(server: string, pid: number, recv: number, send: number): void {
    const before = this.counted.get(server) ?? { pid, recv: 0, send: 0, goneRecv: 0, goneSend: 0 };
    const { goneRecv, goneSend } = before;
    const isSame = before.pid === pid && recv >= before.recv && send >= before.send;
    const gone = isSame ? { goneRecv, goneSend } : { goneRecv: goneRecv + before.recv, goneSend: goneSend + before.send };
    this.counted.set(server, { pid, recv, send, ...gone });
  }
}

async function allPages(name: "vhosts" | "streams" | "clients", ask: Ask): Promise<readonly SrsRow[]> {
  const found: SrsRow[] = [];
  while (found.length < maxRows) {
    const page = (await ask(`/api/v1/${name}/?start=${found.length}&count=${pageRows}`))[name];
    if (!Array.isArray(page)) throw new Error(`its ${name} are no list`);
    found.push(...(page as SrsRow[]).filter((row) => typeof row === "object" && row !== null));
    if (name === "vhosts" || page.length < pageRows) break; // vhosts come all at once
  }
  return found;
}

async function read(response: IncomingMessage): Promise<SrsRow> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    bytes += part.length;
    if (bytes > maxAnswerBytes) throw new Error(`it answered more than ${maxAnswerBytes} bytes`);
    parts.push(part);
  }
  if (response.statusCode !== 200) throw new Error(`it answered with status ${response.statusCode ?? 0}`);
  const body: unknown = JSON.parse(Buffer.concat(parts).toString());
  if (typeof body !== "object" || body === null) throw new Error("its answer is no object");
  return body as SrsRow;
}
