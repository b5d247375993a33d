// One box of a site: what it says of itself, what it may publish, and where everything else is. It lives in the master, with one
// connection, so that all processes of the box share what it knows. No media comes near it, and none waits for it.
//
//                     ┌─ lease.ts ── base/pulse.ts  alive, and not frozen
//   hub ─ claim ──▶ claims.ts ─┐                    whose a stream is
//   hub ─ locate ─▶ lookups.ts ┼─ nodes.ts
//                              └─▶ scripts.ts ─▶ store.ts ─▶ Redis
//   hub ─ has it from another ─▶ replicas.ts ─▶ roll.ts ─ with the next word ─▶ Redis ─▶ reading.ts: the site for operators
import { randomBytes } from "node:crypto";
import { DolphinError, messageOf } from "../base/errors.js";
import { Deadline } from "../base/deadline.js";
import { Pulse } from "../base/pulse.js";
import type { Log } from "../base/log.js";
import { version } from "../base/version.js";
import type { Endpoint, RegistryBlock } from "../conf/meaning/config.js";
import { formatEndpoint, parseServer } from "../conf/meaning/endpoint.js";
import type { RegistryReport, SitePlace } from "../ipc/box.js";
import { nowhere, type Claim, type Claimant, type Claims, type Located, type Locator, type StreamName } from "../ipc/locating.js";
import type { NodeRecord, SiteReading, StreamReading } from "../ipc/site.js";
import { chooseOrigins } from "./choice.js";
import { ClaimBook } from "./claims.js";
import { Lease } from "./lease.js";
import { Lookups } from "./lookups.js";
import { Nodes } from "./nodes.js";
import { SiteReader } from "./reading.js";
import { Offers } from "./offers.js";
import { refusalIn } from "./refusals.js";
import { Replicas } from "./replicas.js";
import { rollText } from "./roll.js";
import { keyOf, Keys, parsePointer, type Self } from "./scripts.js";
import { addressOf, openStore, type Store, type StoreEvents } from "./store.js";

/** Every stream is told again so often, though nobody has lost anything. */
const auditEveryMs = 30_000;
/** When the store has lost everything, all nodes tell it again: over so long for each node that there is, and no longer than that. */
const spreadPerNodeMs = 10;
const longestSpreadMs = 10_000;
/** How long a store that was empty may still be told of streams that it does not know. */
const doubtMs = 15_000;
/** What operators were told of a stream is told again for so long, of so many streams. */
const tracedMs = 1_000;
const maxTraces = 1_000;

export interface RegistryParts {
  readonly log: Log;
  /** Of this life of the box, its upgrades included: what it had in another life is no longer its own. */
  readonly epoch: string;
  /** Tests have others. */
  readonly open?: (settings: RegistryBlock, events: StoreEvents) => Promise<Store>;
}

/** How a box stands. */
export type NodeState = Pick<NodeRecord, "state" | "load" | "clients" | "isEdge">;

/** A box's place in its site. `close` gives it up. */
export class Registry implements Locator, Claims {
  private settings: RegistryBlock;
  private readonly parts: RegistryParts;
  private readonly self: Self;
  private readonly store: Store;
  private readonly keys: Keys;
  private readonly nodes: Nodes;
  private readonly lease: Lease;
  private readonly pulse: Pulse;
  private readonly lookups: Lookups;
  private readonly book: ClaimBook;
  private readonly reader: SiteReader;
  private readonly traces = new Map<string, Promise<StreamReading>>();
  /** What this box has from other boxes. */
  readonly replicas: Replicas;
  private readonly offers: Offers;
  private how: () => NodeState = () => ({ state: "ready", load: 0, clients: 0, isEdge: false });
  private readonly audit = new Deadline();
  private isClosed = false;
  private isConnected = false;
  private heardAtMs: number | null = null;
  private doubtUntilMs = 0;
  private nodeCount = 0;
  /** Since when it does not answer; null: it does. */
  private lostAtMs: number | null = performance.now();
  /** What was told of that. */
  private readonly told = new Set<string>();

  private constructor(settings: RegistryBlock, rtmp: Endpoint, store: (events: StoreEvents) => Store, parts: RegistryParts) {
    this.settings = settings;
    this.parts = parts;
    const { log, epoch } = parts;
    this.self = { id: formatEndpoint(rtmp), epoch, run: randomBytes(6).toString("base64url"), rtmp };
    this.keys = new Keys(settings.prefix);
    this.store = store({ onConnected: () => this.connected(), onLost: (reason) => this.lost(reason) });
    const { self, keys } = this;
    const { zone } = settings;
    this.replicas = new Replicas((key, from) => this.offers.tell(key, from));
    this.nodes = new Nodes(this.store, keys);
    this.lookups = new Lookups({
      self,
      zone,
      keys,
      store: this.store,
      nodes: this.nodes,
      isDoubtful: () => performance.now() < this.doubtUntilMs,
      present: (key) => this.replicas.from(key),
      onDead: (key, dead) => {
        for (const offer of dead) this.offers.withdraw(key, offer);
      },
    });
    this.offers = new Offers({ self, zone, keys, store: this.store, pathOf: (key, from) => this.lookups.pathOf(key, from) });
    this.lease = new Lease({
      self,
      keys,
      store: this.store,
      leaseMs: settings.leaseMs,
      record: () => this.record(),
      roll: () => this.roll(),
      onHeard: (isNew, nodes) => this.heard(isNew, nodes),
      onUnheard: (words) => this.refused(words),
      onNote: (note) => this.noted(note),
      log,
    });
    this.reader = new SiteReader(this.store, keys);
    this.pulse = new Pulse(settings.leaseMs / 2, () => this.woke());
    const policy = (): RegistryBlock => this.settings;
    this.book = new ClaimBook({ self, keys, store: this.store, nodes: this.nodes, policy, checkPulse: () => this.pulse.check(), log });
    this.audit.set(auditEveryMs * (0.5 + Math.random()), () => this.auditNow());
  }

  /** Begins to connect and to speak. Throws what `openStore` throws. */
  static async open(settings: RegistryBlock, rtmp: Endpoint, parts: RegistryParts): Promise<Registry> {
    const early: (() => void)[] = [];
    let events: StoreEvents | null = null;
    const relay: StoreEvents = {
      onConnected: () => (events === null ? void early.push(() => events?.onConnected()) : events.onConnected()),
      onLost: (reason) => (events === null ? void early.push(() => events?.onLost(reason)) : events.onLost(reason)),
    };
    const store = await (parts.open ?? openStore)(settings, relay);
    const make = (own: StoreEvents): Store => {
      events = own;
      return store;
    };
    const registry = new Registry(settings, rtmp, make, parts);
    for (const run of early) run();
    registry.lease.speak();
    return registry;
  }

  claim(name: StreamName, claimant: Claimant): Promise<Claim> {
    return this.book.claim(name, claimant);
  }

  fence(name: StreamName): Promise<number> {
    return this.book.fence(keyOf(name));
  }

  locate(name: StreamName, _signal: AbortSignal, isLost = false): Promise<Located> {
    const key = keyOf(name);
    if (isLost) this.lookups.doubt(key);
    return this.lookups.locate(key, isLost);
  }

  /** Where the stream is, or boxes that could have it. */
  async origins(name: StreamName): Promise<readonly Endpoint[]> {
    const { servers } = await this.locate(name, new AbortController().signal).catch(() => nowhere);
    const owner = this.lookups.ownerOf(keyOf(name));
    if (servers.length > 0 && owner !== null) return [parseServer(owner)];
    const { nodes } = await this.reader.read();
    const { id } = this.self;
    const found = chooseOrigins(nodes, { id, zone: this.settings.zone, random: Math.random });
    if (found.length > 0) return found.map((server) => parseServer(server));
    throw new DolphinError("REGISTRY_AWAY", "no box of the site is known that a publisher could be passed on to");
  }

  /** Of processes that stood still: whose these streams are is asked before they go on. */
  recheck(publishes: readonly string[]): void {
    this.book.suspect((id) => publishes.includes(id));
  }

  /** Goes by other policies. */
  reconfigure(settings: RegistryBlock | null): void {
    if (settings !== null) this.settings = settings;
  }

  /** How it stands, for operators. */
  report(): RegistryReport {
    const { claims, conflicts, counts } = this.book;
    return {
      address: addressOf(this.settings),
      node: this.self.id,
      isConnected: this.isConnected,
      isStrict: this.settings.whenAway === "refuse",
      heardMs: this.heardAtMs === null ? null : Math.round(performance.now() - this.heardAtMs),
      nodes: this.nodeCount,
      ...counts,
      claims,
      conflicts,
      lookups: this.lookups.asked,
    };
  }

  /** What it is to say of how the box stands. */
  introduce(how: () => NodeState): void {
    this.how = how;
  }

  /** The whole site, as it was read last. */
  async site(): Promise<SiteReading> {
    const { nodes, atMs, problem } = await this.reader.read();
    const ageMs = atMs === null ? null : Math.round(performance.now() - atMs);
    const { id, epoch, run } = this.self;
    const own = { id, heardMs: 0, record: `${epoch} ${run} ${this.record()}`, roll: this.roll() };
    const all = [own, ...nodes.filter((node) => node.id !== id)]; // of itself a box knows more than was read
    return { registry: this.report(), zone: this.settings.zone, ageMs, problem, nodes: all };
  }

  /** Where a stream is, and from where this box would pull it. Asked for once a second, however many want to know. */
  trace(key: string): Promise<StreamReading> {
    const known = this.traces.get(key);
    if (known !== undefined) return known;
    const traced = this.traceNow(key);
    if (this.traces.size < maxTraces) {
      this.traces.set(key, traced);
      setTimeout(() => this.traces.delete(key), tracedMs).unref();
    }
    return traced;
  }

  /** Where a stream is on the site, by the store itself. */
  async explain(key: string): Promise<SitePlace> {
    try {
      const pointer = parsePointer(await this.store.get(this.keys.stream(key)));
      if (pointer === null) return { place: null, why: "nobody publishes it on the site, as far as the registry knows" };
      const { node, rtmp, fence, sinceMs } = pointer;
      const isHere = node === this.self.id;
      const isAlive = await this.nodes.hasSaid(pointer);
      const why = `on the site it is published at ${isHere ? "this box" : rtmp}${isAlive ? "" : ", which has not been heard of lately"}`;
      return { place: { node, rtmp, fence, sinceMs, isHere, isAlive }, why };
    } catch (thrown) {
      return { place: null, why: `the registry cannot be asked: ${messageOf(thrown)}` };
    }
  }

  /** The others find out at once. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.audit.clear();
    this.pulse.close();
    this.book.close();
    this.lease.close();
    setTimeout(() => this.store.close(), this.settings.timeoutMs).unref(); // the last words are under way
  }

  private async traceNow(key: string): Promise<StreamReading> {
    const site = await this.explain(key);
    return { key, site, hasFrom: this.replicas.from(key), route: await this.routeOf(key, site) };
  }

  private async routeOf(key: string, { place, why }: SitePlace): Promise<StreamReading["route"]> {
    if (place === null) return { servers: [], why };
    if (!place.isAlive) return { servers: [], why: "it would wait for a publisher" };
    if (place.isHere) return { servers: [], why: "this box has its publisher" };
    try {
      return await this.lookups.route(key, place.node);
    } catch (thrown) {
      return { servers: [place.rtmp], why: `the registry cannot be asked who else has it: ${messageOf(thrown)}` };
    }
  }

  private record(): string {
    const record: NodeRecord = { rtmp: formatEndpoint(this.self.rtmp), version, zone: this.settings.zone, ...this.how() };
    return JSON.stringify(record);
  }

  private roll(): string {
    return rollText({ epoch: this.self.epoch, zone: this.settings.zone }, this.book.rows, this.replicas.rows);
  }

  private connected(): void {
    this.isConnected = true;
    this.lease.speak();
  }

  private lost(reason: string): void {
    this.isConnected = false;
    this.lostAtMs ??= performance.now();
    if (this.isClosed || this.refused(reason) || this.told.size > 0) return;
    this.told.add("away");
    const line = { event: "registry.lost", code: "REGISTRY_AWAY", registry: addressOf(this.settings), reason };
    this.parts.log.warn(line, "the registry is away: what is on the air stays there");
  }

  /** Whether it is no matter of waiting; what that is is told once. */
  private refused(words: string): boolean {
    const refusal = refusalIn(words, this.settings);
    if (refusal === null) return false;
    this.isConnected = false;
    this.lostAtMs ??= performance.now();
    if (this.isClosed || this.told.has(refusal.kind)) return true;
    this.told.add(refusal.kind);
    const registry = addressOf(this.settings);
    const line = { event: "registry.refused", code: "REGISTRY_REFUSED", registry, reason: words };
    this.parts.log.error(line, `registry: ${registry} ${refusal.sentence}; what is on the air stays there`);
    return true;
  }

  private heard(isNew: boolean, nodes: number): void {
    const nowMs = performance.now();
    if (this.lostAtMs !== null || this.heardAtMs === null) {
      const durMs = Math.round(nowMs - (this.lostAtMs ?? nowMs));
      this.parts.log.info({ event: "registry.found", registry: addressOf(this.settings), node: this.self.id, durMs });
    }
    const wasLost = this.lostAtMs !== null || (this.heardAtMs !== null && nowMs - this.heardAtMs > this.settings.leaseMs);
    const isFirst = this.heardAtMs === null;
    this.lostAtMs = null;
    this.told.clear();
    this.isConnected = true;
    this.heardAtMs = nowMs;
    this.nodeCount = nodes;
    if (isNew && !isFirst) this.doubtUntilMs = nowMs + doubtMs;
    if (isNew || wasLost) this.audit.set(Math.random() * Math.min(longestSpreadMs, nodes * spreadPerNodeMs), () => this.auditNow());
    else if (this.book.counts.unconfirmed > 0) void this.book.confirm(); // it was too slow for them, and never away
  }

  private noted(note: string): void {
    const [, key] = /^lost (.+)$/s.exec(note) ?? [];
    if (key === undefined) return;
    this.lookups.doubt(key);
    void this.book.recheck(key);
  }

  /** The process stood still for so long that others may have taken it for dead. */
  private woke(): void {
    this.parts.log.warn({ event: "registry.woke" }, "this process stood still: it asks whose its streams are before it goes on");
    this.book.suspect();
    this.lease.speak();
  }

  private auditNow(): void {
    void Promise.all([this.book.audit(), this.offers.tellAll()]).finally(() => {
      if (!this.isClosed) this.audit.ensure(auditEveryMs * (0.5 + Math.random()), () => this.auditNow());
    });
  }
}
