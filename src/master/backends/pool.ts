// PlanB as the master knows it: which servers answer, what the proxies carry to them, which are draining, and where streams are
// published. Deaths, probes and the proxies' words come in; what follows goes out to all proxies at once, and again each second.
//
//   software.ts: what it is, slots.ts: its ports and folder ─▶ program.ts: its words and files ─▶ plan.ts: the box's processes
//   process-spawner.ts starts a foreign one (base/programs); prober.ts asks it, by probe.ts
//
//   supervisor ─ changed ─┐              pool.ts               ┌─▶ backends, leases, taken ─▶ proxy-1..N
//   prober ─ answered ────┼─▶ servers, loads.ts, lease-book.ts ┤
//   proxies ─ heartbeat ──┘                                    └─▶ ready, heartbeat, condemn ─▶ supervisor
//
// A foreign server is probed. Our own has a heartbeat: when that is late it gets no connections, and when it stays away the
// supervisor ends it as it ends every child.
import type { Log } from "../../base/log.js";
import type { BackendState, Lease } from "../../ipc/balance.js";
import type { FromChild, ToChild } from "../../ipc/messages.js";
import type { Guest } from "./guests.js";
import { LeaseBook } from "./lease-book.js";
import { Loads, type CarriedBy } from "./loads.js";
import type { ProcessSpec } from "../processes/plan.js";
import { maxMisses, Prober, type Probes } from "./prober.js";
import type { Change, Supervisor } from "../processes/supervisor.js";
import type { Timers } from "../../base/timers.js";

const tellEveryMs = 1000;
const probeEveryMs = 1000;
const probeDeadlineMs = 2000;
/** While a server starts it is asked more often: clients wait for it. */
const probeStartingMs = 100;
/** Our own server's heart beats each second. */
const lateAfterMs = 2500;

export interface PoolOptions {
  /** All processes of the box. */
  readonly specs: readonly ProcessSpec[];
  readonly maxServerConnections: number | null;
  readonly timers: Timers;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  epochMs(): number;
  /** Speaks to proxies, says for foreign servers what they cannot say themselves, and ends those that hang. */
  readonly supervisor: Pick<Supervisor, "send" | "tell" | "condemn">;
  readonly probes?: Probes;
}

type Backend = NonNullable<ProcessSpec["backend"]>;

interface Server {
  readonly name: string;
  backend: Backend;
  /** Its process is up, and answered its last probe. */
  isUp: boolean;
  isDraining: boolean;
  upSinceMs: number;
  /** Of our own server, on the monotonic clock. */
  heardAtMs: number;
  /** It is no process of this box: it has registered itself. */
  readonly isGuest: boolean;
}

/** The servers and streams behind the proxies. Close it once. */
export class Pool {
  private readonly options: PoolOptions;
  private maxServerConnections: number | null;
  private readonly servers = new Map<string, Server>();
  /** Those that may be spoken to; proxies that are replaced come and go. */
  private readonly proxies = new Set<string>();
  private readonly loads = new Loads();
  private readonly leases = new LeaseBook();
  private readonly prober: Prober;
  private forgetTimer: () => void;
  private tickedAtMs: number;

  constructor(options: PoolOptions) {
    this.options = options;
    this.maxServerConnections = options.maxServerConnections;
    for (const { name, duty, backend } of options.specs) {
      if (duty === "proxy") this.proxies.add(name);
      if (backend !== undefined)
        this.servers.set(name, { name, backend, isUp: false, isDraining: false, upSinceMs: 0, heardAtMs: 0, isGuest: false });
    }
    this.prober = new Prober({
      timers: options.timers,
      intervalMs: probeEveryMs,
      deadlineMs: probeDeadlineMs,
      answered: (name) => this.answered(name),
      missed: (name, misses, why) => this.missed(name, misses, why),
      ...(options.probes === undefined ? {} : { probes: options.probes }),
    });
    this.tickedAtMs = options.timers.nowMs();
    this.forgetTimer = options.timers.after(tellEveryMs, () => this.tick());
  }

  close(): void {
    this.forgetTimer();
    this.prober.close();
  }

  /** Another configuration is in force; the servers are the same. */
  adopt(specs: readonly ProcessSpec[], maxServerConnections: number | null): void {
    this.maxServerConnections = maxServerConnections;
    for (const { name, backend } of specs) {
      const server = this.servers.get(name);
      if (server !== undefined && backend !== undefined) server.backend = backend;
    }
    this.tellBackends();
  }

  /** A server of another machine: it is given nobody before it has answered. */
  guestCame({ name, rtmp, http }: Guest): void {
    const backend = { rtmp, http, api: null, weight: 1, program: null };
    this.servers.set(name, { name, backend, isUp: false, isDraining: false, upSinceMs: 0, heardAtMs: 0, isGuest: true });
    this.prober.watch({ name, rtmp, http }, probeStartingMs);
  }

  guestLeft(name: string): void {
    this.prober.forget(name);
    this.servers.delete(name);
    this.tellLeases([], this.leases.backendGone(name));
    this.tellBackends();
  }

  /** For a proxy, with the connections of the others only. */
  backends(proxy: string | null = null): BackendState[] {
    return Array.from(this.servers.values(), ({ name, backend, isUp, isDraining, upSinceMs }) => {
      const { connections, bytesPerSecond } = this.loads.of(name, proxy);
      const { rtmp, http, api, weight } = backend;
      return {
        name,
        rtmp,
        http,
        api,
        isUp,
        isDraining,
        upSinceMs,
        weight,
        maxConnections: this.maxServerConnections,
        connections,
        bytesPerSecond,
      };
    });
  }

  /** What each proxy carries to each server, as of its last heartbeat. */
  carried(): CarriedBy[] {
    return this.loads.list();
  }

  listLeases(): Lease[] {
    return this.leases.list();
  }

  /** Gives a server no more connections, or again. False: there is no such server. */
  drain(name: string, isDraining: boolean): boolean {
    const server = this.servers.get(name);
    if (server === undefined) return false;
    server.isDraining = isDraining;
    this.tellBackends();
    return true;
  }

  /** A process of the box changed its state. */
  changed({ spec, child, from, ending }: Change): void {
    const { name, duty, backend } = spec;
    if (duty === "proxy" && child.state === "starting") this.proxies.add(name);
    if (duty === "proxy" && ending !== null) this.proxyGone(name);
    if (backend === undefined) return;
    const isForeign = backend.program !== null;
    if (isForeign && child.state === "starting") this.prober.watch({ name, rtmp: backend.rtmp, http: backend.http }, probeStartingMs);
    if (child.state !== "up" && child.state !== "starting") this.prober.forget(name);
    this.setUp(name, child.state === "up");
    if (from === "up" && child.state !== "up") this.tellLeases([], this.leases.backendGone(name));
  }

  /** A child said something. */
  heard({ name, duty, backend }: ProcessSpec, message: FromChild): void {
    if (message.type === "heartbeat" && backend?.program === null) this.setUp(name, true);
    if (duty !== "proxy") return;
    if (message.type === "hello") this.greet(name);
    if (message.type === "heartbeat" && message.carried !== undefined) {
      this.loads.heard(name, message.carried, this.options.timers.nowMs());
    }
    if (message.type === "take") this.take(name, message.id, message.key, message.backend);
    if (message.type === "release") this.tellLeases([], this.leases.release(name, message.id));
  }

  /** A publisher's connection waits for another proxy, and its stream stays where it is. */
  connectionLeft(proxy: string, token: string, lease: number): void {
    this.leases.leave(proxy, lease, token);
  }

  /** What became of it: it goes on at a proxy, which has taken the lease before, or is lost (null). */
  connectionSettled(token: string, proxy: string | null): void {
    const { begun, ended } = this.leases.settle(token, proxy);
    this.tellLeases(begun, ended);
  }

  /** What a proxy hears before it serves anybody; what was said before it spoke is lost. */
  private greet(proxy: string): void {
    this.options.supervisor.send(proxy, { type: "backends", backends: this.backends(proxy) });
    this.options.supervisor.send(proxy, { type: "leases", begun: this.leases.list(), ended: [] });
  }

  private take(proxy: string, id: number, key: string, wanted: string): void {
    const { backend, begun } = this.leases.take(proxy, id, key, wanted, this.options.epochMs());
    this.options.supervisor.send(proxy, { type: "taken", id, backend });
    if (begun !== null) this.tellLeases([begun], []);
  }

  private proxyGone(name: string): void {
    this.proxies.delete(name);
    this.loads.proxyGone(name);
    this.tellLeases([], this.leases.proxyGone(name));
    this.tellBackends();
  }

  private answered(name: string): void {
    const { isGuest, backend } = this.servers.get(name) ?? {};
    const rtmp = backend?.rtmp;
    if (isGuest === true) this.setUp(name, true);
    if (rtmp === undefined || isGuest === true) return;
    const { connections, bytesIn, bytesOut } = this.loads.of(name);
    const stats = { connections, players: 0, publishers: 0, bytesIn, bytesOut, lagMs: 0 };
    this.options.supervisor.tell(name, { type: "ready", endpoints: [{ protocol: "rtmp", endpoint: rtmp }] });
    this.options.supervisor.tell(name, { type: "heartbeat", stats });
    this.setUp(name, true);
  }

  private missed(name: string, misses: number, why: string): void {
    this.setUp(name, false);
    this.options.log.warn({ event: "server.silent", child: name, code: "CHILD_HUNG", reason: why, misses }, `${name} ${why}`);
    if (this.servers.get(name)?.isGuest === true) {
      if (misses === maxMisses) this.tellLeases([], this.leases.backendGone(name));
      return;
    }
    if (misses >= maxMisses) this.options.supervisor.condemn(name, `hung: it ${why}, ${misses} times`);
  }

  private setUp(name: string, isUp: boolean): void {
    const server = this.servers.get(name);
    if (server === undefined) return;
    server.heardAtMs = this.options.timers.nowMs();
    if (server.isUp === isUp) return;
    server.isUp = isUp;
    if (isUp) server.upSinceMs = this.options.epochMs();
    this.tellBackends();
  }

  private tick(): void {
    const nowMs = this.options.timers.nowMs();
    // Late ourselves: what the servers said meanwhile is still to be read.
    const wasAsleep = nowMs - this.tickedAtMs > 2 * tellEveryMs;
    this.tickedAtMs = nowMs;
    for (const { name, isUp, heardAtMs, backend, isGuest } of this.servers.values()) {
      if (wasAsleep || !isUp || isGuest || backend.program !== null || nowMs - heardAtMs <= lateAfterMs) continue;
      const reason = `said nothing for ${lateAfterMs / 1000} s`;
      this.options.log.warn({ event: "server.silent", child: name, code: "CHILD_HUNG", reason }, `${name} ${reason}`);
      this.setUp(name, false);
    }
    this.tellBackends();
    this.forgetTimer = this.options.timers.after(tellEveryMs, () => this.tick());
  }

  private tellBackends(): void {
    for (const proxy of this.proxies) this.options.supervisor.send(proxy, { type: "backends", backends: this.backends(proxy) });
  }

  private tellLeases(begun: readonly Lease[], ended: readonly Lease[]): void {
    if (begun.length > 0 || ended.length > 0) this.tellAll({ type: "leases", begun, ended });
  }

  private tellAll(message: ToChild): void {
    for (const proxy of this.proxies) this.options.supervisor.send(proxy, message);
  }
}
