// The processes of a running box and how they change while it runs: the origin in the master, and the children under the
// supervisor. It knows which process a configuration asks for, tells it what to be, and carries a new configuration to all of
// them or to none. What the box is beside its processes is in master.ts.
import { randomBytes } from "node:crypto";
import { closeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import type { ProxySetup } from "../ipc/balance.js";
import type { FromChild, Reconfiguration, ServerSetup, StreamReport, ToChild } from "../ipc/messages.js";
import type { Listener } from "../ipc/listener.js";
import { limitsOf } from "../master/processes/child.js";
import { clusterSpawner } from "../master/processes/cluster-spawner.js";
import type { Listeners } from "../master/sockets/listeners.js";
import { planProcesses, type ProcessSpec } from "../master/processes/plan.js";
import { Questions } from "../master/processes/questions.js";
import { Rollout } from "../master/processes/rollout.js";
import { Vault, type CarriedCounts, type VaultParts } from "../master/vault/vault.js";
import { Supervisor, type Change, type ChildView } from "../master/processes/supervisor.js";
import type { Timers } from "../base/timers.js";
import type { SavedPublisher } from "../server/peers/saved-publisher.js";
import { Server } from "../server/server.js";
import { linkVariable } from "../worker/child-carrier.js";
import { originHere, type Estate } from "./estate.js";
import type { PlanB } from "./plan-b.js";
import { isStandAlone, ownAddress, StandAlone } from "./stand-alone.js";

const entryOf = (role: "server" | "proxy"): string => fileURLToPath(new URL(`../roles/${role}.js`, import.meta.url));
/** Where it is not known how many files may be open. */
const maxKeptByDefault = 100_000;
/** How long a child may take to do what it was asked for while it serves. */
const answerDeadlineMs = 5000;

export interface CrewOptions {
  readonly timers: Timers;
  readonly log: Log;
  readonly listeners: Listeners;
  /** Whether the listening sockets are the master's own; else the cluster module listens and spreads. */
  readonly hasOwnSockets: boolean;
  readonly cores: number;
  readonly maxOpenFiles: number | null;
  /** Where the origin of plan a listens. */
  readonly origin: Endpoint;
  readonly planB: PlanB | null;
  /** What copies of connections are kept with; null: they end with the process that serves them. */
  readonly carrying: VaultParts | null;
  /** The streams of a child now. */
  streamsOf(name: string): Promise<readonly StreamReport[]>;
  changed(change: Change): void;
  heard(name: string, message: FromChild): void;
  /** Once: no child is left. */
  ended(how: "stopped" | "gaveUp"): void;
}

/** All processes of one box. */
export class Crew {
  private readonly options: CrewOptions;
  private readonly edgeKey = randomBytes(16).toString("hex");
  private readonly supervisor: Supervisor;
  private readonly rollout: Rollout;
  private readonly questions: Questions<string | null>;
  private readonly vault: Vault | null;
  /** The configuration that each child was started with, or told since. */
  private readonly told = new Map<string, Config>();
  private readonly standAlone: StandAlone;
  private origin: Server | null = null;
  private config: Config;

  constructor(config: Config, options: CrewOptions) {
    this.config = config;
    this.options = options;
    const { timers, log, planB, hasOwnSockets, listeners } = options;
    this.questions = new Questions(timers, answerDeadlineMs);
    this.vault = this.openVault();
    this.standAlone = this.openStandAlone();
    const children = this.plan(config).filter(({ place }) => place === "child");
    const own = clusterSpawner({
      entryOf: ({ duty }) => entryOf(duty === "proxy" ? "proxy" : "server"),
      hasOwnSockets,
      give: (spec) => this.descriptorsOf(spec),
      invalid: (spec, error) => log.warn({ event: "message.dropped", child: spec.name, err: messageOf(error) }),
    });
    const foreign = planB?.spawner() ?? own;
    this.supervisor = new Supervisor({
      specs: children,
      limits: limitsOf(config),
      timers,
      spawner: { spawn: (spec, events) => (isOwn(spec) ? own : foreign).spawn(spec, events) },
      setupFor: (spec) => this.setupOf(spec),
      events: {
        changed: (change) => this.changed(change),
        heard: ({ spec }, message) => this.heard(spec, message),
        ended: (how) => options.ended(how),
      },
    });
    this.rollout = new Rollout(
      children.filter(({ isPublic }) => isPublic),
      {
        add: (spec) => this.supervisor.add(spec),
        retire: (name, reason, timeoutMs) => this.supervisor.retire(name, reason, timeoutMs),
        inherit: (heir, from) => this.inherit(heir, from),
        prepare: (heir, from) => this.standAlone.prepare(heir, from),
        lingers: (spec, drainTimeoutMs) => this.standAlone.lingers(spec, drainTimeoutMs),
        forget: (name) => listeners.forget(name),
      },
    );
  }

  /** The origin serves when this resolves; the children come when they are ready. Throws CHILD_LISTEN. */
  async start(): Promise<void> {
    const spec = this.plan(this.config).find(({ place }) => place === "master");
    if (spec !== undefined) {
      const log = this.options.log.child({ child: spec.name });
      const listener: Listener = { protocol: "rtmp", endpoint: this.options.origin, fd: null };
      this.origin = await Server.start(this.setupFor(spec, [listener]), log);
    }
    this.supervisor.start();
  }

  /** Whether the master itself is the origin. */
  get hasOrigin(): boolean {
    return this.origin !== null;
  }

  /** What the master itself serves. */
  originStats(): ReturnType<Server["stats"]> | null {
    return this.origin?.stats() ?? null;
  }

  originStreams(): readonly StreamReport[] {
    return this.origin?.streams() ?? [];
  }

  children(): ChildView[] {
    return this.supervisor.children();
  }

  /** The public addresses. */
  addresses(): Pick<Listener, "protocol" | "endpoint">[] {
    return this.options.listeners.addressesOf(this.rollout.specs[0]?.name ?? "");
  }

  /** As the supervisor's methods of these names. */
  send(name: string, message: ToChild): boolean {
    return this.supervisor.send(name, message);
  }

  tell(name: string, message: FromChild): void {
    this.supervisor.tell(name, message);
  }

  condemn(name: string, doom: string): void {
    this.supervisor.condemn(name, doom);
  }

  drain(reason: string, timeoutMs: number | null): void {
    this.supervisor.drain(reason, timeoutMs);
  }

  stop(reason: string): void {
    this.supervisor.stop(reason);
  }

  kill(reason: string): void {
    this.supervisor.kill(reason);
  }

  /** What has become of connections whose process was gone; null where they are not carried. */
  carried(): CarriedCounts | null {
    return this.vault?.counted() ?? null;
  }

  /** What goes to the process that takes the place of this one, or comes from the one before; null: not all of it could. */
  get estate(): Estate | null {
    const { vault } = this;
    const alone = this.config.dolphin.plan === "single" ? this.standAlone : null;
    const origin = this.origin === null ? alone : originHere(this.origin, this.edgeKey);
    if (origin === null || vault === null) return null;
    const retireAll = (why: string): void => {
      for (const { spec } of this.children()) this.supervisor.retire(spec.name, why, null);
    };
    return { origin, vault, retireAll };
  }

  /** The listening sockets of those who serve the public addresses. */
  handOn(): ReturnType<Listeners["handOn"]> {
    return this.options.listeners.handOn(this.rollout.specs.map(({ name }) => name));
  }

  /** Ends what the master serves itself, and its hold on what the children served. */
  async closeOrigin(reason: string): Promise<void> {
    this.vault?.close();
    await this.origin?.close(reason);
  }

  /** Carries a configuration to processes that go on running. Resolves to null, or to the reason why all is as it was. */
  async reconfigure(config: Config): Promise<string | null> {
    const specs = this.plan(config);
    const problem = await this.tellAll(specs);
    if (problem !== null) await this.tellAll(this.plan(this.config));
    else this.adopt(config, specs);
    return problem;
  }

  /** The same for what takes new processes: those who serve the public addresses are replaced. */
  async replace(config: Config, reason: string): Promise<string | null> {
    const specs = this.plan(config);
    const isPublic = (spec: ProcessSpec): boolean => spec.isPublic;
    const others = specs.filter((spec) => !isPublic(spec));
    const { drainTimeoutMs } = config.dolphin;
    const problem = (await this.tellAll(others)) ?? (await this.rollout.replaceAll(specs.filter(isPublic), reason, drainTimeoutMs));
    if (problem !== null) {
      await this.tellAll(this.plan(this.config).filter((spec) => !isPublic(spec)));
      return problem;
    }
    const moved = others.filter((spec) => isOwn(spec) && this.listensElsewhere(spec));
    this.adopt(config, specs);
    for (const spec of moved) await this.supervisor.restart(spec);
    return null;
  }

  /** Replaces those who serve the public addresses one by one, or one of them, under the same configuration. Resolves as `reconfigure`. */
  restart(reason: string, only: string | null = null): Promise<string | null> {
    return this.rollout.replaceEach(reason, this.config.dolphin.drainTimeoutMs, only);
  }

  /** Resolves when every child has opened its log file anew, or has taken too long; to the names of those that have not. */
  async reopenLogs(): Promise<readonly string[]> {
    const names = this.children().flatMap(({ spec }) => (isOwn(spec) ? [spec.name] : []));
    const { answers, silent } = await this.questions.ask(names, (name, id) => this.supervisor.send(name, { type: "reopen-log", id }));
    return [...silent, ...[...answers].flatMap(([name, problem]) => (problem === null ? [] : [`${name} (${problem})`]))];
  }

  private plan(config: Config): ProcessSpec[] {
    return this.options.planB?.plan(config) ?? planProcesses(config, this.options);
  }

  private adopt(config: Config, specs: readonly ProcessSpec[]): void {
    this.config = config;
    this.supervisor.setLimits(limitsOf(config));
    for (const spec of [...this.rollout.update(specs), ...specs]) this.supervisor.update(spec);
    this.options.planB?.adopt(config, (server, signal) => void this.supervisor.signal(server, signal));
  }

  /** Tells all that serve and are ours what to be from now on; those that come later are told when they start. */
  private async tellAll(specs: readonly ProcessSpec[]): Promise<string | null> {
    const changes = new Map<string, Reconfiguration>();
    for (const { spec, child } of this.children()) {
      // One that is leaving goes by what its place is told.
      const wanted = specs.find(({ name }) => name === baseOf(spec.name));
      if (wanted !== undefined && isOwn(spec) && child.state === "up") changes.set(spec.name, whereItListens(spec, wanted));
    }
    const origin = specs.find(({ place }) => place === "master");
    try {
      if (origin !== undefined) this.origin?.reconfigure(origin);
    } catch (thrown) {
      return `the origin cannot take the change: ${messageOf(thrown)}`;
    }
    const { answers, silent } = await this.questions.ask([...changes.keys()], (name, id) => {
      const change = changes.get(name);
      return change !== undefined && this.supervisor.send(name, { type: "reconfigure", id, change });
    });
    const unable = [...answers].find(([, problem]) => problem !== null);
    if (unable !== undefined) return `${unable[0]} cannot take the change: ${unable[1] ?? ""}`;
    return silent[0] === undefined ? null : `${silent[0]} did not answer within ${answerDeadlineMs / 1000} s`;
  }

  private listensElsewhere({ name, backend }: ProcessSpec): boolean {
    const now = this.children().find(({ spec }) => spec.name === name)?.spec.backend;
    return JSON.stringify([now?.rtmp, now?.http]) !== JSON.stringify([backend?.rtmp, backend?.http]);
  }

  private async inherit({ name, config }: ProcessSpec, from: string | null): Promise<void> {
    for (const [protocol, list] of [
      ["rtmp", config.listen],
      ["http", config.http?.listen ?? []],
    ] as const) {
      for (const wanted of list) await this.options.listeners.inherit(protocol, wanted, name, from);
    }
  }

  private openStandAlone(): StandAlone {
    return new StandAlone({
      edgeKey: this.edgeKey,
      isCarried: () => this.vault !== null,
      name: () => this.rollout.specs[0]?.name,
      streamsOf: (name) => this.options.streamsOf(name),
      askToMirror: (heir, origin) => this.questions.ask([heir], (name, id) => this.supervisor.send(name, { type: "mirror", id, origin })),
      endMirror: () => {
        for (const { spec } of this.children()) this.supervisor.send(spec.name, { type: "end-mirror" });
      },
    });
  }

  private openVault(): Vault | null {
    const { carrying, timers, log, maxOpenFiles } = this.options;
    if (carrying === null) return null;
    return new Vault({
      ...carrying,
      timers,
      log,
      // Half of what this process may open: the origin has connections of its own.
      maxFiles: Math.floor((maxOpenFiles ?? 2 * maxKeptByDefault) / 2),
      send: (name, message) => this.supervisor.send(name, message),
      adoptPublisher: (saved, fd, ended) => {
        if (this.origin !== null) this.origin.adoptPublisher(saved as SavedPublisher, fd, ended);
        else if (this.vault?.pass(saved, fd) !== true) closeSync(fd);
      },
      heirs: () => this.children().flatMap(({ spec, child, isLeaving }) => (child.state === "up" && !isLeaving ? [spec.name] : [])),
      left: (name, session) => this.options.planB?.left(name, session),
      settled: (session, name) => this.options.planB?.settled(session, name),
    });
  }

  /** Those who serve viewers, or move what servers send them, are given a link to the vault. */
  private descriptorsOf({ name, isPublic }: ProcessSpec): { readonly fds: readonly number[]; readonly env: Record<string, string> } {
    if (this.vault === null || !isPublic) return { fds: [], env: {} };
    return { fds: this.vault.admit(name), env: { [linkVariable]: "4,5" } };
  }

  /** What a child is told when it starts; null for a program that is not ours. */
  private setupOf(spec: ProcessSpec): ServerSetup | ProxySetup | null {
    const { planB, listeners } = this.options;
    const { name, duty, backend } = spec;
    this.told.set(name, spec.config);
    if (duty === "proxy") return planB?.proxySetup(spec, listeners.give(name)) ?? null;
    if (backend === undefined) return this.setupFor(spec, [...listeners.give(name), ...(isStandAlone(spec) ? [ownAddress] : [])]);
    if (backend.program !== null) return null;
    // Through the cluster module: the port of a server that is gone refuses, and the proxies take the next one.
    const { rtmp, http } = backend;
    const own: Listener[] = [{ protocol: "rtmp", endpoint: rtmp, fd: null }];
    if (http !== null) own.push({ protocol: "http", endpoint: http, fd: null });
    return this.setupFor(spec, own);
  }

  /** Only an origin in the master is there for as long as the box is. */
  private get publishersMove(): boolean {
    return this.vault !== null && this.origin !== null;
  }

  private setupFor({ name, duty, config, maxConnections }: ProcessSpec, listeners: readonly Listener[]): ServerSetup {
    return { name, isEdge: duty === "edge", config, listeners, edgeKey: this.edgeKey, maxConnections, publishersMove: this.publishersMove };
  }

  private changed(change: Change): void {
    if (change.ending !== null) {
      this.questions.gone(change.spec.name);
      this.vault?.gone(change.spec.name);
    }
    this.options.planB?.changed(change);
    this.options.changed(change);
    if (change.child.state === "up") {
      this.catchUp(change.spec);
      this.vault?.place();
    }
    if (change.child.state === "down") this.told.delete(change.spec.name);
    if (change.ending !== null) this.standAlone.gone(change.spec.name);
  }

  /** A child that was starting while the configuration changed was told the one before. */
  private catchUp(spec: ProcessSpec): void {
    const { name, config, maxConnections } = spec;
    if (!isOwn(spec) || this.told.get(name) === config) return;
    this.told.set(name, config);
    void this.questions.ask([name], (_, id) => this.supervisor.send(name, { type: "reconfigure", id, change: { config, maxConnections } }));
  }

  private heard(spec: ProcessSpec, message: FromChild): void {
    this.vault?.heard(spec.name, message);
    this.standAlone.heard(spec, message);
    if (message.type === "done") this.questions.answer(spec.name, message.id, message.problem);
    this.options.planB?.heard(spec, message);
    this.options.heard(spec.name, message);
  }
}

/** What a running process is told: it cannot change the addresses that it listens on, and one that is leaving may have others. */
function whereItListens({ config: { listen, http } }: ProcessSpec, { config, maxConnections }: ProcessSpec): Reconfiguration {
  const crossdomain = config.http?.crossdomain ?? http?.crossdomain ?? true;
  return { config: { ...config, listen, http: http === null ? null : { listen: http.listen, crossdomain } }, maxConnections };
}

function isOwn({ backend }: ProcessSpec): boolean {
  return backend === undefined || backend.program === null;
}

/** `edge-1` for `edge-1.3`: see rollout.ts. */
function baseOf(name: string): string {
  return name.split(".")[0] ?? name;
}
