// What the processes of a box have counted since it began, by the place that they fill: `edge-1` and its heirs `edge-1.2` … are one. What has
// ended with a process stays in the sum of its place, so that none ever falls; they live as long as the master. Pure but for what it keeps.
import type { ProcessCounts } from "../../ipc/box.js";
import type { ServerStats } from "../../ipc/messages.js";
import { countTime, lagBoundsMs, noTally, noTimes, type Tally, type Times } from "../../ipc/tally.js";

/** The place that a process fills: its name without the number of its generation. */
function placeOf(name: string): string {
  return name.replace(/\.\d+$/, "");
}

/** Told from the beginning, so that the first of each is a growth. */
const commonDeaths = { SIGKILL: 0, SIGABRT: 0, "not started": 0, other: 0 };

interface Place {
  /** Of those that are gone. */
  buried: Sum;
  /** The last that each was heard to say. */
  readonly living: Map<string, { readonly stats: ServerStats; readonly atMs: number }>;
  readonly lag: Times;
  starts: number;
  readonly deaths: Record<string, number>;
}

/** The sums of one box. */
export class Sums {
  private readonly places = new Map<string, Place>();
  private readonly lastUpAtMs = new Map<string, number>();

  heard(name: string, stats: ServerStats, nowMs: number): void {
    const place = this.place(name);
    place.living.set(name, { stats, atMs: nowMs });
    countTime(place.lag, lagBoundsMs, stats.lagMs);
  }

  /** Its process is gone: what it has counted stays. */
  gone(name: string): void {
    const place = this.places.get(placeOf(name));
    const last = place?.living.get(name);
    if (place === undefined || last === undefined) return;
    place.buried = added(place.buried, sumOf(last.stats));
    place.living.delete(name);
  }

  /** It serves since `upAtMs`; told again of the same beginning it is counted once. */
  up(name: string, upAtMs: number): void {
    if (this.lastUpAtMs.get(name) === upAtMs) return;
    this.lastUpAtMs.set(name, upAtMs);
    this.place(name).starts += 1;
  }

  /** It has left for good: nothing is told of its name any more. */
  forget(name: string): void {
    this.lastUpAtMs.delete(name);
  }

  /** It died, and nobody had asked it to leave. */
  died(name: string, cause: string): void {
    const { deaths } = this.place(name);
    const kind = kindOf(cause);
    deaths[kind] = (deaths[kind] ?? 0) + 1;
  }

  /** One row for each place that there has been. */
  counts(nowMs: number): ProcessCounts[] {
    return [...this.places].map(([name, { buried, living, lag, starts, deaths }]) => {
      const all = [...living.values()];
      const { cpuSeconds, bytesIn, bytesOut, innerBytesIn, innerBytesOut, tally } = all.reduce(
        (total, { stats }) => added(total, sumOf(stats)),
        buried,
      );
      const presents = all.flatMap(({ stats: { present } }) => present ?? []);
      return {
        name,
        cpuSeconds,
        bytesIn,
        bytesOut,
        innerBytesIn,
        innerBytesOut,
        tally,
        lag,
        restarts: Math.max(0, starts - 1),
        deaths,
        presents,
        reportAgeSeconds: all.length === 0 ? null : Math.max(...all.map(({ atMs }) => nowMs - atMs)) / 1000,
      };
    });
  }

  private place(name: string): Place {
    const key = placeOf(name);
    let place = this.places.get(key);
    if (place === undefined) {
      place = { buried: nothing(), living: new Map(), lag: noTimes(lagBoundsMs), starts: 0, deaths: { ...commonDeaths } };
      this.places.set(key, place);
    }
    return place;
  }
}

type Sum = Pick<ProcessCounts, "cpuSeconds" | "bytesIn" | "bytesOut" | "innerBytesIn" | "innerBytesOut" | "tally">;

function nothing(): Sum {
  return { cpuSeconds: 0, bytesIn: 0, bytesOut: 0, innerBytesIn: 0, innerBytesOut: 0, tally: noTally() };
}

function sumOf({ cpuSeconds = 0, bytesIn, bytesOut, innerBytesIn = 0, innerBytesOut = 0, tally = noTally() }: ServerStats): Sum {
  return { cpuSeconds, bytesIn, bytesOut, innerBytesIn, innerBytesOut, tally };
}

function added(one: Sum, other: Sum): Sum {
  return {
    cpuSeconds: one.cpuSeconds + other.cpuSeconds,
    bytesIn: one.bytesIn + other.bytesIn,
    bytesOut: one.bytesOut + other.bytesOut,
    innerBytesIn: one.innerBytesIn + other.innerBytesIn,
    innerBytesOut: one.innerBytesOut + other.innerBytesOut,
    tally: addedTallies(one.tally, other.tally),
  };
}

function addedTallies(one: Tally, other: Tally): Tally {
  return {
    accepted: one.accepted + other.accepted,
    plays: one.plays + other.plays,
    publishes: one.publishes + other.publishes,
    ends: addedCounts(one.ends, other.ends),
    upstreamFailures: addedCounts(one.upstreamFailures, other.upstreamFailures),
    firstMedia: {
      counts: one.firstMedia.counts.map((count, i) => count + (other.firstMedia.counts[i] ?? 0)),
      sumMs: one.firstMedia.sumMs + other.firstMedia.sumMs,
    },
  };
}

function addedCounts(one: Readonly<Record<string, number>>, other: Readonly<Record<string, number>>): Record<string, number> {
  const counts = { ...one };
  for (const [name, count] of Object.entries(other)) counts[name] = (counts[name] ?? 0) + count;
  return counts;
}

/** Of the sentence about a death what is one of few: a signal, an exit code, or a word. */
function kindOf(cause: string): string {
  const [signal] = /\bSIG[A-Z0-9]+\b/.exec(cause) ?? [];
  if (signal !== undefined) return signal;
  const [, code] = /\b(?:code|status|exit(?:ed)?(?: with)?) (\d{1,3})\b/.exec(cause) ?? [];
  if (code !== undefined) return `exit ${code}`;
  return cause.startsWith("not started") ? "not started" : "other";
}
