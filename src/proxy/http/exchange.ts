// One HTTP request and its answer through a proxy: picks a server, asks it, asks the next while nothing was answered yet,
// and streams the answer with back-pressure. Either end that goes takes the other with it. An answer that switches to WebSocket
// (101) makes a pair of the two connections, whose bytes are passed on in both directions.
//
//   choose ─▶ ask ─▶ answer's head ─▶ body, as it comes ─▶ done
//     ▲        │ refused, late: only while no byte of a body was sent
//     └────────┘
import {
  request as httpRequest,
  type Agent,
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import type { Duplex } from "node:stream";
import { Deadline } from "../../base/deadline.js";
import { asDolphinError, DolphinError, messageOf } from "../../base/errors.js";
import { preferWait } from "../../codec/prefer.js";
import type { Endpoint } from "../../conf/meaning/config.js";
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import { passedHeaders, requestHeaders } from "./headers.js";
import { Patience, patienceMs } from "../balance/patience.js";
import type { LiveBytes, Target } from "../balance/chooser.js";

/** What an exchange needs of its proxy. */
export interface ExchangeParts {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Whether the client asks to go on in WebSocket: its connection is no longer node's then. */
  readonly isWebSocket: boolean;
  /** The client's address, as X-Forwarded-For tells it. */
  readonly client: string;
  /** How long a server may take to accept while another could be asked instead; the last one as long as the patience lasts. */
  readonly connectTimeoutMs: number;
  readonly answerTimeoutMs: number;
  /** How long a server is still to wait for the stream before it answers; null: it answers when it likes, and has no longer for that. */
  waitLeftMs(): number | null;
  readonly maxTries: number;
  /** The next server, or null when there is none to ask. */
  choose(tried: ReadonlySet<string>, signal: AbortSignal): Promise<Picked | null>;
  /** The connections that are kept to a server. */
  agentOf(target: Target): Agent;
}

/** A server that was picked; `done` is called once with what went to it and came from it. */
export interface Picked {
  readonly target: Target;
  readonly endpoint: Endpoint;
  /** Whether another server could be asked instead now. */
  hasOther(): boolean;
  follow(live: LiveBytes): void;
  done(live: LiveBytes): void;
}

/** How an exchange ended. */
export interface ExchangeEnd {
  readonly status: number;
  readonly backend: string | null;
  readonly tried: readonly string[];
  readonly endedBy: "client" | "server" | "proxy";
  readonly reason: string;
  readonly error: DolphinError | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

class Late extends Error {}

/** A server's answer; of one that switches to WebSocket also its connection, and what came of it behind the head. */
interface Answer {
  readonly answer: IncomingMessage;
  readonly switched: { readonly socket: Duplex; readonly head: Buffer } | null;
}

/** Runs one exchange to its end. Never throws. */
export async function exchange(parts: ExchangeParts): Promise<ExchangeEnd> {
  const run = new Exchange(parts);
  try {
    return await run.serve();
  } catch (thrown) {
    return run.refuse(thrown);
  }
}

class Exchange implements LiveBytes {
  private readonly parts: ExchangeParts;
  private readonly abort = new AbortController();
  private readonly tried = new Set<string>();
  private readonly patience: Patience;
  private readonly hasBody: boolean;
  private readonly isChunked: boolean;
  private backend: string | null = null;
  private bodyBegun = false;
  private hasLeft = false;
  bytesIn = 0;
  bytesOut = 0;

  constructor(parts: ExchangeParts) {
    this.parts = parts;
    this.patience = new Patience(parts.connectTimeoutMs, patienceMs);
    const { headers } = parts.request;
    this.isChunked = headers["transfer-encoding"] !== undefined;
    this.hasBody = this.isChunked || Number(headers["content-length"] ?? 0) > 0;
    parts.response.on("close", () => {
      this.hasLeft = !parts.response.writableFinished;
      this.abort.abort();
    });
  }

  async serve(): Promise<ExchangeEnd> {
    let last: unknown = new DolphinError("PROXY_NO_SERVER", "no server can take the request");
    while (this.tried.size < this.parts.maxTries) {
      const picked = await this.parts.choose(this.tried, this.abort.signal);
      if (picked === null) break;
      this.tried.add(picked.target.name);
      this.backend = picked.target.name;
      picked.follow(this);
      try {
        return await this.ask(picked);
      } catch (thrown) {
        last = thrown;
        if (this.hasLeft || this.bodyBegun || this.parts.response.headersSent) break;
      } finally {
        picked.done(this);
      }
    }
    throw last;
  }

  /** Tells the client, in a sentence, that there is no answer. */
  refuse(thrown: unknown): ExchangeEnd {
    const { response, request } = this.parts;
    if (this.hasLeft) return this.ended("client", "the client left", null);
    const isLate = thrown instanceof Late;
    const error =
      thrown instanceof DolphinError || !(thrown instanceof Error)
        ? asDolphinError(thrown)
        : new DolphinError("PROXY_CONNECT", `no server answered: ${this.tried.size} asked, the last: ${messageOf(thrown)}`, {
            cause: thrown,
          });
    if (response.headersSent) response.destroy();
    else {
      const body = isLate ? "No server answered in time.\n" : "No server could answer.\n";
      const headers = { "Content-Type": "text/plain; charset=utf-8", "Content-Length": body.length, Connection: "close" };
      response.writeHead(isLate ? 504 : 502, headers).end(body);
      request.resume(); // what it still sends is passed over
    }
    return this.ended("proxy", error.message, error);
  }

  private ended(endedBy: ExchangeEnd["endedBy"], reason: string, error: DolphinError | null): ExchangeEnd {
    const { backend, bytesIn, bytesOut } = this;
    return { status: this.parts.response.statusCode, backend, tried: [...this.tried], endedBy, reason, error, bytesIn, bytesOut };
  }

  /** Asks one server and streams its answer. Throws when there was none. */
  private async ask(picked: Picked): Promise<ExchangeEnd> {
    let upstream = this.send(picked, this.hasBody ? null : this.parts.agentOf(picked.target));
    let answer: Answer;
    try {
      answer = await this.answerOf(upstream, picked);
    } catch (thrown) {
      // the server closed a kept connection at the moment of its next use: that is no failure of the server's
      if (!upstream.reusedSocket || thrown instanceof Late || this.hasLeft) throw thrown;
      upstream = this.send(picked, null);
      answer = await this.answerOf(upstream, picked);
    }
    return answer.switched === null ? this.stream(upstream, answer.answer) : this.join(answer.answer, answer.switched);
  }

  /** Begins a request, on a kept connection where `agent` has one. */
  private send({ endpoint }: Picked, agent: Agent | null): ClientRequest {
    const { request, client, isWebSocket } = this.parts;
    const leftMs = this.parts.waitLeftMs();
    const prefer = leftMs === null ? null : preferWait(leftMs);
    const headers = requestHeaders(request.rawHeaders, {
      client,
      host: formatEndpoint(endpoint),
      isChunked: this.isChunked,
      isWebSocket,
      prefer,
    });
    return httpRequest({
      host: endpoint.host,
      port: endpoint.port,
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers: headers as unknown as OutgoingHttpHeaders, // node takes a list as well, and keeps its order and case
      setHost: false,
      agent: this.parts.isWebSocket ? false : (agent ?? false),
    });
  }

  /** The head of the answer. The body of the request goes out as soon as the server has accepted. */
  private answerOf(upstream: ClientRequest, picked: Picked): Promise<Answer> {
    const { maxTries } = this.parts;
    const answerTimeoutMs = this.parts.answerTimeoutMs + (this.parts.waitLeftMs() ?? 0);
    const { signal } = this.abort;
    return new Promise((resolve, reject) => {
      const where = formatEndpoint(picked.endpoint);
      const answerDeadline = new Deadline();
      this.patience.begin({
        hasOther: () => this.tried.size < maxTries && picked.hasOther(),
        late: (waitedMs) => void upstream.destroy(new Late(`${where} did not accept within ${waitedMs} ms`)),
      });
      const left = (): void => void upstream.destroy(new Error("the client left"));
      const settle = (): void => {
        this.patience.clear();
        answerDeadline.clear();
        signal.removeEventListener("abort", left);
      };
      const accepted = (): void => {
        this.patience.clear();
        answerDeadline.set(answerTimeoutMs, () => {
          upstream.destroy(new Late(`${where} did not answer within ${answerTimeoutMs} ms`));
        });
        if (this.hasBody) this.sendBody(upstream);
      };
      upstream.on("socket", (socket) => {
        if (socket.connecting) socket.once("connect", accepted);
        else accepted();
      });
      upstream.on("response", (answer) => {
        settle();
        resolve({ answer, switched: null });
      });
      if (this.parts.isWebSocket) {
        upstream.on("upgrade", (answer, socket, head) => {
          settle();
          resolve({ answer, switched: { socket, head } });
        });
      }
      upstream.on("error", (error) => {
        settle();
        reject(error);
      });
      signal.addEventListener("abort", left);
      if (signal.aborted) left();
      if (!this.hasBody) upstream.end();
      else upstream.flushHeaders();
    });
  }

  private sendBody(upstream: ClientRequest): void {
    const { request } = this.parts;
    this.bodyBegun = true;
    request.on("data", (bytes: Buffer) => (this.bytesIn += bytes.length));
    request.pipe(upstream);
  }

  /** Passes the switch on, and from then on the bytes of both, until either end is done. */
  private join(answer: IncomingMessage, { socket: server, head }: NonNullable<Answer["switched"]>): Promise<ExchangeEnd> {
    const { response } = this.parts;
    const client = response.socket!;
    return new Promise((resolve) => {
      const end = (endedBy: "client" | "server") => (): void => {
        server.destroy();
        client.destroySoon();
        resolve({ ...this.ended(endedBy, endedBy === "client" ? "the client left" : "done", null), status: 101 });
      };
      server.on("error", () => undefined).once("close", end("server"));
      client.once("close", end("client"));
      const lines = passedHeaders(answer.rawHeaders).flatMap((name, i, all) => (i % 2 === 0 ? [`${name}: ${all[i + 1]}\r\n`] : []));
      client.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${lines.join("")}\r\n`, "latin1");
      if (head.length > 0) server.unshift(head);
      server.on("data", (bytes: Buffer) => (this.bytesOut += bytes.length)).pipe(client);
      client.on("data", (bytes: Buffer) => (this.bytesIn += bytes.length)).pipe(server);
      if (client.destroyed) end("client")();
    });
  }

  /** Passes the answer on until either end is done. */
  private stream(upstream: ClientRequest, answer: IncomingMessage): Promise<ExchangeEnd> {
    const { response } = this.parts;
    return new Promise((resolve) => {
      response.sendDate = false; // the server's own passes
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", passedHeaders(answer.rawHeaders));
      response.flushHeaders(); // a live stream's first bytes may be long in coming
      answer.on("data", (bytes: Buffer) => {
        this.bytesOut += bytes.length;
        if (!response.write(bytes)) answer.pause();
      });
      response.on("drain", () => answer.resume());
      answer.on("end", () => response.end(() => resolve(this.ended("server", "done", null))));
      answer.on("close", () => {
        if (answer.complete) return;
        response.destroy(); // so that the client sees that something is missing
        resolve(
          this.hasLeft ? this.ended("client", "the client left", null) : this.ended("server", "the server broke off its answer", null),
        );
      });
      response.on("close", () => {
        upstream.destroy();
        if (!response.writableFinished) resolve(this.ended("client", "the client left", null));
      });
      upstream.on("error", () => undefined); // its answer's `close` tells
      if (response.destroyed) upstream.destroy();
    });
  }
}
