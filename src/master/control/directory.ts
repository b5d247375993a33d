// What is known of every process: what it told in its heartbeats and reports, and what the system tells of it. The numbers
// come by themselves each second; streams and the system's view are asked for only when somebody wants to see them.
import { sumHooks } from "./hook-sums.js";
import type { HookCounts } from "../../ipc/dues.js";
import pidusage from "pidusage";
import { noStats, type ServerStats, type StreamReport } from "../../ipc/messages.js";
import { lastCause } from "../processes/child.js";
import { type ProcessStatus } from "./status.js";
import { mergeStreams, type ProcessStreams, type StreamStatus } from "../../ipc/streams.js";
import type { ChildView } from "../processes/supervisor.js";

/** A process of the box: a child, or the master with the origin in it. */
export interface Member {
  readonly name: string;
  readonly role: ProcessStatus["role"];
  readonly duty: ProcessStatus["duty"];
  readonly pid: number | null;
  readonly state: ProcessStatus["state"];
  readonly restarts: number;
  readonly lastDeath: { readonly cause: string; readonly atMs: number } | null;
  readonly upAtMs: number | null;
}

/** CPU in percent of one core and memory in bytes, by pid. */
export type Usage = ReadonlyMap<number, { readonly cpuPercent: number; readonly memoryBytes: number }>;

interface Sample {
  readonly atMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Entry {
  stats: ServerStats | null;
  samples: Sample[];
  streams: readonly StreamReport[];
  isStale: boolean;
}

/** Rates are taken over so many heartbeats. */
const rateSamples = 4;

/** The knowledge itself, by process name. */
export class Directory {
  private readonly entries = new Map<string, Entry>();
  /** What those carried that are gone. */
  private buried = { bytesIn: 0, bytesOut: 0 };
  private buriedHooks: readonly HookCounts[] = [];

  heard(name: string, stats: ServerStats, nowMs: number): void {
    const entry = this.entry(name);
    entry.stats = stats;
    entry.samples = [...entry.samples, { atMs: nowMs, bytesIn: stats.bytesIn, bytesOut: stats.bytesOut }].slice(-rateSamples);
  }

  reported(name: string, streams: readonly StreamReport[]): void {
    const entry = this.entry(name);
    entry.streams = streams;
    entry.isStale = false;
  }

  /** It was asked and did not answer: what is known of it stays, and is marked. */
  silent(name: string): void {
    this.entry(name).isStale = true;
  }

  /** Its process is gone, and all that it served with it. */
  gone(name: string): void {
    const { bytesIn, bytesOut } = outerBytes(this.entries.get(name)?.stats ?? noStats);
    this.buried = { bytesIn: this.buried.bytesIn + bytesIn, bytesOut: this.buried.bytesOut + bytesOut };
    this.buriedHooks = sumHooks([this.buriedHooks, this.entries.get(name)?.stats?.hooks ?? []]);
    this.entries.delete(name);
  }

  /** How hooks went since the start, in processes that are gone, too. */
  hooks(): readonly HookCounts[] {
    return sumHooks([this.buriedHooks, ...[...this.entries.values()].map(({ stats }) => stats?.hooks ?? [])]);
  }

  /** What the box has carried since its start, without what passed between its own processes. */
  carriedBytes(): { readonly bytesIn: number; readonly bytesOut: number } {
    const all = [this.buried, ...[...this.entries.values()].map(({ stats }) => outerBytes(stats ?? noStats))];
    return { bytesIn: sumOf(all, "bytesIn"), bytesOut: sumOf(all, "bytesOut") };
  }

  /** What these processes carry together. */
  totals(names: readonly string[]): Pick<ServerStats, "connections" | "players" | "publishers"> {
    const all = names.map((name) => this.entries.get(name)?.stats ?? noStats);
    const sum = (field: "connections" | "players" | "publishers"): number => all.reduce((total, stats) => total + stats[field], 0);
    return { connections: sum("connections"), players: sum("players"), publishers: sum("publishers") };
  }

  processes(members: readonly Member[], usage: Usage, nowMs: number): ProcessStatus[] {
    return members.map((member) => {
      const entry = this.entries.get(member.name);
      const { lagMs, connections, players, publishers } = entry?.stats ?? noStats;
      const used = member.pid === null ? undefined : usage.get(member.pid);
      const { name, role, duty, pid, state, restarts, lastDeath, upAtMs } = member;
      return {
        name,
        role,
        duty,
        pid,
        state,
        restarts,
        lagMs,
        connections,
        players,
        publishers,
        lastDeath: lastDeath === null ? null : { cause: lastDeath.cause, secondsAgo: Math.round((nowMs - lastDeath.atMs) / 1000) },
        upSeconds: upAtMs === null ? null : Math.round((nowMs - upAtMs) / 1000),
        cpuPercent: used === undefined ? null : rounded(used.cpuPercent),
        memoryBytes: used?.memoryBytes ?? null,
        mbpsIn: rateMbps(entry?.samples ?? [], "bytesIn"),
        mbpsOut: rateMbps(entry?.samples ?? [], "bytesOut"),
        isStale: entry?.isStale ?? false,
      };
    });
  }

  streams(members: readonly Member[]): StreamStatus[] {
    const known = members.map(({ name, duty }): ProcessStreams | null =>
      duty === null ? null : { name, duty, streams: this.entries.get(name)?.streams ?? [] },
    );
    return mergeStreams(known.filter((one) => one !== null));
  }

  private entry(name: string): Entry {
    let entry = this.entries.get(name);
    if (entry === undefined) this.entries.set(name, (entry = { stats: null, samples: [], streams: [], isStale: false }));
    return entry;
  }
}

function outerBytes({ bytesIn, bytesOut, innerBytesIn = 0, innerBytesOut = 0 }: ServerStats): { bytesIn: number; bytesOut: number } {
  return { bytesIn: bytesIn - innerBytesIn, bytesOut: bytesOut - innerBytesOut };
}

function sumOf<Name extends string>(rows: readonly Readonly<Record<Name, number>>[], name: Name): number {
  return rows.reduce((total, row) => total + row[name], 0);
}

/** A child as a member of the box. */
export function memberOf({ spec, pid, child, isLeaving }: ChildView): Member {
  const death = child.deaths.at(-1);
  return {
    name: spec.name,
    role: spec.duty === "origin" || spec.duty === "edge" ? "server" : spec.duty,
    duty: spec.duty,
    pid,
    state: isLeaving && child.state === "up" ? "draining" : child.state,
    restarts: Math.max(0, child.starts - 1),
    lastDeath: death === undefined ? null : { cause: lastCause(child) ?? "", atMs: death.atMs },
    upAtMs: child.upAtMs,
  };
}

/** Resident bytes by pid; one that is gone is left out. */
export async function measureMemory(pids: readonly number[]): Promise<Map<number, number>> {
  return new Map([...(await measureUsage(pids, 0))].map(([pid, { memoryBytes }]) => [pid, memoryBytes]));
}

/** Looks twice, `overMs` apart, so that CPU is that of this moment and not of the whole life. A pid that is gone is left out. */
export async function measureUsage(pids: readonly number[], overMs: number): Promise<Usage> {
  const usage = new Map<number, { cpuPercent: number; memoryBytes: number }>();
  if (pids.length === 0) return usage;
  try {
    await pidusage([...pids]);
    await new Promise((resolve) => setTimeout(resolve, overMs));
    const found: Readonly<Record<string, pidusage.Status | undefined>> = await pidusage([...pids]);
    for (const pid of pids) {
      const one = found[pid];
      if (one !== undefined) usage.set(pid, { cpuPercent: one.cpu, memoryBytes: one.memory });
    }
  } catch {
    // All of them are gone, or this system tells nothing: the status is shown without.
  }
  return usage;
}

function rateMbps(samples: readonly Sample[], field: "bytesIn" | "bytesOut"): number {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
  return rounded(Math.max(0, ((last[field] - first[field]) * 8) / 1000 / (last.atMs - first.atMs)));
}

function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}
