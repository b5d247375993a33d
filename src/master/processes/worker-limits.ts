// Worker processes that have grown too large or too old are replaced while they serve, one at a time. Looks every few seconds.
import type { Log } from "../../base/log.js";
import type { ChildView } from "./supervisor.js";
import type { Timers } from "../../base/timers.js";

const lookEveryMs = 5_000;

export interface WorkerLimitsParts {
  readonly timers: Timers;
  readonly log: Log;
  /** Null: no limit of this kind. As they are now. */
  readonly limits: () => { readonly maxMemoryBytes: number | null; readonly maxAgeMs: number | null };
  readonly children: () => readonly ChildView[];
  /** Resident bytes by pid. */
  readonly memory: (pids: readonly number[]) => Promise<ReadonlyMap<number, number>>;
  /** Puts another process in the place of a worker; resolves when that is done or could not be. */
  readonly replace: (name: string, reason: string) => Promise<unknown>;
}

/** Watches the workers of one box until `close`. */
export class WorkerLimits {
  private readonly parts: WorkerLimitsParts;
  private forgetTimer: () => void = () => undefined;
  private isClosed = false;

  constructor(parts: WorkerLimitsParts) {
    this.parts = parts;
    this.lookLater();
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
    const { timers, limits, children, memory } = this.parts;
    const { maxMemoryBytes, maxAgeMs } = limits();
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
