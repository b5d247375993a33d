// What all proxies together carry to each server, from what each of them tells with its heartbeat.
import type { Carried } from "../../ipc/balance.js";

/** The load of one server. Bytes and `total` count since the proxies that live now have started. */
export interface Load {
  readonly connections: number;
  readonly bytesPerSecond: number;
  readonly total: number;
  /** From clients to the server. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** What one proxy carries to one server. */
export type CarriedBy = Carried & { readonly proxy: string };

interface Told {
  readonly atMs: number;
  readonly carried: Carried;
  /** Since the words before. */
  readonly bytesPerSecond: number;
}

/** The sums, by server. */
export class Loads {
  private readonly told = new Map<string, Map<string, Told>>();

  heard(proxy: string, carried: readonly Carried[], nowMs: number): void {
    const before = this.told.get(proxy);
    this.told.set(
      proxy,
      new Map(carried.map((one) => [one.backend, { atMs: nowMs, carried: one, bytesPerSecond: rate(before, one, nowMs) }])),
    );
  }

  /** What each proxy that lives now has told last. */
  list(): CarriedBy[] {
    return Array.from(this.told, ([proxy, told]) => Array.from(told.values(), ({ carried }) => ({ proxy, ...carried }))).flat();
  }

  /** The connections of a proxy ended with it. */
  proxyGone(proxy: string): void {
    this.told.delete(proxy);
  }

  /** `but`: a proxy whose connections are left out; its bytes are not. */
  of(backend: string, but: string | null = null): Load {
    const sum = { connections: 0, bytesPerSecond: 0, total: 0, bytesIn: 0, bytesOut: 0 };
    for (const [proxy, one] of this.told) {
      const told = one.get(backend);
      if (told === undefined) continue;
      if (proxy !== but) sum.connections += told.carried.connections;
      sum.total += told.carried.total;
      sum.bytesIn += told.carried.bytesIn;
      sum.bytesOut += told.carried.bytesOut;
      sum.bytesPerSecond += told.bytesPerSecond;
    }
    return sum;
  }
}

/** Both directions together: that is what a server has to move. */
function rate(before: Map<string, Told> | undefined, { backend, bytesIn, bytesOut }: Carried, nowMs: number): number {
  const last = before?.get(backend);
  if (last === undefined || nowMs <= last.atMs) return 0;
  const bytes = bytesIn + bytesOut - last.carried.bytesIn - last.carried.bytesOut;
  return Math.max(0, Math.round((bytes * 1000) / (nowMs - last.atMs)));
}
