// Calls backends, each hook in the way of its kind: what decides is asked and judged, and what tells is sent, again where the site
// wants that. It keeps the counts, and one line of the log for each time that a backend goes and comes back.
//
//   ask ──▶ backend.ts ─▶ answer.ts ─▶ yes, no, or nothing to be had
//   tell ─▶ backend.ts ─▶ taken, or not ─ hook_retries ─▶ later again
import { createHmac } from "node:crypto";
import type { Log } from "../base/log.js";
import type { HookSettings } from "../conf/meaning/config.js";
import type { HookCounts, Undelivered } from "../ipc/dues.js";
import { judge, type Judgement } from "./answer.js";
import { Backend, type Answer, type Call } from "./backend.js";
import { countLatency, newCounts } from "./counts.js";

/** Notifications that wait to be sent again. */
export const maxRetries = 10_000;
/** The pause before the first of them; each further one is twice as long, up to the longest. */
const firstRetryMs = 1_000;
const longestRetryMs = 60_000;

/** What came of a question; null: nobody waited for the answer any more, and the question was not put. */
export type Verdict = Judgement | { readonly isDown: true; readonly why: string } | null;

interface Question {
  readonly action: string;
  readonly url: string;
  readonly text: string;
  readonly isWanted: () => boolean;
}

interface Waiting {
  readonly what: Undelivered;
  readonly timer: NodeJS.Timeout;
}

/** What one process says to backends. `settle` ends what waits. */
export class Messenger {
  settings: HookSettings;
  private readonly log: Log;
  private readonly backends = new Map<string, Backend>();
  private readonly counts = new Map<string, HookCounts>();
  /** URLs that failed at the last call, and how often in a row. */
  private readonly failing = new Map<string, number>();
  private readonly retries = new Set<Waiting>();
  private readonly sending = new Set<Promise<void>>();

  constructor(settings: HookSettings, log: Log) {
    this.settings = settings;
    this.log = log;
  }

  /** How all calls so far went, by URL and hook. */
  snapshot(): readonly HookCounts[] {
    return [...this.counts.values()];
  }

  /** Asks one URL for a decision. */
  async ask({ action, url, text, isWanted }: Question): Promise<Verdict> {
    const counts = this.countsOf(action, url);
    const answer = await this.call(counts, url, text, { isWanted });
    if ("failure" in answer && answer.failure === null) return null;
    const why = whyDown(answer);
    if (why !== null) return { isDown: true, why };
    const judgement = "failure" in answer ? null : judge(answer.status, answer.body);
    if (judgement?.isYes === false) counts.refusals += 1;
    return judgement;
  }

  /** Tells one URL something. Resolves when it has been sent once; `onStart` is called when its turn has come. */
  async tell(what: Undelivered, onStart: () => void = () => undefined): Promise<void> {
    const { action, url, text, event, attempt } = what;
    const { retries } = this.settings;
    const headers: Record<string, string> = retries === 0 ? {} : { "X-Dolphin-Event": event, "X-Dolphin-Attempt": String(attempt) };
    const counts = this.countsOf(action, url);
    const answer = await this.call(counts, url, text, { headers, onStart });
    if (whyDown(answer) === null) return;
    if (attempt > retries || this.retries.size >= maxRetries) {
      if (retries > 0) this.drop(counts, what);
      return;
    }
    this.later({ ...what, attempt: attempt + 1 });
  }

  /** Asks by GET, and does not look at the answer beyond `readsBytes`. */
  async visit(action: string, url: string, limits: { readonly readsBytes: number; readonly timeoutMs: number }): Promise<void> {
    await this.call(this.countsOf(action, url), url, "", { method: "GET", ...limits });
  }

  /** Goes on with what another process has begun to tell. */
  later(what: Undelivered): void {
    const pauseMs = Math.min(firstRetryMs * 2 ** (what.attempt - 2), longestRetryMs);
    const waiting: Waiting = {
      what,
      timer: setTimeout(() => {
        this.retries.delete(waiting);
        this.send(what);
      }, pauseMs),
    };
    this.retries.add(waiting);
  }

  /** Gives up waiting: what would be sent again later, which is the caller's from now on. */
  takeRetries(): Undelivered[] {
    const taken = [...this.retries];
    this.retries.clear();
    for (const { timer } of taken) clearTimeout(timer);
    return taken.map(({ what }) => what);
  }

  /** Sends what waits once more, at once. Resolves when it has been sent. */
  async settle(): Promise<void> {
    for (const what of this.takeRetries()) this.send({ ...what, attempt: Math.max(what.attempt, this.settings.retries + 1) });
    while (this.sending.size > 0) await Promise.all(this.sending);
  }

  private send(what: Undelivered): void {
    const sent = this.tell(what).finally(() => this.sending.delete(sent));
    this.sending.add(sent);
  }

  private async call(counts: HookCounts, url: string, text: string, { headers = {}, ...how }: Partial<Call>): Promise<Answer> {
    const { secret, timeoutMs } = this.settings;
    const signed = secret === null ? {} : { "X-Dolphin-Signature": `sha256=${createHmac("sha256", secret).update(text).digest("hex")}` };
    let startedAtMs = 0;
    const answer = await this.backendAt(url).call({
      method: "POST",
      text,
      isWanted: () => true,
      readsBytes: null,
      timeoutMs,
      ...how,
      headers: { ...headers, ...signed },
      onStart: () => {
        startedAtMs = performance.now();
        counts.calls += 1;
        how.onStart?.();
      },
    });
    if (startedAtMs > 0) countLatency(counts, performance.now() - startedAtMs);
    if (!("failure" in answer && answer.failure === null)) this.note(counts, url, whyDown(answer));
    return answer;
  }

  /** One line when a backend fails that did not before, and one when it is back. */
  private note(counts: HookCounts, url: string, why: string | null): void {
    const failed = this.failing.get(url) ?? 0;
    const { action } = counts;
    if (why !== null) {
      counts.failures += 1;
      this.failing.set(url, failed + 1);
      if (failed === 0) this.log.warn({ event: "hook.failed", code: "HOOK_FAILED", action, url: counts.url, reason: why });
    } else if (failed > 0) {
      this.failing.delete(url);
      this.log.info({ event: "hook.works", action, url: counts.url, failed }, "the backend answers again");
    }
  }

  private drop(counts: HookCounts, { action, event, attempt }: Undelivered): void {
    counts.dropped += 1;
    this.log.warn({ event: "hook.dropped", code: "HOOK_FAILED", action, url: counts.url, hook: event, attempt }, "nobody took it");
  }

  private backendAt(url: string): Backend {
    const known = this.backends.get(url) ?? new Backend(url, () => this.settings);
    this.backends.set(url, known);
    return known;
  }

  private countsOf(action: string, url: string): HookCounts {
    const key = `${action} ${url}`;
    const known = this.counts.get(key) ?? newCounts(action, url);
    this.counts.set(key, known);
    return known;
  }
}

/** Why an answer is none of the backend's own, as a sentence goes on; null: it has answered. */
function whyDown(answer: Answer): string | null {
  if ("failure" in answer) return answer.failure ?? "was not asked";
  return answer.status >= 500 || answer.status === 429 ? `answered with status ${answer.status}` : null;
}
