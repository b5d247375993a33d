// Watches the servers behind the proxies: asks each of them once a second, and tells when one begins to answer, misses an
// answer, or has missed so many that it is dead. What follows from that is its owner's business.
import type { Endpoint } from "../../conf/meaning/config.js";
import { probeHttp, probeRtmp, type ProbeResult } from "./probe.js";
import type { Timers } from "../../base/timers.js";

/** Misses in a row after which a server is dead. */
export const maxMisses = 3;

export interface Target {
  readonly name: string;
  readonly rtmp: Endpoint;
  /** Asked until it has answered for the first time; null: it serves no HTTP. */
  readonly http: Endpoint | null;
}

export interface ProberOptions {
  readonly timers: Timers;
  /** From one question to the next. */
  readonly intervalMs: number;
  /** How long a server may take to answer. */
  readonly deadlineMs: number;
  answered(name: string): void;
  /** `misses` in a row, from 1; `why` goes on from its name: `refused the connection`. */
  missed(name: string, misses: number, why: string): void;
  /** The tests bring their own. */
  readonly probes?: Probes;
}

export interface Probes {
  rtmp(endpoint: Endpoint, deadlineMs: number): Promise<ProbeResult>;
  http(endpoint: Endpoint, deadlineMs: number): Promise<ProbeResult>;
}

interface Watch {
  readonly target: Target;
  hasAnswered: boolean;
  misses: number;
  forgetTimer: () => void;
}

/** The probes of one box. */
export class Prober {
  private readonly options: ProberOptions;
  private readonly probes: Probes;
  private readonly watches = new Map<string, Watch>();

  constructor(options: ProberOptions) {
    this.options = options;
    this.probes = options.probes ?? { rtmp: probeRtmp, http: probeHttp };
  }

  /** Begins with a process that was started now; `everyMs` until its first answer. */
  watch(target: Target, everyMs: number): void {
    this.forget(target.name);
    const watch: Watch = { target, hasAnswered: false, misses: 0, forgetTimer: () => undefined };
    this.watches.set(target.name, watch);
    this.ask(watch, everyMs);
  }

  /** Its process is gone. */
  forget(name: string): void {
    this.watches.get(name)?.forgetTimer();
    this.watches.delete(name);
  }

  close(): void {
    for (const name of this.watches.keys()) this.forget(name);
  }

  private ask(watch: Watch, everyMs: number): void {
    const { timers, intervalMs } = this.options;
    const startedAtMs = timers.nowMs();
    void this.probe(watch).then((why) => {
      if (this.watches.get(watch.target.name) !== watch) return; // another process is there by now, or none
      if (why === null) this.answered(watch);
      else this.missed(watch, why);
      const pauseMs = Math.max(0, (watch.hasAnswered ? intervalMs : everyMs) - (timers.nowMs() - startedAtMs));
      if (this.watches.get(watch.target.name) === watch) watch.forgetTimer = timers.after(pauseMs, () => this.ask(watch, everyMs));
    });
  }

  private async probe({ target, hasAnswered }: Watch): Promise<ProbeResult> {
    const { deadlineMs } = this.options;
    const why = await this.probes.rtmp(target.rtmp, deadlineMs);
    if (why !== null || hasAnswered || target.http === null) return why;
    const httpWhy = await this.probes.http(target.http, deadlineMs);
    return httpWhy === null ? null : `${httpWhy} (HTTP)`;
  }

  private answered(watch: Watch): void {
    watch.hasAnswered = true;
    watch.misses = 0;
    this.options.answered(watch.target.name);
  }

  /** Before its first answer a server is not late but starting, and the start has a bound of its own. */
  private missed(watch: Watch, why: string): void {
    if (!watch.hasAnswered) return;
    watch.misses += 1;
    this.options.missed(watch.target.name, watch.misses, why);
  }
}
