// Where streams live, as one proxy knows it: players are sent to the server that has their stream, and wait for a publisher
// where there is none; a publisher gets the lease of its stream from the master, which alone decides, so that two proxies
// never send one stream to two servers.
//
//   publish: leased ─────────────────────────────▶ that server     play: leased ─────────────────▶ that server
//            free ─▶ pick ─▶ take ─▶ master: taken ─▶ its word           free ─▶ wait ─▶ leased ─▶ that server
//                                                                                   └─▶ in vain, or another box has it ─▶ pick
import type { BackendState, Lease } from "../../ipc/balance.js";
import type { Locator, StreamName } from "../../ipc/locating.js";
import type { Choice, Chooser, Question } from "./chooser.js";
import { Searches } from "./searches.js";

/** What is asked of `Backends`. */
export interface Servers {
  lease(key: string): Lease | null;
  get(name: string): BackendState | null;
  pick(ask: { readonly key: string | null }, tried: ReadonlySet<string>): BackendState | null;
  canPick(tried: ReadonlySet<string>): boolean;
}

/** To the master; `id` is this proxy's own, one for each publisher. */
export type LeaseWord =
  | { readonly type: "take"; readonly id: number; readonly key: string; readonly backend: string }
  | { readonly type: "release"; readonly id: number };

/** The other boxes of a site, as far as a proxy asks about them. */
export interface Elsewhere {
  readonly locator: Pick<Locator, "locate">;
  /** Whether streams of this vhost are looked for there. */
  isLocated(name: StreamName): boolean;
}

/** How long the master may take to answer; a proxy that hears nothing trusts its own choice. */
const answerTimeoutMs = 1000;

/** The usual chooser. `close` ends all waiting. */
export class RtmpPlaces implements Chooser {
  private readonly servers: Servers;
  private readonly send: (word: LeaseWord) => void;
  private readonly waiters = new Map<string, Set<() => void>>();
  private readonly takes = new Map<number, (backend: string | null) => void>();
  private readonly searches: Searches;
  private lastId = 0;

  constructor(servers: Servers, send: (word: LeaseWord) => void, elsewhere: Elsewhere | null = null) {
    this.servers = servers;
    this.send = send;
    const isLocated = (name: StreamName): boolean => elsewhere?.isLocated(name) ?? false;
    this.searches = new Searches(elsewhere?.locator ?? null, isLocated, (key) => this.goOn(key));
  }

  isPublished(key: string): boolean {
    return this.servers.lease(key) !== null;
  }

  choose(question: Question): Promise<Choice | null> | Choice | null {
    return question.what === "publish" ? this.toPublish(question) : this.toPlay(question);
  }

  /** Goes on holding a lease that another proxy has held for its publisher, under a number of this one. */
  hold(key: string, backend: string): { readonly id: number; release(): void } {
    const id = ++this.lastId;
    this.send({ type: "take", id, key, backend });
    return { id, release: () => this.send({ type: "release", id }) };
  }

  /** The master's answer to `take`. */
  taken(id: number, backend: string): void {
    this.takes.get(id)?.(backend);
  }

  /** Leases have begun: players who wait for one of these streams go on. */
  begun(keys: readonly string[]): void {
    for (const key of keys) this.goOn(key);
  }

  close(): void {
    for (const answer of this.takes.values()) answer(null);
    for (const key of this.waiters.keys()) this.goOn(key);
    this.searches.close();
  }

  private goOn(key: string): void {
    for (const go of this.waiters.get(key) ?? []) go();
  }

  private async toPublish({ key, tried }: Question): Promise<Choice | null> {
    const isNew = !this.isPublished(key);
    const wanted = this.leased(key, tried) ?? this.servers.pick({ key }, tried);
    if (wanted === null) return null;
    const id = ++this.lastId;
    const release = (): void => this.send({ type: "release", id });
    const answer = await this.take(id, key, wanted.name);
    const target = answer === null ? wanted : this.servers.get(answer);
    if (target === null || tried.has(target.name)) {
      release(); // the stream's server is gone or does not answer, and a lease still holds it there
      return null;
    }
    const isOurs = isNew && target.name === wanted.name; // its lease ends when it is given up
    return {
      target,
      lease: { id, key },
      release,
      hasOther: () => (isOurs || !this.isAt(key, target.name)) && this.hasOther(tried, target.name),
    };
  }

  private take(id: number, key: string, backend: string): Promise<string | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => settle(null), answerTimeoutMs);
      const settle = (answer: string | null): void => {
        clearTimeout(timer);
        this.takes.delete(id);
        resolve(answer);
      };
      this.takes.set(id, settle);
      this.send({ type: "take", id, key, backend });
    });
  }

  private toPlay({ key, tried, waitMs, signal }: Question): Promise<Choice | null> | Choice | null {
    const place = (): Choice | null => {
      const target = this.leased(key, tried) ?? this.servers.pick({ key }, tried);
      if (target === null) return null;
      return {
        target,
        lease: null,
        release: () => undefined,
        hasOther: () => !this.isAt(key, target.name) && this.hasOther(tried, target.name),
      };
    };
    // a server that failed was asked after the wait: the rest shall be quick
    if (this.isPublished(key) || waitMs <= 0 || tried.size > 0) return place();
    return this.wait(key, waitMs, signal).then(place);
  }

  /** Until the stream is published here, found at another box, the time is over or the client has left. */
  private wait(key: string, waitMs: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const here = this.waiters.get(key) ?? new Set();
      this.waiters.set(key, here);
      const go = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", go);
        here.delete(go);
        if (here.size === 0 && this.waiters.get(key) === here) {
          this.waiters.delete(key);
          this.searches.end(key);
        }
        resolve();
      };
      const timer = setTimeout(go, waitMs);
      here.add(go);
      signal.addEventListener("abort", go);
      if (signal.aborted) go();
      else this.searches.begin(key);
    });
  }

  private hasOther(tried: ReadonlySet<string>, name: string): boolean {
    return this.servers.canPick(new Set(tried).add(name));
  }

  private isAt(key: string, name: string): boolean {
    return this.servers.lease(key)?.backend === name;
  }

  /** The server that has a stream, unless it was asked and failed. */
  private leased(key: string, tried: ReadonlySet<string>): BackendState | null {
    const lease = this.servers.lease(key);
    return lease === null || tried.has(lease.backend) ? null : this.servers.get(lease.backend);
  }
}
