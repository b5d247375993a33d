// The other node: what is told to it, whether it can be reached, and the segments that are copied from it. Each node calls the other, so
// a way that is open in one direction only is none.
//
//   joining ─ the peer has told everything, and answers ─▶ linked ─ silent for a lease ─▶ alone ─ everything told again ─▶ linked
//      └──── a lease has passed ─▶ alone                      └── this process stood still ─▶ joining
import { randomBytes } from "node:crypto";
import { Agent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as SecureAgent, request as requestHttps } from "node:https";
import { messageOf } from "../base/errors.js";
import type { Link } from "./election.js";
import { maxReportStreams, readReceipt, type Report } from "./report.js";
import type { Segment } from "./roll.js";
import { sha256Of } from "./store.js";
import type { StreamReport } from "./stream.js";

export interface PeerOptions {
  readonly url: URL;
  readonly token: string;
  /** The name of this node. */
  readonly me: string;
  readonly leaseMs: number;
  /** The names of all streams, and what is to be told of one. */
  readonly paths: () => Iterable<string>;
  readonly reportOf: (path: string) => StreamReport | null;
  /** A segment has come, and is what it was said to be. */
  readonly onSegment: (segment: Segment, bytes: Buffer) => Promise<void>;
  /** What the peer said holds no more. */
  readonly onForget: () => void;
  readonly onLink: (link: Link, why: string) => void;
  readonly nowMs: () => number;
}

/** Segments that are copied at once. */
const maxFetches = 4;
/** Until one that could not be had is asked for again. */
const fetchAgainMs = 500;
/** How long a copy may take in all, and make no progress. */
const fetchTimeoutMs = 20_000;
const stallMs = 5000;
const maxReceiptBytes = 1024;

type Answer = { readonly status: number; readonly body: Buffer } | { readonly failure: string };

/** The other node. `close` ends it. */
export class Peer {
  link: Link = "joining";
  /** Counted for metrics. */
  fetchedBytes = 0;
  failedFetches = 0;
  private readonly options: PeerOptions;
  private readonly agent: Agent;
  private readonly boot = randomBytes(8).toString("hex");
  private count = 0;
  private readonly dirty = new Set<string>();
  private isSending = false;
  /** By which the peer knows us. */
  private theirSession = "";
  /** By which we know the peer; another one whenever we forget what it said. */
  private session = newSession();
  private isComplete = false;
  private theirBoot = "";
  private theirCount = 0;
  private heardMs = -Infinity;
  private answeredMs = -Infinity;
  private lookedMs: number;
  private joiningUntilMs: number;
  private readonly fetching = new Map<string, Promise<Buffer | null>>();
  private readonly restingUntilMs = new Map<string, number>();
  private why = "it has not been heard yet";
  private isClosed = false;

  constructor(options: PeerOptions) {
    this.options = options;
    const settings = { keepAlive: true, maxSockets: maxFetches + 2 };
    this.agent = options.url.protocol === "https:" ? new SecureAgent(settings) : new Agent(settings);
    this.lookedMs = options.nowMs();
    this.joiningUntilMs = this.lookedMs + options.leaseMs;
  }

  /** A stream has changed: it is told at once, or with what follows. */
  touch(path: string): void {
    this.dirty.add(path);
    void this.send();
  }

  /** Takes what the peer says; gives the answer, or why it is none of ours. What is in it is heard by the caller, where it is newer. */
  hear({ node, boot, count, session, isWhole }: Report): { readonly receipt: string; readonly isNew: boolean } | string {
    const { me, nowMs } = this.options;
    if (node === me) return `both nodes are called ${me}: give one of them another name with --node`;
    const isNew = boot !== this.theirBoot || count > this.theirCount;
    if (boot !== this.theirBoot && this.theirBoot !== "") {
      this.forget();
      this.wait("the peer has begun anew"); // within the lease that is no death
    }
    if (isNew) {
      this.theirBoot = boot;
      this.theirCount = count;
      this.heardMs = nowMs();
      if (session === this.session && isWhole) this.isComplete = true;
    }
    return { receipt: JSON.stringify({ node: me, session: this.session }), isNew };
  }

  /** Once each quarter of a second: says something, and sees how the peer is. */
  look(): void {
    const { leaseMs, nowMs } = this.options;
    const now = nowMs();
    // What was stopped or starved does not know what has happened meanwhile, nor whether it may still lead.
    if (now - this.lookedMs > leaseMs / 2) {
      this.heardMs = -Infinity;
      this.wait("this process stood still");
    }
    this.lookedMs = now;
    const isHeard = now - this.heardMs < leaseMs;
    if (!isHeard && this.isComplete) this.forget();
    this.turn(isHeard && this.isComplete && now - this.answeredMs < leaseMs ? "linked" : now < this.joiningUntilMs ? "joining" : "alone");
    for (const [id, untilMs] of this.restingUntilMs) if (untilMs <= now) this.restingUntilMs.delete(id);
    void this.send();
  }

  /** Copies a segment, unless that is being done or has just failed. */
  want(segment: Segment): void {
    if (this.fetching.size >= maxFetches || this.restingUntilMs.has(segment.id)) return;
    void this.fetch(segment);
  }

  /** The bytes of one of the peer's segments; null: they cannot be had. */
  fetch(segment: Segment): Promise<Buffer | null> {
    const { id } = segment;
    const known = this.fetching.get(id);
    if (known !== undefined) return known;
    if (this.isClosed || this.fetching.size >= 2 * maxFetches) return Promise.resolve(null);
    const fetching = this.load(segment).finally(() => this.fetching.delete(id));
    this.fetching.set(id, fetching);
    return fetching;
  }

  /** Ends everything that is under way. */
  close(): void {
    this.isClosed = true;
    this.agent.destroy();
  }

  private async load(segment: Segment): Promise<Buffer | null> {
    const { id, sizeBytes, sha256 } = segment;
    const answer = await this.call("GET", `/segments/${id}`, null, { maxBytes: sizeBytes, timeoutMs: fetchTimeoutMs });
    const isRight = "body" in answer && answer.status === 200 && answer.body.length === sizeBytes && sha256Of(answer.body) === sha256;
    if (!isRight) {
      this.failedFetches += 1;
      this.restingUntilMs.set(id, this.options.nowMs() + fetchAgainMs);
      return null;
    }
    this.fetchedBytes += sizeBytes;
    await this.options.onSegment(segment, answer.body);
    return answer.body;
  }

  /** For a lease at most the peer is heard before this node goes on. */
  private wait(why: string): void {
    this.joiningUntilMs = this.options.nowMs() + this.options.leaseMs;
    this.why = why;
  }

  private forget(): void {
    this.session = newSession();
    this.isComplete = false;
    this.options.onForget();
  }

  private turn(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.options.onLink(link, this.why);
  }

  private async send(): Promise<void> {
    const { nowMs, leaseMs, paths } = this.options;
    if (this.isSending || this.isClosed) return;
    this.isSending = true;
    const sent = [...this.dirty].slice(0, maxReportStreams);
    for (const path of sent) this.dirty.delete(path);
    const answer = await this.call("POST", "/sync", this.text(sent), { maxBytes: maxReceiptBytes, timeoutMs: leaseMs / 2 });
    const receipt = "body" in answer && answer.status === 200 ? readReceipt(answer.body.toString()) : null;
    if (receipt === null) {
      for (const path of sent) this.dirty.add(path);
      this.why = "failure" in answer ? answer.failure : `it answered ${answer.status} ${answer.body.toString().trim().slice(0, 200)}`;
    } else {
      this.answeredMs = nowMs();
      this.why = `it was not heard for ${leaseMs} ms`;
      if (receipt.session !== this.theirSession) {
        this.theirSession = receipt.session;
        for (const path of paths()) this.dirty.add(path); // it has forgotten, or never heard, what was told
        this.isSending = false;
        return; // not at once: behind a balancer there may be another one each time
      }
    }
    this.isSending = false;
    if (receipt !== null && this.dirty.size > 0) return this.send();
  }

  private text(sent: readonly string[]): string {
    const { me, reportOf } = this.options;
    const streams = sent.map(reportOf).filter((report) => report !== null);
    this.count += 1;
    const session = this.theirSession;
    const report: Report = { node: me, boot: this.boot, count: this.count, session, streams, isWhole: this.dirty.size === 0 };
    return JSON.stringify(report);
  }

  /** One call, with a bound of everything. Never rejects. */
  private call(
    method: "GET" | "POST",
    path: string,
    text: string | null,
    { maxBytes, timeoutMs }: { readonly maxBytes: number; readonly timeoutMs: number },
  ): Promise<Answer> {
    const { url, token } = this.options;
    return new Promise((resolve) => {
      const headers = {
        Authorization: `Bearer ${token}`,
        ...(text === null ? {} : { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) }),
      };
      const target = new URL(`${url.pathname.replace(/\/+$/, "")}${path}`, url);
      const send = target.protocol === "https:" ? requestHttps : requestHttp;
      const request = send(target, { method, headers, agent: this.agent, timeout: Math.min(stallMs, timeoutMs) });
      const timer = setTimeout(() => give({ failure: `it did not answer within ${timeoutMs} ms` }), timeoutMs);
      const give = (answer: Answer): void => {
        clearTimeout(timer);
        resolve(answer);
        if ("failure" in answer) request.destroy();
      };
      request.on("timeout", () => give({ failure: "it stands still" }));
      request.on("error", (error) => give({ failure: messageOf(error) }));
      request.on("response", (response) => read(response, maxBytes, give));
      request.end(text ?? undefined);
    });
  }
}

/** The whole answer, unless it is longer than it may be. An answer that is no yes is a sentence, and short. */
function read(response: IncomingMessage, maxBytes: number, give: (answer: Answer) => void): void {
  const most = response.statusCode === 200 ? maxBytes : maxReceiptBytes;
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  response.on("data", (part: Buffer) => {
    sizeBytes += part.length;
    if (sizeBytes > most) give({ failure: `it sent more than ${most} bytes` });
    else parts.push(part);
  });
  response.on("end", () => give({ status: response.statusCode ?? 0, body: Buffer.concat(parts) }));
  response.on("error", (error) => give({ failure: messageOf(error) }));
}

function newSession(): string {
  return randomBytes(8).toString("hex");
}
