// What the system tells, in /proc: of this machine, and of the box's processes. Where there is none, everything is 0.
import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, freemem, hostname, totalmem } from "node:os";

/** Ticks of the clock that the kernel counts CPU time in, per second: 100 on every Linux (USER_HZ). */
const ticksPerSecond = 100;
const pageKb = 4;

/** One process: the numbers of /proc/PID/stat in their order behind its name, from `ppid` on. */
export interface ProcessStat {
  readonly pid: number;
  readonly comm: string;
  readonly state: string;
  /** From `ppid`, the fourth field, on. */
  readonly fields: readonly number[];
}

/** Null for a process that is gone, or where there is no /proc. */
export async function readStat(pid: number): Promise<ProcessStat | null> {
  const text = await read(`/proc/${pid}/stat`);
  const [, comm = "", state = "", rest = ""] = /^\d+ (\(.*\)) (\S) (.*)$/s.exec(text) ?? [];
  return rest === "" ? null : { pid, comm, state, fields: rest.trim().split(" ").map(Number) };
}

/** `ppid` is field 4 of proc(5). */
export function statField({ fields }: ProcessStat, number: number): number {
  return fields[number - 4] ?? 0;
}

function cpuTicks(stat: ProcessStat): number {
  return statField(stat, 14) + statField(stat, 15);
}

export function residentKb(stat: ProcessStat): number {
  return statField(stat, 24) * pageKb;
}

/** `Name: number` lines, as of /proc/meminfo and /proc/PID/status and /proc/PID/io. */
export async function readNumbers(path: string): Promise<Readonly<Record<string, number>>> {
  const lines = (await read(path)).split("\n").map((line) => /^(\w[\w()]*):\s+(\d+)/.exec(line));
  return Object.fromEntries(lines.flatMap((found) => (found === null ? [] : [[found[1] ?? "", Number(found[2])]])));
}

/** The `cpu` line of /proc/stat. */
export interface CpuTimes {
  readonly user: number;
  readonly nice: number;
  readonly sys: number;
  readonly idle: number;
  readonly iowait: number;
  readonly irq: number;
  readonly softirq: number;
  readonly steal: number;
  readonly guest: number;
}

export async function readCpu(): Promise<CpuTimes> {
  const line = (await read("/proc/stat")).split("\n").find((one) => one.startsWith("cpu ")) ?? "";
  const [user = 0, nice = 0, sys = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0, guest = 0] = line
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return { user, nice, sys, idle, iowait, irq, softirq, steal, guest };
}

/** Seconds since the machine began, and of them its CPUs' idle ones. */
export async function readUptime(): Promise<{ readonly uptime: number; readonly idle: number }> {
  const [uptime = 0, idle = 0] = (await read("/proc/uptime")).trim().split(" ").map(Number);
  return { uptime, idle };
}

/** Bytes over the interfaces of this machine but its loopback. */
export async function readNetwork(): Promise<{ readonly recv: number; readonly send: number }> {
  let [recv, send] = [0, 0];
  for (const line of (await read("/proc/net/dev")).split("\n")) {
    const [, name = "", rest = ""] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (rest === "" || name === "lo") continue;
    const numbers = rest.trim().split(/\s+/).map(Number);
    recv += numbers[0] ?? 0;
    send += numbers[8] ?? 0;
  }
  return { recv, send };
}

/** TCP connections of the machine. */
export async function readSockets(): Promise<{ readonly inUse: number; readonly timeWait: number; readonly udp: number }> {
  const text = await read("/proc/net/sockstat");
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  return { inUse: number(/^TCP: inuse (\d+)/m), timeWait: number(/^TCP:.* tw (\d+)/m), udp: number(/^UDP: inuse (\d+)/m) };
}

/** How busy processes and the machine have been since the last look, or on average where there was none; 1 is one core. */
export class CpuMeter {
  private last = new Map<number, { readonly atMs: number; readonly ticks: number }>();
  private lastMachine: CpuTimes | null = null;

  /** Shares of one core, in the order of the stats. */
  async measure(stats: readonly ProcessStat[]): Promise<number[]> {
    const nowMs = Date.now();
    const { uptime } = await readUptime();
    const next = new Map(this.last);
    const shares = stats.map((stat) => {
      const ticks = cpuTicks(stat);
      const before = this.last.get(stat.pid);
      if (before === undefined || nowMs - before.atMs > 500) next.set(stat.pid, { atMs: nowMs, ticks });
      const beganMs = nowMs - (uptime - statField(stat, 22) / ticksPerSecond) * 1000;
      const from = before ?? { atMs: beganMs, ticks: 0 };
      return ((ticks - from.ticks) / ticksPerSecond / Math.max(1, nowMs - from.atMs)) * 1000;
    });
    const pids = new Set(stats.map(({ pid }) => pid));
    this.last = new Map([...next].filter(([pid]) => pids.has(pid)));
    return shares.map((share) => rounded(Math.max(0, share)));
  }

  /** The share of the machine that is not idle. */
  machine(now: CpuTimes): number {
    const before = this.lastMachine;
    this.lastMachine = now;
    const all = total(now) - (before === null ? 0 : total(before));
    const idle = now.idle + now.iowait - (before === null ? 0 : before.idle + before.iowait);
    return all <= 0 ? 0 : rounded(1 - idle / all);
  }
}

/** Of the machine itself. */
export function machineFacts(): {
  readonly cpus: number;
  readonly online: number;
  readonly totalKb: number;
  readonly freeKb: number;
  readonly host: string;
} {
  return {
    cpus: cpus().length,
    online: availableParallelism(),
    totalKb: Math.round(totalmem() / 1024),
    freeKb: Math.round(freemem() / 1024),
    host: hostname(),
  };
}

/** Two digits behind the point, as SRS writes shares. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

function total({ user, nice, sys, idle, iowait, irq, softirq, steal }: CpuTimes): number {
  return user + nice + sys + idle + iowait + irq + softirq + steal;
}

async function read(path: string): Promise<string> {
  return readFile(path, "utf8").catch(() => "");
}
