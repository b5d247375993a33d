// ENTRY POINT of the master: composes listeners, origin, supervisor, directory and control socket from a configuration, and
// is the one ordered place where signals and deaths become what the box does.
//
//   config ─► pid file ─► listening sockets ─► plan ─► control socket ─► origin ─► children ─► ready
//   HUP ────► reloads.ts     USR2 ─► one by one replaced (crew.ts)     USR1 ─► logs anew     TERM, INT, QUIT ─► ending.ts
import { messageOf } from "../base/errors.js";
import { createLog, reopenLog, setLogLevel, type Log } from "../base/log.js";
import type { Config, Endpoint } from "../conf/meaning/config.js";
import { noStats } from "../ipc/messages.js";
import { controlPath } from "../master/control/socket-path.js";
import { onlyPlanB, type ControlAnswers, type UpgradeProgram } from "../master/control/control.js";
import { countCores } from "../master/host/cores.js";
import { measureMemory } from "../master/control/directory.js";
import { Listeners } from "../master/sockets/listeners.js";
import { logChange } from "../master/processes/log-change.js";
import { LogRotation } from "../master/logs/rotation.js";
import { loadNativeSockets } from "../master/sockets/native-socket.js";
import { checkOpenFiles, fewFilesWarning, readMaxOpenFiles } from "../master/processes/open-files.js";
import { ParentWatch } from "../master/host/parent-watch.js";
import { checkPlan } from "../master/backends/plan.js";
import type { MasterSignal, Signals } from "../master/host/signals.js";
import type { Reloaded } from "../master/control/status.js";
import type { ReadyBox } from "../master/host/daemon.js";
import type { Change } from "../master/processes/supervisor.js";
import { systemTimers as timers } from "../base/timers.js";
import { WorkerLimits } from "../master/processes/worker-limits.js";
import { loadVaultParts, type VaultParts } from "../master/vault/vault.js";
import { takeAddresses } from "./addresses.js";
import { Claims } from "./claims.js";
import { logCrashes } from "../base/crash.js";
import { Crew } from "./crew.js";
import { Ending } from "./ending.js";
import { exitCodeOf, exitCodes } from "../base/exit-codes.js";
import { Heart } from "../worker/heart.js";
import { PlanB } from "./plan-b.js";
import { Portrait } from "./portrait.js";
import type { Predecessor } from "./predecessor.js";
import { Reloads, type ConfOrigin } from "./reloads.js";
import { Service } from "./service.js";
import { upgrade } from "./upgrade.js";

/** A slot whose next start is further away than this takes no connections meanwhile. */
const withdrawAfterMs = 1000;
/** How long the processes of one whose place was taken go on with what could not go over, such as connections that have no stream yet. */
const lingerMs = 5000;
const notYet: Reloaded = { outcome: "refused", changes: [], problems: ["dolphin is still starting"], notes: [] };

export interface MasterOptions {
  readonly version: string;
  readonly signals: Signals;
  /** What a reload reads. */
  readonly source: ConfOrigin;
  /** Told once, when everything serves. */
  ready(box: ReadyBox): void;
  /** Told why it does not start; the log has it, too. */
  refused(sentence: string): void;
  /** Why `daemon on` is not followed; null: it is, or is not said. */
  readonly stays: string | null;
  /** Where it was started, before it went to its work_dir. */
  readonly cwd: string;
  /** The master whose place it takes; null: none. */
  readonly predecessor: Predecessor | null;
}

/** Runs a box until it is stopped or gives up. Resolves to the exit code; throws nothing. */
export async function runMaster(config: Config, options: MasterOptions): Promise<number> {
  let log: Log;
  try {
    log = createLog({ role: "master", child: null, ...config.log });
  } catch (thrown) {
    options.refused(`cannot write the log ${config.log.file ?? ""}: ${messageOf(thrown)}`);
    return exitCodes.cannotCreate;
  }
  logCrashes(() => log);
  if (options.stays !== null)
    log.info({ event: "daemon.skipped", reason: options.stays }, "daemon on is not followed: it stays in the foreground");
  const master = new Master(config, options, log);
  try {
    await master.start();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
    log.error({ event: "dolphin.refused", code }, messageOf(thrown));
    options.refused(messageOf(thrown));
    await master.abandon();
    return exitCodeOf(thrown);
  }
  return master.ended;
}

class Master {
  readonly ended: Promise<number>;
  private readonly options: MasterOptions;
  private readonly log: Log;
  private readonly claims = new Claims();
  private readonly portrait: Portrait;
  private readonly ending: Ending;
  private config: Config;
  private parent: ParentWatch | null = null;
  private listeners = new Listeners(null);
  private heart: Heart | null = null;
  private planB: PlanB | null = null;
  private crew: Crew | null = null;
  private reloads: Reloads | null = null;
  private rotation: LogRotation | null = null;
  private workerLimits: WorkerLimits | null = null;
  /** Ends the process that is about to take the place of this one; null: there is none. */
  private endHeir: (() => void) | null = null;
  private takeControl: () => Promise<void> = () => Promise.resolve();
  private service: Service | null = null;
  private isReady = false;

  private readonly answers: ControlAnswers = {
    status: () => this.portrait.status(),
    explain: (key) => this.planB?.explain(key) ?? null,
    drain: (server, isDraining) => (this.planB === null ? onlyPlanB : this.planB.drain(server, isDraining)),
    reload: () => this.reload("dolphin reload"),
    restart: () => this.restart("dolphin restart"),
    upgrade: (program) => this.upgrade(program),
  };

  constructor(config: Config, options: MasterOptions, log: Log) {
    this.config = config;
    this.options = options;
    this.log = log;
    let finish = (_code: number): void => undefined;
    this.ended = new Promise((resolve) => (finish = resolve));
    this.portrait = new Portrait({
      version: options.version,
      timers,
      claims: this.claims,
      config: () => this.config,
      crew: () => this.crew,
      planB: () => this.planB,
      isEnding: () => this.ending.hasBegun,
    });
    this.ending = new Ending({
      log,
      timers,
      config: () => this.config,
      began: () => this.service?.ending(),
      closeListeners: () => this.listeners.close(),
      drain: (reason, timeoutMs) => this.crew?.drain(reason, timeoutMs),
      stop: (reason) => {
        this.endHeir?.();
        this.crew?.stop(reason);
      },
      kill: (reason) => this.crew?.kill(reason),
      closeOrigin: () => this.closeOrigin("stopping"),
      release: () => this.release(),
      finish,
    });
  }

  /** Throws what keeps it from serving; `abandon` then leaves nothing behind. */
  async start(): Promise<void> {
    process.title = "dolphin: master";
    const native = await loadNativeSockets();
    const { predecessor } = this.options;
    predecessor?.check();
    this.service = await Service.open(process.env, native, {
      timers,
      plan: this.config.dolphin.plan,
      handed: predecessor?.given ?? [],
      children: () => this.portrait.children(),
      totals: (names) => this.portrait.overview.totals(names),
    });
    this.config = this.service.fit(this.config);
    const { config, log } = this;
    checkPlan(config);
    const facts = { cores: countCores(), maxOpenFiles: readMaxOpenFiles() };
    checkOpenFiles(config, facts);
    if (config.asProcess) this.parent = new ParentWatch({ timers, parent: () => process.ppid, gone: (pid) => this.ending.orphaned(pid) });
    if (predecessor === null) await this.claims.takePidFile(config);
    else this.claims.serverId = predecessor.serverId;
    this.listeners = new Listeners(native, this.service.listeners, predecessor?.listeners);
    const { addresses, origin } = await takeAddresses(this.listeners, config, facts.cores);
    const socket = config.dolphin.controlSocket ?? controlPath(addresses[0] ?? origin, process.env);
    this.takeControl = () => this.claims.takeControl(socket, this.answers);
    if (predecessor === null) await this.takeControl();
    if (config.dolphin.plan === "b") this.planB = await this.preparePlanB(facts, addresses, socket);
    this.crew = new Crew(config, {
      ...facts,
      timers,
      log,
      origin,
      listeners: this.listeners,
      hasOwnSockets: native !== null,
      planB: this.planB,
      carrying: await this.loadCarrying(),
      streamsOf: (name) => this.portrait.overview.streamsOf(name),
      changed: (change) => this.changed(change),
      heard: (name, message) => this.portrait.overview.heard(name, message),
      ended: (how) => void this.childrenEnded(how),
    });
    this.reloads = this.prepareReloads(this.crew, this.service);
    const { cores } = facts;
    log.info(
      { event: "dolphin.started", serverId: this.claims.serverId, plan: config.dolphin.plan, cores, ownSockets: native !== null },
      "starting",
    );
    const warning = fewFilesWarning(config, facts.maxOpenFiles);
    if (warning !== null) log.warn({ event: "limit.low" }, warning);
    await this.crew.start();
    this.heart = new Heart(
      () => this.crew?.originStats() ?? noStats,
      (stats) => this.portrait.overview.beat("master", stats),
    );
    this.workerLimits = new WorkerLimits({
      timers,
      log,
      limits: () => this.config.dolphin.workers,
      children: () => this.portrait.children(),
      memory: measureMemory,
      replace: (name, reason) => this.reloads?.restart(reason, name) ?? Promise.resolve(notYet),
    });
    this.rotation = new LogRotation({ settings: this.config.log, timers, log, reopenAll: () => this.reopenLogs() });
    this.options.signals.listen((signal) => this.signal(signal));
  }

  /** After a start that failed: closes what had been opened. */
  async abandon(): Promise<void> {
    this.release();
    await this.closeOrigin("not started");
  }

  private preparePlanB(
    facts: { readonly cores: number; readonly maxOpenFiles: number | null },
    addresses: readonly Endpoint[],
    socket: string,
  ): Promise<PlanB> {
    return PlanB.prepare(this.config, {
      ...facts,
      taken: addresses.map(({ port }) => port),
      folder: `${socket}.servers`,
      timers,
      log: this.log,
      send: (name, message) => this.crew?.send(name, message) ?? false,
      tell: (name, message) => this.crew?.tell(name, message),
      condemn: (name, doom) => this.crew?.condemn(name, doom),
    });
  }

  private prepareReloads(crew: Crew, service: Service): Reloads {
    return new Reloads(this.options.source, this.config, {
      log: this.log,
      isEnding: () => this.ending.hasBegun,
      during: (work) => service.reloading(work),
      reconfigure: (config) => crew.reconfigure(service.fit(config)),
      replace: (config, reason) => crew.replace(service.fit(config), reason),
      restart: (reason, only) => crew.restart(reason, only),
      adopt: (config) => {
        this.config = service.fit(config);
        setLogLevel(config.log.level);
        this.rotation?.reconfigure(config.log);
      },
    });
  }

  /** What connections are carried with; null where they shall not be, or cannot: then that is told. */
  private async loadCarrying(): Promise<VaultParts | null> {
    if (!this.config.dolphin.carriesSessions) return null;
    const parts = await loadVaultParts();
    if (parts !== null) return parts;
    this.log.info(
      { event: "connections.not-carried" },
      "connections end with the process that serves them: to carry them takes Linux and the package koffi",
    );
    return null;
  }

  private signal(signal: MasterSignal): void {
    switch (signal) {
      case "SIGTERM":
      case "SIGINT":
      case "SIGQUIT":
        this.ending.signal(signal);
        return;
      case "SIGHUP":
        void this.reload(signal);
        return;
      case "SIGUSR1":
        void this.rotation?.reopen();
        return;
      case "SIGUSR2":
        void this.restart(signal);
        return;
    }
  }

  private reload(reason: string): Promise<Reloaded> {
    return this.reloads?.reload(reason) ?? Promise.resolve(notYet);
  }

  private restart(reason: string): Promise<Reloaded> {
    return this.reloads?.restart(reason) ?? Promise.resolve(notYet);
  }

  /** Has another process take the place of this one, with everything that it has; then ends. */
  private async upgrade(program: UpgradeProgram): Promise<Reloaded> {
    const { crew, service, reloads, listeners, claims, log } = this;
    if (crew === null || service === null || reloads === null) return notYet;
    const own = { log, claims, listeners, crew, service };
    const parts = {
      ...own,
      cwd: this.options.cwd,
      plan: this.config.dolphin.plan,
      isBound: this.parent !== null,
      heir: (end: (() => void) | null) => (this.endHeir = end),
      leave: (reason: string) => timers.after(lingerMs, () => this.ending.stop(reason)),
    };
    return reloads.exclusively(() => upgrade(program, parts));
  }

  /** Throws when a process has not opened its log anew. */
  private async reopenLogs(): Promise<void> {
    const others = this.crew?.reopenLogs() ?? []; // asked before ours is opened, which may fail
    reopenLog();
    const missing = await others;
    if (missing.length > 0) throw new Error(`these did not open their log anew: ${missing.join(", ")}`);
  }

  private changed(change: Change): void {
    const { spec, child, delayMs } = change;
    logChange(this.log, change);
    if (child.state === "up") this.listeners.restoreBacklog(spec.name);
    if (child.state === "waiting" || child.state === "down" || child.state === "failed") {
      this.portrait.overview.gone(spec.name);
      this.listeners.reclaim(spec.name);
    }
    if (child.state === "failed" || (delayMs ?? 0) > withdrawAfterMs) this.listeners.withdraw(spec.name);
    this.tellWhenReady();
  }

  /** Once, when every child serves, or is given up while others serve. */
  private tellWhenReady(): void {
    const children = this.portrait.children();
    const settled = children.every(({ child }) => child.state === "up" || child.state === "failed");
    if (this.isReady || this.ending.hasBegun || !settled || !children.some(({ child }) => child.state === "up")) return;
    this.isReady = true;
    void this.ready();
  }

  private async ready(): Promise<void> {
    const { predecessor } = this.options;
    if (predecessor !== null && !(await this.takeOver(predecessor))) return;
    const { plan } = this.config.dolphin;
    const box = this.portrait.box();
    const children = this.portrait.children().map(({ spec, pid }) => [spec.name, pid] as const);
    const pids = Object.fromEntries<number | null>([["master", process.pid], ...children]);
    const noun = { a: "edges", b: "proxies", single: "server" }[plan];
    process.title = `dolphin: master (plan ${plan}, ${box.workers} ${noun})`;
    const details = { plan, workers: box.workers, endpoints: box.endpoints, pids, controlSocket: this.claims.controlSocket };
    this.log.info({ event: "dolphin.ready", ...details }, "everything serves");
    this.service?.ready();
    this.options.ready(box);
    predecessor?.taken();
  }

  /** Goes on with everything that the master before this one has. False: it could not, and ends. */
  private async takeOver(predecessor: Predecessor): Promise<boolean> {
    try {
      await predecessor.takeOver({
        mirror: (origin) => this.crew?.estate?.origin.mirror(origin) ?? Promise.resolve(),
        receive: (link) => this.crew?.estate?.vault.inherit(link),
      });
      this.crew?.estate?.origin.endMirror();
      await this.claims.takePidFile(this.config);
      await this.takeControl();
      return true;
    } catch (thrown) {
      this.log.error({ event: "dolphin.refused", code: "CHILD_START" }, messageOf(thrown));
      predecessor.refused(messageOf(thrown));
      this.ending.stop(messageOf(thrown));
      return false;
    }
  }

  private async childrenEnded(how: "stopped" | "gaveUp"): Promise<void> {
    const couldFork = this.portrait.children().some(({ child }) => child.deaths.some(({ cause }) => !cause.startsWith("not started")));
    await this.ending.childrenEnded(how, couldFork);
  }

  private async closeOrigin(reason: string): Promise<void> {
    await this.crew?.closeOrigin(reason);
    await this.planB?.close();
  }

  private release(): void {
    this.heart?.close();
    this.reloads?.close();
    this.rotation?.close();
    this.workerLimits?.close();
    this.service?.close();
    this.listeners.close();
    this.claims.close();
    this.parent?.close();
    this.options.signals.close();
  }
}
