// How many cores this process may use: the CPU set as Node sees it, and the CPU quota of its control group.
// A pure function over the text of the quota files, and a thin reader of those files.
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/** The contents of the quota files of our group and of each group above it. */
export interface QuotaFiles {
  /** `cpu.max` of cgroup v2: `max 100000` or `150000 100000`. */
  readonly cpuMax: readonly string[];
  /** `cpu.cfs_quota_us` and `cpu.cfs_period_us` of cgroup v1; a quota of -1 is none. */
  readonly cfs: readonly { readonly quota: string; readonly period: string }[];
}

/** The smaller of the CPU set and the tightest quota, rounded up; at least 1. */
export function coresAllowed(parallelism: number, files: QuotaFiles): number {
  const pairs = [...files.cpuMax.map((text) => text.trim().split(/\s+/)), ...files.cfs.map(({ quota, period }) => [quota, period])];
  const quotas = pairs.map(([quota, period]) => Number(quota) / Number(period)).filter((cores) => Number.isFinite(cores) && cores > 0);
  return Math.max(1, Math.ceil(Math.min(parallelism, ...quotas)));
}

/** The cores of this machine that this process may use. */
export function countCores(): number {
  return coresAllowed(availableParallelism(), readQuotaFiles());
}

const cgroupRoot = "/sys/fs/cgroup";

/** Reads the quota files of this process's groups; where there are none (no Linux, no limit), the lists are empty. */
function readQuotaFiles(): QuotaFiles {
  const cpuMax: string[] = [];
  const cfs: { quota: string; period: string }[] = [];
  for (const line of (read("/proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    for (const folder of withAncestors(path)) {
      const max = controllers === "" ? read(join(cgroupRoot, folder, "cpu.max")) : null;
      if (max !== null) cpuMax.push(max);
      if (!controllers.split(",").includes("cpu")) continue;
      const quota =
        read(join(cgroupRoot, controllers, folder, "cpu.cfs_quota_us")) ?? read(join(cgroupRoot, "cpu", folder, "cpu.cfs_quota_us"));
      const period =
        read(join(cgroupRoot, controllers, folder, "cpu.cfs_period_us")) ?? read(join(cgroupRoot, "cpu", folder, "cpu.cfs_period_us"));
      if (quota !== null && period !== null) cfs.push({ quota, period });
    }
  }
  return { cpuMax, cfs };
}

function withAncestors(path: string): string[] {
  const names = path.split("/").filter((name) => name !== "" && name !== "..");
  return [...names.map((_, index) => `/${names.slice(0, index + 1).join("/")}`), "/"];
}

function read(file: string): string | null {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null; // absent or not for us: then it limits nothing that we can know
  }
}
