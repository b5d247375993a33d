// The way to one URL: a request over HTTP with a bound of everything, of how many are under way, how long one may take from when it
// is asked for, and how much of an answer is read. What is over the bound waits for its turn. Nothing here knows what is asked.
//
//   call ─▶ waiting, if `connections` are under way ─▶ under way ─▶ answer
//             └─ not wanted any more, or late ─▶ failure    └─ reset, late, too long ─▶ failure
import { Agent, request as requestHttp, type ClientRequest, type IncomingMessage, type RequestOptions } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import { errnoOf, messageOf } from "../base/errors.js";
import { signature } from "../base/version.js";
import { Turns } from "./turns.js";

/** The longest answer that is read. */
export const maxAnswerBytes = 64 << 10;
/** Calls that wait for their turn at one URL. */
export const maxWaitingCalls = 100_000;
/** How long a connection that was kept for the next call is kept. */
const keptMs = 15_000;

export interface BackendSettings {
  readonly timeoutMs: number;
  /** Calls that are under way at once, each on a connection of its own. */
  readonly connections: number;
  readonly keepsAlive: boolean;
}

export interface Call {
  readonly method: "GET" | "POST";
  /** JSON. */
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether anybody still waits; asked when its turn comes. */
  readonly isWanted: () => boolean;
  /** Its turn has come. */
  readonly onStart: () => void;
  /** Bytes of the answer that are read, where the rest does not matter; null: all of it does. */
  readonly readsBytes: number | null;
  readonly timeoutMs: number;
}

/** `failure`: why there is no answer, as a sentence goes on; null: nobody waited for it any more, and it was not asked for. */
export type Answer = { readonly status: number; readonly body: string } | { readonly failure: string | null };

interface Pending {
  readonly call: Call;
  readonly settle: (answer: Answer) => void;
  readonly timer: NodeJS.Timeout;
  request: ClientRequest | null;
  isUnderWay: boolean;
  isOver: boolean;
}

/** One URL. Nothing to close: it has what is under way, and that ends by itself. */
export class Backend {
  private readonly url: URL | null;
  private readonly settings: () => BackendSettings;
  private kept: { readonly keepsAlive: boolean; readonly connections: number; readonly agent: Agent } | null = null;
  private readonly starts = new Turns();
  private underWay = 0;
  private waiting: Pending[] = [];

  constructor(url: string, settings: () => BackendSettings) {
    const parsed = URL.canParse(url) ? new URL(url) : null;
    this.url = parsed?.protocol === "http:" || parsed?.protocol === "https:" ? parsed : null;
    this.settings = settings;
  }

  /** Calls it. Never rejects. */
  call(call: Call): Promise<Answer> {
    return new Promise((settle) => {
      if (this.url === null) return settle({ failure: "is no URL of http or https" });
      if (this.waiting.length >= maxWaitingCalls) return settle({ failure: `has ${maxWaitingCalls} calls waiting already` });
      const timer = setTimeout(() => this.end(pending, { failure: `did not answer within ${call.timeoutMs} ms` }), call.timeoutMs);
      const pending: Pending = { call, settle, timer, request: null, isUnderWay: false, isOver: false };
      this.waiting.push(pending);
      this.next();
    });
  }

  /** Whoever may begin now does so in its turn: a connection takes its time. */
  private next(): void {
    while (this.waiting.length > 0 && this.underWay < this.settings().connections) {
      const pending = this.waiting.shift()!;
      if (pending.isOver) continue;
      this.underWay += 1;
      pending.isUnderWay = true;
      this.starts.run(() => this.start(pending));
    }
  }

  private start(pending: Pending): void {
    if (pending.isOver) return;
    if (!pending.call.isWanted()) {
      this.end(pending, { failure: null });
      return;
    }
    pending.call.onStart();
    this.send(pending, true);
  }

  private send(pending: Pending, mayRepeat: boolean): void {
    const { method, text, headers } = pending.call;
    const { url } = this;
    const options: RequestOptions = {
      method,
      agent: this.agent(),
      headers: {
        "User-Agent": signature,
        ...(method === "POST" ? { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) } : {}),
        ...headers,
      },
    };
    try {
      const request = url!.protocol === "https:" ? requestHttps(url!, options) : requestHttp(url!, options);
      pending.request = request;
      request.on("response", (response) => this.read(pending, response));
      request.on("error", (error) => {
        // A connection that was kept may have been closed at its other end while this was sent.
        if (mayRepeat && request.reusedSocket && errnoOf(error) === "ECONNRESET" && !pending.isOver) this.send(pending, false);
        else this.end(pending, { failure: `cannot be asked: ${messageOf(error)}` });
      });
      request.end(method === "POST" ? text : undefined);
    } catch (thrown) {
      this.end(pending, { failure: `cannot be asked: ${messageOf(thrown)}` });
    }
  }

  private read(pending: Pending, response: IncomingMessage): void {
    const { readsBytes } = pending.call;
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    const done = (): void => this.end(pending, { status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString() });
    response.on("data", (chunk: Buffer) => {
      sizeBytes += chunk.length;
      chunks.push(chunk);
      if (readsBytes !== null && sizeBytes >= readsBytes) done();
      else if (sizeBytes > maxAnswerBytes) this.end(pending, { failure: `answered more than ${maxAnswerBytes} bytes` });
    });
    response.on("end", done);
    response.on("error", (error) => this.end(pending, { failure: `broke off its answer: ${messageOf(error)}` }));
  }

  private end(pending: Pending, answer: Answer): void {
    if (pending.isOver) return;
    pending.isOver = true;
    clearTimeout(pending.timer);
    pending.settle(answer);
    if (!pending.isUnderWay) return;
    this.underWay -= 1;
    if ("failure" in answer || pending.call.readsBytes !== null) pending.request?.destroy();
    this.next();
  }

  private agent(): Agent {
    const { keepsAlive, connections } = this.settings();
    if (this.kept?.keepsAlive !== keepsAlive || this.kept.connections !== connections) {
      // A connection is free a moment behind its answer: without the bound the next call would open another one.
      const options = keepsAlive ? { keepAlive: true, timeout: keptMs, maxSockets: connections } : { keepAlive: false };
      const agent = this.url?.protocol === "https:" ? new SecureAgent(options) : new Agent(options);
      this.kept = { keepsAlive, connections, agent }; // the connections of the one before close by themselves
    }
    return this.kept.agent;
  }
}
