// Where streams are published. A stream is on one server as long as anybody publishes it or tries to: the first publisher's
// server has it, a second one is sent there too and gets its answer there. Pure book-keeping; messages go out elsewhere.
//
//   key ─► backend, holders { proxy-1#7, proxy-2#3 }       the lease ends with its last holder, its proxy, or its server
//
// A publisher's connection may outlive its proxy: between two proxies it holds the lease under the connection's token.
import type { Lease } from "../../ipc/balance.js";

interface Entry {
  lease: Lease;
  /** `proxy#id` of every publisher that holds it, or a connection's token. */
  readonly holders: Set<string>;
}

/** The leases of one box. Each method returns what changed for everybody. */
export class LeaseBook {
  private readonly entries = new Map<string, Entry>();
  /** The key that a holder holds. */
  private readonly keys = new Map<string, string>();

  /** Somebody wants to publish `key`, and would go to `backend`. Returns where he goes, and the lease if it is a new one. */
  take(proxy: string, id: number, key: string, backend: string, nowMs: number): { readonly backend: string; readonly begun: Lease | null } {
    const holder = holderOf(proxy, id);
    if (this.keys.has(holder)) this.release(proxy, id); // a number that is used again without a release
    this.keys.set(holder, key);
    const known = this.entries.get(key);
    if (known !== undefined) {
      known.holders.add(holder);
      return { backend: known.lease.backend, begun: null };
    }
    const lease: Lease = { key, backend, proxy, sinceMs: nowMs };
    this.entries.set(key, { lease, holders: new Set([holder]) });
    return { backend, begun: lease };
  }

  /** A publisher has left. Returns the leases that ended by it: one or none. */
  release(proxy: string, id: number): Lease[] {
    return this.end(holderOf(proxy, id));
  }

  /** A publisher's connection waits for another proxy. What its old proxy says of the number is nothing to it any more. */
  leave(proxy: string, id: number, token: string): void {
    const holder = holderOf(proxy, id);
    const key = this.keys.get(holder);
    const entry = key === undefined ? undefined : this.entries.get(key);
    this.keys.delete(holder);
    if (key === undefined || entry?.holders.delete(holder) !== true) return;
    this.keys.set(token, key);
    entry.holders.add(token);
  }

  /** It goes on at a proxy that has taken the lease by a number of its own, and is told as its proxy from now on; or is lost: null. */
  settle(token: string, proxy: string | null): { readonly begun: Lease[]; readonly ended: Lease[] } {
    const key = this.keys.get(token);
    const ended = this.end(token);
    const entry = key === undefined ? undefined : this.entries.get(key);
    if (entry === undefined || proxy === null || entry.lease.proxy === proxy) return { begun: [], ended };
    entry.lease = { ...entry.lease, proxy };
    return { begun: [entry.lease], ended };
  }

  /** A proxy is gone, and all its publishers with it. */
  proxyGone(proxy: string): Lease[] {
    const ids = [...this.keys.keys()].filter((holder) => holder.startsWith(`${proxy}#`)).map((holder) => Number(holder.split("#")[1]));
    return ids.flatMap((id) => this.release(proxy, id));
  }

  /** A server is gone: whoever publishes next may go elsewhere. */
  backendGone(backend: string): Lease[] {
    const gone = [...this.entries.values()].filter(({ lease }) => lease.backend === backend);
    for (const { lease, holders } of gone) {
      this.entries.delete(lease.key);
      for (const holder of holders) this.keys.delete(holder);
    }
    return gone.map(({ lease }) => lease);
  }

  list(): Lease[] {
    return Array.from(this.entries.values(), ({ lease }) => lease);
  }

  private end(holder: string): Lease[] {
    const key = this.keys.get(holder);
    this.keys.delete(holder);
    const entry = key === undefined ? undefined : this.entries.get(key);
    // It may be held again by others since its server died: only a holder of this very lease can end it.
    if (key === undefined || entry === undefined || !entry.holders.delete(holder) || entry.holders.size > 0) return [];
    this.entries.delete(key);
    return [entry.lease];
  }
}

function holderOf(proxy: string, id: number): string {
  return `${proxy}#${id}`;
}
