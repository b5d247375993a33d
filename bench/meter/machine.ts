// The machine, and what else it does: a figure that was taken beside other work is worth less, and has to say so.
import { cpus, loadavg } from "node:os";
import { readProc } from "./process-tree.js";

/** Between two looks, in percent of one core. */
export interface Usage {
  /** What all processes took together, and the kernel for itself. */
  readonly busy: number;
  /** What other guests of the host took of ours. */
  readonly stolen: number;
}

interface Look {
  readonly atMs: number;
  readonly busyTicks: number;
  readonly stolenTicks: number;
}

/** Linux counts the CPU time of the machine in this unit on every architecture that Node runs on. */
const ticksPerSecond = 100;

/** A look at the machine, to be handed to `usageSince`. */
export function lookAtMachine(): Look {
  const line = readProc("stat")?.split("\n")[0] ?? "";
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return { atMs: performance.now(), busyTicks: user + nice + system + irq + softirq, stolenTicks: steal };
}

export function usageSince({ atMs, busyTicks, stolenTicks }: Look): Usage {
  const now = lookAtMachine();
  const percent = (ticks: number): number => (ticks / ticksPerSecond / ((now.atMs - atMs) / 1000)) * 100;
  return { busy: percent(now.busyTicks - busyTicks), stolen: percent(now.stolenTicks - stolenTicks) };
}

export function machineName(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? "unknown CPU"}, ${all.length} cores`;
}

export function loadAverage(): number {
  return loadavg()[0] ?? 0;
}
