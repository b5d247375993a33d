// How much a box carries of what it can, for those of its site that choose among boxes: the processor time of all its processes since it
// was looked at last, or the connections that are taken, whichever is more. Pure.
import type { BoxFacts } from "../../ipc/box.js";

/** Looks that are closer together than this tell the same. */
const leastBetweenMs = 1_000;

/** What a look has found, and what the next one is compared with. */
export interface Load {
  /** 0 to 1. */
  readonly load: number;
  /** Who publishes and plays. */
  readonly clients: number;
  readonly atMs: number;
  readonly cpuSeconds: number;
}

export interface LoadFacts extends Pick<BoxFacts, "processes" | "counts"> {
  readonly nowMs: number;
  readonly cores: number;
  /** Null: there is no limit. */
  readonly maxConnections: number | null;
}

/** Before there are two looks, connections alone tell. */
export function loadOf({ processes, counts, nowMs, cores, maxConnections }: LoadFacts, before: Load | null): Load {
  if (before !== null && nowMs - before.atMs < leastBetweenMs) return before;
  const cpuSeconds = counts.reduce((sum, count) => sum + count.cpuSeconds, 0);
  const clients = clientsOf(processes);
  const cpu = before === null ? 0 : ((cpuSeconds - before.cpuSeconds) * 1000) / (nowMs - before.atMs) / cores;
  const taken = maxConnections === null ? 0 : clients / maxConnections;
  return { load: Math.round(Math.min(1, Math.max(0, cpu, taken)) * 100) / 100, clients, atMs: nowMs, cpuSeconds };
}

/** The clients of plan b's servers are its proxies. */
function clientsOf(processes: LoadFacts["processes"]): number {
  const proxies = processes.filter(({ duty }) => duty === "proxy");
  if (proxies.length > 0) return proxies.reduce((sum, { connections }) => sum + connections, 0);
  return processes.reduce((sum, { players, publishers }) => sum + players + publishers, 0);
}
