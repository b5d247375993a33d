// The processes of a running box and how they change while it runs: the origin in the master, and the children under the
// supervisor. What the box is beside its processes is in box.ts.
//
//   config ─► plan ─► supervisor ─┬─► edges, servers, proxies      told what to be by briefing.ts
//                    rollout ─────┘        │ heartbeats, reports, answers
//                                          ▼
//                    overview ◀─ questions, vault (connections that outlive a process), balance (plan b), stand-alone (plan single)
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { messageOf } from "../base/errors.js";
import { Site } from "../cluster/site.js";
import type { Config } from "../conf/meaning/config.js";
import type { Listener } from "../ipc/listener.js";
import { noStats, type FromChild, type ToChild } from "../ipc/messages.js";
import type { BoxEvent } from "../ipc/events.js";
import { memberOf } from "../master/control/directory.js";
import { Overview } from "../master/control/overview.js";
import { limitsOf } from "../master/processes/child.js";
import { clusterSpawner } from "../master/processes/cluster-spawner.js";
import { isAide, isServing, planAdmin, planPackagers, planProcesses, type ProcessSpec } from "../master/processes/plan.js";
import { Questions } from "../master/processes/questions.js";
import type { Rollout } from "../master/processes/rollout.js";
import { Spares, spareName } from "../master/processes/spares.js";
import { Supervisor, type Change, type ChildView } from "../master/processes/supervisor.js";
import type { Listeners } from "../master/sockets/listeners.js";
import { Vault, type CarriedCounts } from "../master/vault/vault.js";
import { unpack } from "../ipc/carried.js";
import type { SavedPublisher } from "../server/peers/saved-publisher.js";
import { lastWordsMs, Server } from "../server/server.js";
import { linkVariable } from "../worker/carrier.js";
import { Heart } from "../worker/heart.js";
import { Balance } from "./plan-b/balance.js";
import { answerDeadlineMs, Briefing, isOwn } from "./briefing.js";
import { FrontDesk } from "./front-desk.js";
import { estateOf, originHere, type Estate } from "./estate.js";
import { belongsTo, listensElsewhere, openRollouts, Packagers, replaceThose, type Whose } from "./rollouts.js";
import type { CrewEvents, CrewParts } from "./opened.js";
import { Roster } from "./roster.js";
import { StandAlone } from "./stand-alone.js";

const entryOf = (role: "server" | "proxy" | "admin" | "packager"): string => fileURLToPath(new URL(`../roles/${role}.js`, import.meta.url));
/** Where it is not known how many files may be open. */
const maxKeptByDefault = 100_000;
/** Threads that wait for disks: more of them wait for each other, for it is the same folder that they make files in (decision 25). */
const packagerEnv = { UV_THREADPOOL_SIZE: process.env["UV_THREADPOOL_SIZE"] ?? "2" };

/** All processes of one box. */
export class Crew {
  readonly overview: Overview;
  /** Plan b's servers; null on the other plans. */
  readonly balance: Balance | null;
  private readonly parts: CrewParts;
  private readonly edgeKey = randomBytes(16).toString("hex");
  private readonly supervisor: Supervisor;
  private readonly spares: Spares;
  private readonly rollouts: Readonly<Record<Whose, Rollout>>;
  private readonly questions: Questions<string | null>;
  private readonly briefing: Briefing;
  private readonly packagers: Packagers;
  /** Clients and streams of all processes. */
  readonly roster: Roster;
  readonly site: Site;
  private readonly vault: Vault | null;
  readonly desk: FrontDesk;
  private readonly standAlone: StandAlone;
  /** The origin that the master itself is to be; null: none. */
  private readonly originSpec: ProcessSpec | null;
  private config: Config;
  private events: CrewEvents | null = null;
  private origin: Server | null = null;
  private heart: Heart | null = null;
  private closing: Promise<void> | null = null;

  constructor(config: Config, parts: CrewParts) {
    this.config = config;
    this.parts = parts;
    const { timers, log, listeners, planB } = parts;
    const specs = this.plan(config);
    this.originSpec = specs.find(({ place }) => place === "master") ?? null;
    const publishersMove = this.originSpec !== null && parts.carrying !== null;
    this.questions = new Questions(timers, answerDeadlineMs);
    this.briefing = new Briefing({
      edgeKey: this.edgeKey,
      listeners,
      vhosts: planB?.vhosts ?? null,
      publishersMove,
      controlSocket: parts.controlSocket,
      identity: parts.identity,
      questions: this.questions,
    });
    this.desk = new FrontDesk({ ...parts, settings: config.dolphin.hooks, send: (name, message) => this.supervisor.send(name, message) });
    this.spares = this.openSpares();
    this.supervisor = this.openSupervisor(specs);
    this.packagers = new Packagers(this.supervisor);
    const send = (name: string, message: ToChild): boolean => this.supervisor.send(name, message);
    this.roster = new Roster({
      timers,
      children: () => this.children(),
      send,
      origin: () => this.origin,
      isForeign: () => planB !== null && planB.software.kind !== "builtin",
    });
    this.site = new Site({
      ...parts,
      config: () => this.config,
      has: (key, asker) => this.roster.has(key, asker),
      sibling: (key, asker) => this.balance?.sibling(key, asker) ?? null,
      send,
    });
    this.overview = new Overview({
      timers,
      children: () => this.children().map(memberOf),
      ask: (name, id) => this.supervisor.send(name, { type: "report", id }),
      ownStreams: () => this.origin?.streams() ?? [],
    });
    this.vault = this.openVault();
    this.balance = planB === null ? null : new Balance(config, { planB, specs, supervisor: this.supervisor, timers, log });
    this.standAlone = this.openStandAlone();
    this.rollouts = openRollouts(specs, { supervisor: this.supervisor, standAlone: this.standAlone, listeners });
  }

  /** The origin serves when this resolves; the children come when they are ready. Throws CHILD_LISTEN. */
  async start(events: CrewEvents): Promise<void> {
    this.events = events;
    if (this.originSpec !== null) {
      const spec = this.originSpec;
      const listener: Listener = { protocol: "rtmp", endpoint: this.parts.origin, fd: null };
      const tell = (event: BoxEvent): void => this.parts.events.take({ ...event, process: "master" });
      this.origin = await Server.start(this.briefing.setupFor(spec, [listener]), this.parts.log.child({ child: spec.name }), {
        tell,
        hooks: this.desk.hooks,
        locator: this.site,
      });
    }
    this.supervisor.start();
    this.heart = new Heart(
      () => this.origin?.stats() ?? noStats,
      (stats) => this.overview.beat("master", stats),
    );
  }

  /** The box's place in its site; null: it is a site of its own. */
  get registry(): CrewParts["registry"] {
    return this.parts.registry;
  }

  get hasOrigin(): boolean {
    return this.origin !== null;
  }

  /** Where the edges find the origin, in the master or in a child of its own; null: there is none. */
  get originAddress(): CrewParts["origin"] | null {
    const isThere = this.originSpec !== null || this.children().some(({ spec }) => spec.duty === "origin");
    return isThere ? this.parts.origin : null;
  }

  children(): ChildView[] {
    return this.supervisor.children();
  }

  /** The public addresses, and those of the admin. */
  addresses(): Pick<Listener, "protocol" | "endpoint">[] {
    return Object.values(this.rollouts).flatMap(({ specs: [first] }) => this.parts.listeners.addressesOf(first?.name ?? ""));
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
    const alone = this.config.dolphin.plan === "single" ? this.standAlone : null;
    const origin = this.origin === null ? alone : originHere(this.origin, this.edgeKey);
    return estateOf(origin, this.vault, this.supervisor);
  }

  /** The listening sockets of those who serve the public addresses, and of the admin. */
  handOn(): ReturnType<Listeners["handOn"]> {
    return this.parts.listeners.handOn(Object.values(this.rollouts).flatMap(({ specs }) => specs.map(({ name }) => name)));
  }

  /** Ends what the master serves itself, and its hold on what the children served. Called twice it is the same end. */
  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  /** Carries a configuration to processes that go on running. Resolves to null, or to the reason why all is as it was. */
  async reconfigure(config: Config): Promise<string | null> {
    const specs = this.plan(config);
    const problem = await this.tellAll(specs);
    if (problem !== null) await this.tellAll(this.plan(this.config));
    else this.adopt(config, specs);
    return problem;
  }

  /** The same for what takes new processes: those are replaced who serve these addresses. */
  async replace(config: Config, reason: string, whose: ReadonlySet<Whose>): Promise<string | null> {
    const specs = this.plan(config);
    const isOther = (spec: ProcessSpec): boolean => ![...whose].some((which) => belongsTo(spec, which));
    const others = specs.filter(isOther);
    const problem =
      (await this.tellAll(others)) ?? (await replaceThose(this.rollouts, whose, { specs, before: this.plan(this.config), config, reason }));
    if (problem !== null) {
      await this.tellAll(this.plan(this.config).filter(isOther));
      return problem;
    }
    const moved = others.filter((spec) => isOwn(spec) && listensElsewhere(this.children(), spec));
    this.adopt(config, specs);
    for (const spec of moved) await this.supervisor.restart(spec);
    return null;
  }

  /** Replaces those who serve the public addresses one by one, and the admin, or one of them or the origin. Resolves as `reconfigure`. */
  async restart(reason: string, only: string | null = null): Promise<string | null> {
    const origin = this.children().find(({ spec }) => spec.duty === "origin" && spec.name === only)?.spec;
    if (origin !== undefined) return this.supervisor.restart(origin);
    const { drainTimeoutMs } = this.config.dolphin;
    const problem = await this.rollouts.public.replaceEach(reason, drainTimeoutMs, only);
    return problem ?? (await this.packagers.restart(reason, only)) ?? this.rollouts.admin.replaceEach(reason, drainTimeoutMs, only);
  }

  /** Has another number of those who serve the public addresses: the rest go on as they are. Resolves as `reconfigure`. */
  async scale(config: Config, reason: string): Promise<string | null> {
    const specs = this.plan(config);
    const problem = await this.rollouts.public.resize(
      specs.filter(({ isPublic }) => isPublic),
      reason,
      config.dolphin.drainTimeoutMs,
    );
    return problem ?? this.reconfigure(config);
  }

  /** Resolves when every child has opened its log file anew, or has taken too long; to the names of those that have not. */
  reopenLogs(): Promise<readonly string[]> {
    return this.briefing.reopenLogs(this.supervisor);
  }

  private async closeAll(): Promise<void> {
    this.heart?.close();
    this.vault?.close();
    this.balance?.close();
    this.site.close();
    await this.origin?.close("stopping");
    await this.desk.close(lastWordsMs);
    await this.parts.planB?.close();
  }

  private plan(config: Config): ProcessSpec[] {
    const specs = this.parts.planB?.plan(config) ?? planProcesses(config, this.parts);
    return [...specs, ...planAdmin(config), ...planPackagers(config, specs)];
  }

  private adopt(config: Config, specs: readonly ProcessSpec[]): void {
    this.config = config;
    this.supervisor.setLimits(limitsOf(config));
    this.parts.registry?.reconfigure(config.dolphin.registry);
    this.desk.hooks.reconfigure(config.dolphin.hooks);
    const replaced = Object.values(this.rollouts).flatMap((rollout) => rollout.update(specs));
    this.packagers.adopt(specs);
    for (const spec of [...replaced, ...specs]) this.supervisor.update(spec);
    this.balance?.adopt(config, specs);
  }

  private tellAll(specs: readonly ProcessSpec[]): Promise<string | null> {
    return this.briefing.tellAll(specs, this.supervisor, this.origin);
  }

  private openSpares(): Spares {
    const { timers, log, hasOwnSockets } = this.parts;
    const spawner = clusterSpawner({
      entryOf: ({ duty }) => entryOf(duty === "origin" || duty === "edge" ? "server" : duty),
      hasOwnSockets,
      give: (spec) => this.descriptorsOf(spec),
      invalid: (spec, error) => log.warn({ event: "message.dropped", child: spec.name, err: messageOf(error) }),
    });
    return new Spares({
      spawner,
      timers,
      isFor: (spec) => this.config.dolphin.warmsUp && this.vault !== null && isServing(spec),
      named: (name) => (name === null ? this.vault?.gone(spareName) : this.vault?.rename(spareName, name)),
    });
  }

  private openSupervisor(specs: readonly ProcessSpec[]): Supervisor {
    const { timers, planB } = this.parts;
    const own = this.spares;
    const foreign = planB?.spawner() ?? own;
    return new Supervisor({
      specs: specs.filter(({ place }) => place === "child"),
      limits: limitsOf(this.config),
      timers,
      spawner: { spawn: (spec, events) => (isOwn(spec) ? own : foreign).spawn(spec, events) },
      setupFor: (spec) => this.briefing.setupOf(spec),
      events: {
        changed: (change) => this.changed(change),
        heard: ({ spec }, message) => this.heard(spec, message),
        ended: (how) => this.ended(how),
      },
    });
  }

  private openStandAlone(): StandAlone {
    const { supervisor, questions, overview, vault, edgeKey } = this;
    return new StandAlone({
      edgeKey,
      isCarried: vault !== null,
      name: () => this.rollouts.public.specs[0]?.name,
      streamsOf: (name) => overview.streamsOf(name),
      askToMirror: (heir, origin) => questions.ask([heir], (name, id) => supervisor.send(name, { type: "mirror", id, origin })),
      endMirror: () => {
        for (const { spec } of supervisor.children()) supervisor.send(spec.name, { type: "end-mirror" });
      },
    });
  }

  private openVault(): Vault | null {
    const { carrying, timers, log, maxOpenFiles } = this.parts;
    if (carrying === null) return null;
    const vault: Vault = new Vault({
      ...carrying,
      ...this.desk.ofVault,
      timers,
      log,
      // Half of what this process may open: the origin has connections of its own.
      maxFiles: Math.floor((maxOpenFiles ?? 2 * maxKeptByDefault) / 2),
      tell: (event) => this.parts.events.take(event),
      send: (name, message) => this.supervisor.send(name, message),
      adoptPublisher: (text, fd, ended) => {
        if (this.origin !== null) this.origin.adoptPublisher(unpack(text) as SavedPublisher, fd, ended);
        else if (!vault.pass(text, fd)) this.desk.dropped(unpack(text) as SavedPublisher, fd);
      },
      heirs: () =>
        this.children().flatMap(({ spec, child, isLeaving }) => (child.state === "up" && !isLeaving && !isAide(spec) ? [spec.name] : [])),
      left: (name, session) => this.balance?.left(name, session),
      settled: (session, name) => this.balance?.settled(session, name),
    });
    return vault;
  }

  /** Those who serve viewers, or move what servers send them, are given a link to the vault. */
  private descriptorsOf({ name, duty, isPublic }: ProcessSpec): { readonly fds: readonly number[]; readonly env: Record<string, string> } {
    if (this.vault === null || !isPublic) return { fds: [], env: duty === "packager" ? packagerEnv : {} };
    return { fds: this.vault.admit(name), env: { [linkVariable]: "4,5" } };
  }

  private changed(change: Change): void {
    const { name } = change.spec;
    if (change.ending !== null) {
      this.questions.gone(name);
      this.roster.gone(name);
      this.site.gone(name);
      this.vault?.gone(name);
      this.desk.gone(name, () => this.vault?.dues() ?? new Set());
    }
    this.balance?.changed(change);
    this.overview.changed(change);
    this.events?.changed(change);
    if (change.child.state === "up") {
      this.briefing.catchUp(change.spec, this.supervisor);
      if (change.spec.duty === "edge" || change.spec.duty === "server") this.desk.came(name);
      if (isServing(change.spec) && this.config.dolphin.warmsUp) this.supervisor.send(name, { type: "warm-up" });
      this.vault?.place();
    }
    if (change.child.state === "down") this.briefing.forget(name);
    if (change.ending !== null) this.standAlone.gone(name);
  }

  private heard(spec: ProcessSpec, message: FromChild): void {
    this.vault?.heard(spec.name, message);
    this.desk.heard(spec.name, message);
    this.standAlone.heard(spec, message);
    if (message.type === "done") this.questions.answer(spec.name, message.id, message.problem);
    if (message.type === "event") this.parts.events.take({ ...message.event, process: spec.name });
    this.roster.heard(spec.name, message);
    this.site.heard(spec.name, message);
    this.balance?.heard(spec, message);
    this.overview.heard(spec.name, message);
  }

  private ended(how: "stopped" | "gaveUp"): void {
    this.spares.close();
    const couldFork = this.children().some(({ child }) => child.deaths.some(({ cause }) => !cause.startsWith("not started")));
    this.events?.childrenEnded(how, couldFork);
  }
}
