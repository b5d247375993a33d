// What the system tells, in /proc: of this machine, and of the box's processes. Where there is none, everything is 0.
import { readFile } from "node:fs/promises";
import { BlockList, isIPv4 } from "node:net";
import { availableParallelism, cpus, freemem, hostname, networkInterfaces, totalmem } from "node:os";

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

/** Bytes over interfaces, as SRS has them: with an address of the internet, and all others, the loopback among them. */
export interface NetworkBytes {
  readonly recv: number;
  readonly send: number;
  readonly innerRecv: number;
  readonly innerSend: number;
}

export async function readNetwork(): Promise<NetworkBytes> {
  return networkIn(await read("/proc/net/dev"), publicInterfaces());
}

/** Of the text of /proc/net/dev. */
export function networkIn(text: string, publicNames: ReadonlySet<string>): NetworkBytes {
  const sums = { recv: 0, send: 0, innerRecv: 0, innerSend: 0 };
  for (const line of text.split("\n")) {
    const [, name = "", rest = ""] = /^\s*([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (rest === "") continue;
    const numbers = rest.trim().split(/\s+/).map(Number);
    const isPublic = publicNames.has(name);
    sums[isPublic ? "recv" : "innerRecv"] += numbers[0] ?? 0;
    sums[isPublic ? "send" : "innerSend"] += numbers[8] ?? 0;
  }
  return sums;
}

/** What no router of the internet knows: RFC 1918, 3927, 4193, 4291, 6598. */
const inner = new BlockList();
for (const [net, bits] of [
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const)
  inner.addSubnet(net, bits, "ipv4");
for (const [net, bits] of [
  ["::1", 128],
  ["fc00::", 7],
  ["fe80::", 10],
] as const)
  inner.addSubnet(net, bits, "ipv6");

function publicInterfaces(): ReadonlySet<string> {
  const isPublic = (address: string): boolean => !inner.check(address, isIPv4(address) ? "ipv4" : "ipv6");
  const all = Object.entries(networkInterfaces());
  return new Set(all.flatMap(([name, list = []]) => (list.some(({ address }) => isPublic(address)) ? [name] : [])));
}

/** TCP connections of the machine: all that it keeps a socket for, those that are established, those that linger; and UDP's sockets. */
export interface SocketCounts {
  readonly inUse: number;
  readonly established: number;
  readonly timeWait: number;
  readonly udp: number;
}

export async function readSockets(): Promise<SocketCounts> {
  const [text, snmp] = await Promise.all([read("/proc/net/sockstat"), read("/proc/net/snmp")]);
  const number = (pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 0);
  const [names = [], values = []] = snmp.split("\n").flatMap((line) => (line.startsWith("Tcp: ") ? [line.split(" ")] : []));
  return {
    inUse: number(/^TCP: inuse (\d+)/m),
    established: Number(values[names.indexOf("CurrEstab")] ?? 0),
    timeWait: number(/^TCP:.* tw (\d+)/m),
    udp: number(/^UDP: inuse (\d+)/m),
  };
}

/** What disks have done since the machine began: kB in and out, and how long (ms) each was busy. */
interface DiskTimes {
  readonly readKb: number;
  readonly writtenKb: number;
  readonly busyMs: ReadonlyMap<string, number>;
}

/** Disks, not their parts: `sda`, `vdb`, `nvme0n1`. */
const wholeDisk = /^(?:[shv]d[a-z]+|xvd[a-z]+|nvme\d+n\d+|mmcblk\d+)$/;

/** Of the texts of /proc/vmstat and /proc/diskstats. */
export function disksIn(vmstat: string, diskstats: string): DiskTimes {
  const pages = (name: string): number => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(vmstat)?.[1] ?? 0);
  const rows = diskstats.split("\n").map((line) => line.trim().split(/\s+/));
  const busyMs = rows.flatMap((row): [string, number][] => (wholeDisk.test(row[2] ?? "") ? [[row[2]!, Number(row[12] ?? 0)]] : []));
  return { readKb: pages("pgpgin"), writtenKb: pages("pgpgout"), busyMs: new Map(busyMs) };
}

/** How busy disks have been since the look before; the first look tells nothing yet. */
export class DiskMeter {
  private last: { readonly atMs: number; readonly times: DiskTimes } | null = null;

  async read(): Promise<DiskUse> {
    const [vmstat, diskstats] = await Promise.all([read("/proc/vmstat"), read("/proc/diskstats")]);
    return this.measure(disksIn(vmstat, diskstats), performance.now());
  }

  measure(times: DiskTimes, atMs: number): DiskUse {
    const { last } = this;
    this.last = { atMs, times };
    if (last === null || atMs <= last.atMs) return { readKBps: 0, writeKBps: 0, busy: 0 };
    const overMs = atMs - last.atMs;
    const perSecond = (kb: number): number => Math.max(0, Math.round((kb * 1000) / overMs));
    const shares = [...times.busyMs].map(([name, ms]) => (ms - (last.times.busyMs.get(name) ?? ms)) / overMs);
    return {
      readKBps: perSecond(times.readKb - last.times.readKb),
      writeKBps: perSecond(times.writtenKb - last.times.writtenKb),
      busy: rounded(Math.min(1, Math.max(0, ...shares))),
    };
  }
}

/** `busy` is the share of the time that the busiest disk had something to do. */
export interface DiskUse {
  readonly readKBps: number;
  readonly writeKBps: number;
  readonly busy: number;
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
