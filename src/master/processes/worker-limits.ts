// Worker processes that have grown too large or too old are replaced while they serve, one at a time. Looks every few seconds.
import type { Log } from "../../base/log.js";
import type { ChildView } from "./supervisor.js";
import type { Timers } from "../../base/timers.js";

const lookEveryMs = 5_000;

/** Null: no limit of this kind. */
export interface WorkerLimit {
  readonly maxMemoryBytes: number | null;
  readonly maxAgeMs: number | null;
}

export interface WorkerLimitsParts {
  readonly timers: Timers;
  readonly log: Log;
  readonly children: () => readonly ChildView[];
  /** Resident bytes by pid. */
  readonly memory: (pids: readonly number[]) => Promise<ReadonlyMap<number, number>>;
  /** Puts another process in the place of a worker; resolves when that is done or could not be. */
  readonly replace: (name: string, reason: string) => Promise<unknown>;
}

/** Watches the workers of one box until `close`. */
export class WorkerLimits {
  private readonly parts: WorkerLimitsParts;
  private limit: WorkerLimit;
  private forgetTimer: () => void = () => undefined;
  private isClosed = false;

  constructor(limit: WorkerLimit, parts: WorkerLimitsParts) {
    this.limit = limit;
    this.parts = parts;
    this.lookLater();
  }

  /** Goes by another limit from the next look on. */
  reconfigure(limit: WorkerLimit): void {
    this.limit = limit;
  }

  close(): void {
    this.isClosed = true;
    this.forgetTimer();
  }

  private lookLater(): void {
    if (!this.isClosed) this.forgetTimer = this.parts.timers.after(lookEveryMs, () => void this.look().finally(() => this.lookLater()));
  }

  private async look(): Promise<void> {
    const { log, replace } = this.parts;
    const found = await this.find();
    if (found === null || this.isClosed) return;
    const { name, reason } = found;
    log.info({ event: "worker.over", child: name, reason }, `${name} is replaced: ${reason}`);
    await replace(name, reason);
  }

  /** The first worker that is over a limit. */
  private async find(): Promise<{ readonly name: string; readonly reason: string } | null> {
    const { timers, children, memory } = this.parts;
    const { maxMemoryBytes, maxAgeMs } = this.limit;
    if (maxMemoryBytes === null && maxAgeMs === null) return null;
    const workers = children().filter(({ spec, child, isLeaving }) => spec.isPublic && child.state === "up" && !isLeaving);
    const pids = workers.flatMap(({ pid }) => pid ?? []);
    const used = maxMemoryBytes === null ? new Map<number, number>() : await memory(pids);
    for (const { spec, pid, child } of workers) {
      const { name } = spec;
      const bytes = used.get(pid ?? 0) ?? 0;
      const ageMs = timers.nowMs() - (child.upAtMs ?? timers.nowMs());
      if (maxMemoryBytes !== null && bytes > maxMemoryBytes)
        return { name, reason: `it takes ${mib(bytes)} of ${mib(maxMemoryBytes)} MiB` };
      if (maxAgeMs !== null && ageMs > maxAgeMs) return { name, reason: `it is ${Math.round(ageMs / 1000)} s old` };
    }
    return null;
  }
}

function mib(bytes: number): number {
  return Math.round(bytes / (1 << 20));
}
