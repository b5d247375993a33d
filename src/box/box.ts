// A running box: composed top to bottom from one configuration, and then the one place where signals, deaths and requests become
// what it does.
//
//   config ─► service ─► pid file ─► listening sockets ─► plan b ─► crew ─► ending ─► reloads ─► control socket
//             (fits it to given sockets)                                            origin ─► children ─► ready
//
//   HUP ────► reloads.ts     USR2 ─► one by one replaced (crew.ts)     USR1 ─► logs anew     TERM, INT, QUIT ─► ending.ts
//
//   its processes        addresses.ts ─▶ crew.ts with briefing.ts, plan-b/, stand-alone.ts ─▶ portrait.ts: what is shown of them
//   another in its place upgrade.ts ─ claims.ts, estate.ts: what there is once, and what is left ─▶ predecessor.ts of the other
//   its end              ending.ts ─▶ opened.ts: all that is to be closed
import { DolphinError, messageOf } from "../base/errors.js";
import { reopenLog, setLogLevel, type Log } from "../base/log.js";
import { systemTimers as timers } from "../base/timers.js";
import type { Config } from "../conf/meaning/config.js";
import { advertisedOf, advertiseRemedy } from "../conf/meaning/registry.js";
import { removeDoors } from "../ipc/admin-door.js";
import { checkPlan } from "../master/backends/plan.js";
import { changeEvent } from "../master/control/change-event.js";
import { measureMemory } from "../master/control/directory.js";
import { EventBook } from "../master/control/event-book.js";
import { controlPath } from "../master/control/socket-path.js";
import { countCores } from "../master/host/cores.js";
import type { ReadyBox } from "../master/host/daemon.js";
import { ParentWatch } from "../master/host/parent-watch.js";
import type { MasterSignal, Signals } from "../master/host/signals.js";
import { LogRotation } from "../master/logs/rotation.js";
import { logChange } from "../master/processes/log-change.js";
import { checkOpenFiles, fewFilesWarning, readMaxOpenFiles } from "../master/processes/open-files.js";
import { isGone } from "../master/processes/child.js";
import { isComeUp } from "../master/processes/plan.js";
import type { Change } from "../master/processes/supervisor.js";
import { WorkerLimits } from "../master/processes/worker-limits.js";
import { Listeners } from "../master/sockets/listeners.js";
import { loadNativeSockets } from "../master/sockets/native-socket.js";
import { loadVaultParts, type VaultParts } from "../master/vault/vault.js";
import { Registry } from "../registry/registry.js";
import { takeAddresses } from "./addresses.js";
import { answersOf } from "./answers.js";
import { Claims } from "./claims.js";
import { Crew } from "./crew.js";
import { Ending } from "./ending.js";
import { Opened, type CrewEvents } from "./opened.js";
import { PlanB } from "./plan-b/plan-b.js";
import { Portrait } from "./portrait.js";
import type { Predecessor } from "./predecessor.js";
import { Reloads, type ConfOrigin } from "./reloads.js";
import { Service } from "./service.js";
import { upgrade } from "./upgrade.js";

/** A slot whose next start is further away than this takes no connections meanwhile. */
const withdrawAfterMs = 1000;

export interface BoxOptions {
  readonly version: string;
  readonly signals: Signals;
  /** What a reload reads. */
  readonly source: ConfOrigin;
  /** Told once, when everything serves. */
  ready(box: ReadyBox): void;
  /** Where it was started, before it went to its work_dir. */
  readonly cwd: string;
  /** The master whose place it takes; null: none. */
  readonly predecessor: Predecessor | null;
}

/**
 * Starts a box. Resolves when its children are on their way; rejects with what keeps it from serving, and then nothing is left
 * behind.
 */
export async function openBox(wanted: Config, options: BoxOptions, log: Log): Promise<Box> {
  const opened = new Opened();
  try {
    return await compose(wanted, options, log, opened);
  } catch (thrown) {
    await opened.close();
    throw thrown;
  }
}

async function compose(wanted: Config, { predecessor, ...options }: BoxOptions, log: Log, opened: Opened): Promise<Box> {
  const { version, source, cwd, signals } = options;
  const { plan } = wanted.dolphin;
  opened.add(signals);
  const native = await loadNativeSockets();
  predecessor?.check();
  const service = opened.add(await Service.open(process.env, native, { timers, plan, handed: predecessor?.given ?? [] }));
  const fitted = service.fit(wanted);
  checkPlan(fitted);
  const facts = { cores: countCores(), maxOpenFiles: readMaxOpenFiles() };
  checkOpenFiles(fitted, facts);
  const warning = fewFilesWarning(fitted, facts.maxOpenFiles);
  const { asProcess: isBound, file: configFile, log: logging, dolphin } = fitted;

  const claims = opened.add(new Claims(predecessor?.identity ?? null));
  if (predecessor === null) await claims.takePidFile(fitted);
  const listeners = opened.add(new Listeners(native, service.listeners, predecessor?.listeners));
  const { addresses, origin, config } = await takeAddresses(listeners, fitted, facts.cores, log);
  const socket = dolphin.controlSocket ?? controlPath(addresses[0] ?? origin, process.env);

  const taken = addresses.map(({ port }) => port);
  const planB =
    plan === "b" ? opened.add(await PlanB.prepare(config, { ...facts, taken, cwd, source, folder: `${socket}.servers`, log })) : null;
  const carrying = dolphin.carriesSessions ? await loadCarrying(log) : null;
  const hasOwnSockets = native !== null;
  const events = new EventBook();
  const { identity } = claims;
  const registry = await openRegistry(config, identity.serviceId, log);
  if (registry !== null) opened.add(registry);
  const world = { timers, log, listeners, hasOwnSockets, origin, planB, carrying, controlSocket: socket, events, identity, registry };
  const crew = opened.add(new Crew(config, { ...facts, ...world }));
  predecessor?.onSittings((sittings) => crew.desk.borrowSittings(sittings));

  const ending = new Ending(config, { log, timers, service, listeners, crew, release: () => void opened.close() });
  if (isBound) {
    opened.add(new ParentWatch({ timers, parent: () => process.ppid, gone: (pid) => ending.orphaned(pid) }));
  }
  const rotation = opened.add(new LogRotation({ settings: logging, timers, log, reopenAll: () => reopenLogs(crew) }));
  const reloads = opened.add(new Reloads(source, config, { log, ending, service, crew, events }));
  const workerLimits = new WorkerLimits(dolphin.workers, {
    timers,
    log,
    children: () => crew.children(),
    memory: measureMemory,
    replace: (name, reason) => reloads.restart(reason, name),
  });
  opened.add(workerLimits);
  let isEdge = isEdgeOfSite(config);
  reloads.follow((now) => {
    isEdge = isEdgeOfSite(now);
    setLogLevel(now.log.level);
    rotation.reconfigure(now.log);
    ending.reconfigure(now);
    workerLimits.reconfigure(now.dolphin.workers);
  });

  const portrait = new Portrait({
    version,
    plan,
    configFile,
    logFile: logging.file,
    carries: dolphin.carriesSessions,
    timers,
    claims,
    crew,
    ending,
    cores: facts.cores,
    maxConnections: config.maxConnections,
  });
  registry?.introduce(() => ({ ...portrait.node(), isEdge }));
  const successor = { log, cwd, plan, isBound, claims, listeners, crew, service, ending };
  const answers = answersOf({ log, events, portrait, crew, reloads, upgrade: (program) => upgrade(program, successor) });
  const takeControl = async (): Promise<void> => {
    await claims.takeControl(socket, answers);
    if (predecessor === null) removeDoors(socket);
    crew.desk.writeDown(`${socket}.dues`, predecessor === null);
  };
  if (predecessor === null) await takeControl();
  /** Of a box that takes another's place not before everything has come over. */
  const takeClaims = async (): Promise<void> => {
    await claims.takePidFile(config);
    await takeControl();
  };

  const started = { serverId: claims.identity.serverId, plan, cores: facts.cores, ownSockets: hasOwnSockets };
  log.info({ event: "dolphin.started", ...started }, "starting");
  if (warning !== null) log.warn({ event: "limit.low" }, warning);
  const box = new Box({
    log,
    events,
    service,
    listeners,
    claims,
    crew,
    ending,
    rotation,
    reloads,
    portrait,
    predecessor,
    takeClaims,
    options,
  });
  await crew.start(box);
  signals.listen((signal) => box.signal(signal));
  return box;
}

/** Whether it has no publishers of its own, and passes them on to other boxes. */
function isEdgeOfSite({ vhosts }: Config): boolean {
  const served = vhosts.filter(({ enabled }) => enabled);
  return served.length > 0 && served.every(({ cluster }) => cluster.mode === "remote");
}

/** The box's place in its site; null: it is a site of its own. */
async function openRegistry({ listen, dolphin }: Config, epoch: string, log: Log): Promise<Registry | null> {
  if (dolphin.registry === null) return null;
  const rtmp = advertisedOf(dolphin.registry, listen);
  if (rtmp === null) throw new DolphinError("CONF_VALUE", `registry: ${advertiseRemedy}`);
  return Registry.open(dolphin.registry, rtmp, { log, epoch });
}

/** What connections are carried with; null where they cannot be: then that is told. */
async function loadCarrying(log: Log): Promise<VaultParts | null> {
  const parts = await loadVaultParts();
  if (parts === null) {
    const why = "connections end with the process that serves them: to carry them takes Linux and the package koffi";
    log.info({ event: "connections.not-carried" }, why);
  }
  return parts;
}

/** Throws when a process has not opened its log anew. */
async function reopenLogs(crew: Crew): Promise<void> {
  const others = crew.reopenLogs(); // asked before ours is opened, which may fail
  reopenLog();
  const missing = await others;
  if (missing.length > 0) throw new Error(`these did not open their log anew: ${missing.join(", ")}`);
}

interface BoxParts {
  readonly log: Log;
  readonly events: EventBook;
  readonly service: Service;
  readonly listeners: Listeners;
  readonly claims: Claims;
  readonly crew: Crew;
  readonly ending: Ending;
  readonly rotation: LogRotation;
  readonly reloads: Reloads;
  readonly portrait: Portrait;
  readonly predecessor: Predecessor | null;
  /** Takes what only one process can have from the one before. */
  readonly takeClaims: () => Promise<void>;
  readonly options: Pick<BoxOptions, "ready">;
}

/** A box that runs, and ends by itself when it is told to or can serve no more. */
export class Box implements CrewEvents {
  /** Resolves to the exit code when nothing is left; never rejects. */
  readonly ended: Promise<number>;
  private readonly parts: BoxParts;
  private isReady = false;

  constructor(parts: BoxParts) {
    this.parts = parts;
    this.ended = parts.ending.ended;
  }

  signal(signal: MasterSignal): void {
    const { ending, reloads, rotation } = this.parts;
    switch (signal) {
      case "SIGTERM":
      case "SIGINT":
      case "SIGQUIT":
        ending.signal(signal);
        return;
      case "SIGHUP":
        void reloads.reload(signal);
        return;
      case "SIGUSR1":
        void rotation.reopen();
        return;
      case "SIGUSR2":
        void reloads.restart(signal);
        return;
    }
  }

  /** A child has begun, serves, or is gone. */
  changed(change: Change): void {
    const { log, listeners, events } = this.parts;
    const { spec, child, delayMs } = change;
    logChange(log, change);
    const event = changeEvent(change);
    if (event !== null) events.take(event);
    if (child.state === "up") listeners.restoreBacklog(spec.name);
    if (isGone(child)) listeners.reclaim(spec.name);
    if (child.state === "failed" || (delayMs ?? 0) > withdrawAfterMs) listeners.withdraw(spec.name);
    this.tellWhenReady();
  }

  /** No child is left. */
  childrenEnded(how: "stopped" | "gaveUp", couldFork: boolean): void {
    void this.parts.ending.childrenEnded(how, couldFork);
  }

  /** Once, when every child serves, or is given up while others serve. */
  private tellWhenReady(): void {
    const { crew, ending } = this.parts;
    if (this.isReady || ending.hasBegun || !isComeUp(crew.children())) return;
    this.isReady = true;
    void this.ready();
  }

  private async ready(): Promise<void> {
    const { log, service, claims, crew, portrait, predecessor, options } = this.parts;
    if (predecessor !== null && !(await this.takeOver(predecessor))) return;
    const box = portrait.box();
    const { plan, workers, endpoints } = box;
    const children = crew.children().map(({ spec, pid }) => [spec.name, pid] as const);
    const pids = Object.fromEntries<number | null>([["master", process.pid], ...children]);
    const noun = { a: "edges", b: "proxies", single: "server" }[plan];
    process.title = `dolphin: master (plan ${plan}, ${workers} ${noun})`;
    const details = { plan, workers, endpoints, pids, controlSocket: claims.controlSocket };
    log.info({ event: "dolphin.ready", ...details }, "everything serves");
    service.ready(crew);
    crew.site.begin();
    options.ready(box);
    predecessor?.taken();
  }

  /** Goes on with everything that the master before this one has. False: it could not, and ends. */
  private async takeOver(predecessor: Predecessor): Promise<boolean> {
    const { log, crew, ending, takeClaims } = this.parts;
    try {
      await predecessor.takeOver({
        mirror: (origin) => crew.estate?.origin.mirror(origin) ?? Promise.resolve(),
        receive: (link) => crew.estate?.vault.inherit(link),
        inherit: (sittings) => crew.desk.inheritSittings(sittings),
      });
      crew.desk.keepSittings();
      crew.estate?.origin.endMirror();
      await takeClaims();
      return true;
    } catch (thrown) {
      log.error({ event: "dolphin.refused", code: "CHILD_START" }, messageOf(thrown));
      predecessor.refused(messageOf(thrown));
      ending.stop(messageOf(thrown));
      return false;
    }
  }
}
