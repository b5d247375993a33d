// What a process costs, from /proc: CPU in percent of one core over a window, and resident memory.
import { readFileSync } from "node:fs";
import { cpus } from "node:os";

/** Linux counts CPU time for user space in this unit on every architecture that Node runs on. */
const ticksPerSecond = 100;

export interface Window {
  readonly pid: number;
  readonly startedAtMs: number;
  readonly ticks: number;
}

export function openWindow(pid: number): Window {
  return { pid, startedAtMs: performance.now(), ticks: cpuTicks(pid) };
}

/** Percent of one core that the process took since the window was opened. Throws when the process is gone. */
export function closeWindow({ pid, startedAtMs, ticks }: Window): number {
  const seconds = (performance.now() - startedAtMs) / 1000;
  return ((cpuTicks(pid) - ticks) / ticksPerSecond / seconds) * 100;
}

export function residentBytes(pid: number): number {
  const found = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(found?.[1] ?? 0) * 1024;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

export function machineName(): string {
  const all = cpus();
  return `${all[0]?.model.trim() ?? "unknown CPU"}, ${all.length} cores`;
}

function cpuTicks(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the name in parentheses, which may hold spaces: utime and stime are counted from behind it.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}
