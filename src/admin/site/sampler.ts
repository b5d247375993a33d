// Looks at the box every five seconds, whether or not anybody watches, so that whoever opens the console sees the hour before. What it
// asks is in the master's memory, and CPU and memory of the processes are read from the system by this process: no stream notices.
import type { BoxFacts } from "../../ipc/box.js";
import type { AdminContext } from "../box/context.js";
import { CpuMeter, readStat, residentKb } from "../box/proc.js";
import { isServingDuty } from "./health.js";
import { History, historyStepMs } from "./history.js";
import type { Totals } from "./shapes.js";

/** What the system tells of a process. */
export interface Usage {
  /** Share of one core. */
  readonly cpu: number;
  readonly memoryBytes: number;
}

/** The looks of one admin. `close` ends them. */
export class Sampler {
  readonly history: History;
  private readonly context: Pick<AdminContext, "view" | "config">;
  private readonly meter = new CpuMeter();
  private readonly timer: NodeJS.Timeout;
  private usage: ReadonlyMap<number, Usage> = new Map();
  private isLooking = false;
  private last: { readonly atMs: number; readonly bytesIn: number; readonly bytesOut: number } | null = null;
  private flow: Pick<Totals, "mbpsIn" | "mbpsOut"> = { mbpsIn: 0, mbpsOut: 0 };

  /** `historyFile`: where the hour before is kept; null: nowhere. */
  constructor(context: Pick<AdminContext, "view" | "config">, historyFile: string | null) {
    this.history = new History(historyFile);
    this.context = context;
    this.timer = setInterval(() => void this.look(), historyStepMs);
    this.timer.unref();
    void this.look(); // so that there is a rate with the next one
  }

  close(): void {
    clearInterval(this.timer);
    this.history.close();
  }

  /** As of the last look at the system; there is one now where that is too long ago to tell of a process. */
  async usages(facts: BoxFacts): Promise<ReadonlyMap<number, Usage>> {
    if (facts.processes.some(({ pid }) => pid !== null && !this.usage.has(pid))) await this.measure(facts);
    return this.usage;
  }

  /** In and out, in Mbit/s since the look before the last one; what passes between the box's own processes is left out. */
  get rates(): Pick<Totals, "mbpsIn" | "mbpsOut"> {
    return this.flow;
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      const facts = await this.context.view.facts();
      await this.measure(facts);
      const isFirst = this.last === null;
      this.note(facts);
      if (isFirst) return; // what flows, and what it costs, shows between two looks
      this.history.add(Date.now(), { ...totalsOf(facts, this.usage), ...this.flow });
    } catch {
      // the master is being replaced: a step without a row
    } finally {
      this.isLooking = false;
    }
  }

  private note({ bytesIn, bytesOut }: BoxFacts): void {
    const now = { atMs: performance.now(), bytesIn, bytesOut };
    const { last } = this;
    this.last = now;
    if (last === null) return;
    const mbps = (bytes: number): number => Math.max(0, Math.round((bytes * 8) / (now.atMs - last.atMs)) / 1000);
    this.flow = { mbpsIn: mbps(bytesIn - last.bytesIn), mbpsOut: mbps(bytesOut - last.bytesOut) };
  }

  private async measure({ processes }: BoxFacts): Promise<void> {
    const found = await Promise.all(processes.map(({ pid }) => (pid === null ? Promise.resolve(null) : readStat(pid))));
    const stats = found.filter((stat) => stat !== null);
    const shares = await this.meter.measure(stats);
    this.usage = new Map(stats.map((stat, i) => [stat.pid, { cpu: shares[i] ?? 0, memoryBytes: residentKb(stat) * 1024 }]));
  }
}

/** What the box comes to, but for what flows. The origin's connections are publishers that were moved to it, and own edges, who are nobody. */
export function totalsOf({ processes }: BoxFacts, usage: ReadonlyMap<number, Usage>): Omit<Totals, "mbpsIn" | "mbpsOut"> {
  const serving = processes.filter(({ duty }) => isServingDuty(duty));
  const hasFront = serving.some(({ duty }) => duty === "edge" || duty === "proxy");
  const sum = (of: (row: BoxFacts["processes"][number]) => number): number => serving.reduce((total, row) => total + of(row), 0);
  const used = processes.flatMap(({ pid }) => (pid === null ? [] : [usage.get(pid) ?? nothing]));
  return {
    connections: sum(({ duty, connections, publishers }) =>
      hasFront && duty === "origin" ? publishers : hasFront && duty === "server" ? 0 : connections,
    ),
    players: sum(({ players }) => players),
    publishers: sum(({ publishers }) => publishers),
    cpu: used.reduce((total, { cpu }) => total + cpu, 0),
    memoryBytes: used.reduce((total, { memoryBytes }) => total + memoryBytes, 0),
    lagMs: Math.max(0, ...processes.map(({ lagMs }) => lagMs)),
  };
}

const nothing: Usage = { cpu: 0, memoryBytes: 0 };
