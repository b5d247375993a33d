// The servers as one proxy sees them: what the master last said of them, what this proxy has given since, and where streams
// are published. It chooses, counts, and reports; it owns no socket.
//
//   master ─▶ backends.ts ─ candidates ─▶ policy.ts: the server, where any will do
//               ├─ leases ─▶ places.ts: the server that has the stream ─▶ the rooms rtmp and http, which ask by chooser.ts
//               └─ pick ───▶ connect.ts, as long as patience.ts says ─▶ tcp-proxy.ts: a connection, from its client to the pump
//   client-address.ts: who the client is, before a server is chosen       moved-pairs.ts: pairs of another proxy ─▶ the pump
//   roll.ts: who is connected, for whoever asks
import type { BackendState, Carried, Lease, PolicyName } from "../../ipc/balance.js";
import { candidatesOf, policies } from "./policy.js";

/** Counters of a connection that is still open, such as the pump's `Joined`. */
export interface LiveBytes {
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface BackendsOptions {
  readonly policy: PolicyName;
  /** Milliseconds since the epoch. */
  readonly nowMs?: () => number;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/** What is expected of a connection while no bytes have been counted: 1 Mbps. */
const expectedBytesPerSecond = 125_000;

/** This proxy's own part of one server. */
interface Own {
  connections: number;
  total: number;
  bytesIn: number;
  bytesOut: number;
  readonly live: Set<LiveBytes>;
  /** Connections whose bytes the master's figures do not show yet: each report halves it. */
  fresh: number;
}

/** One proxy's view. Every connection is `opened` once it was picked, and `closed` whatever became of it. */
export class Backends {
  /** How it chooses; it may change at any time. */
  policy: PolicyName;
  private readonly nowMs: () => number;
  private readonly random: () => number;
  private states: readonly BackendState[] = [];
  private readonly own = new Map<string, Own>();
  private readonly leases = new Map<string, Lease>();
  private turn: number;

  constructor({ policy, nowMs = Date.now, random = Math.random }: BackendsOptions) {
    this.policy = policy;
    this.nowMs = nowMs;
    this.random = random;
    this.turn = Math.floor(random() * 1000); // proxies that start together do not go round in step
  }

  /** Takes what the master says of all servers, in their order, with the connections of the other proxies. A server that is not named is gone, and its leases with it. */
  update(states: readonly BackendState[]): void {
    this.states = states;
    for (const own of this.own.values()) own.fresh = own.fresh < 0.1 ? 0 : own.fresh / 2;
    const names = new Set(states.map(({ name }) => name));
    for (const [key, { backend }] of this.leases) if (!names.has(backend)) this.leases.delete(key);
  }

  /** A server by its name. */
  get(name: string): BackendState | null {
    return this.states.find((state) => state.name === name) ?? null;
  }

  /** All servers, with the connections of this proxy too and the load that it knows better. */
  list(): BackendState[] {
    // Those whose bytes show.
    const connections = sum(this.states.map((state) => state.connections + seasoned(this.own.get(state.name))));
    const bytesPerSecond = sum(this.states.map((state) => state.bytesPerSecond));
    const expected = connections > 0 && bytesPerSecond > 0 ? bytesPerSecond / connections : expectedBytesPerSecond;
    return this.states.map((state) => {
      const own = this.own.get(state.name);
      if (own === undefined) return state;
      return {
        ...state,
        connections: state.connections + own.connections,
        bytesPerSecond: state.bytesPerSecond + own.fresh * expected,
      };
    });
  }

  /** The policy's choice among those that can take a connection and were not tried; null: there is none. */
  pick(wish: { readonly key: string | null }, tried: ReadonlySet<string>): BackendState | null {
    const chosen = this.peek(wish, tried);
    this.passTurn();
    return chosen;
  }

  /** As `pick`, for a connection that may yet go another way: whose turn it is stays until `passTurn`. */
  peek({ key }: { readonly key: string | null }, tried: ReadonlySet<string>): BackendState | null {
    const candidates = candidatesOf(this.list(), tried, this.nowMs());
    const chosen = policies[this.policy](candidates, { key, turn: this.turn, random: this.random });
    return chosen === null ? null : this.get(chosen.name);
  }

  passTurn(): void {
    this.turn += 1;
  }

  /** Whether there is a server left to pick. */
  canPick(tried: ReadonlySet<string>): boolean {
    return candidatesOf(this.list(), tried, this.nowMs()).length > 0;
  }

  /** Counts a connection as soon as it was picked, so that others of the same moment see it. */
  opened(name: string): void {
    const own = this.ownOf(name);
    own.connections++;
    own.total++;
    own.fresh++;
  }

  /** The counters of an opened connection from here on, until `closed` is called with the same object. */
  follow(name: string, live: LiveBytes): void {
    this.ownOf(name).live.add(live);
  }

  /** Ends the count of an opened connection; `bytesIn` came from the client. */
  closed(name: string, bytesIn: number, bytesOut: number, live: LiveBytes | null = null): void {
    const own = this.ownOf(name);
    own.connections--;
    own.fresh = Math.max(0, own.fresh - 1);
    own.bytesIn += bytesIn;
    own.bytesOut += bytesOut;
    if (live !== null) own.live.delete(live);
  }

  /** What this proxy carries, for the master. Servers that are gone stay until their last connection is closed. */
  carried(): Carried[] {
    const names = new Set(this.states.map(({ name }) => name));
    for (const [name, own] of this.own) if (own.connections === 0 && !names.has(name)) this.own.delete(name);
    return Array.from(this.own, ([backend, own]) => {
      const { connections, total } = own;
      let { bytesIn, bytesOut } = own;
      for (const live of own.live) {
        bytesIn += live.bytesIn;
        bytesOut += live.bytesOut;
      }
      return { backend, connections, total, bytesIn, bytesOut };
    });
  }

  /** Where a stream is published, or null. */
  lease(key: string): Lease | null {
    return this.leases.get(key) ?? null;
  }

  /** A publisher was accepted, here or by another proxy. The later of two counts. */
  setLease(lease: Lease): void {
    const known = this.leases.get(lease.key);
    if (known === undefined || known.sinceMs <= lease.sinceMs) this.leases.set(lease.key, lease);
  }

  /** A publisher is gone; a lease that another proxy took meanwhile stays. */
  endLease(key: string, proxy: string): void {
    if (this.leases.get(key)?.proxy === proxy) this.leases.delete(key);
  }

  private ownOf(name: string): Own {
    let own = this.own.get(name);
    if (own === undefined) {
      own = { connections: 0, total: 0, bytesIn: 0, bytesOut: 0, live: new Set(), fresh: 0 };
      this.own.set(name, own);
    }
    return own;
  }
}

function seasoned(own: Own | undefined): number {
  return own === undefined ? 0 : own.connections - own.fresh;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
