// ENTRY POINT of the master: composes listeners, origin, supervisor, directory and control socket from a configuration, and
// is the one ordered place where signals and deaths become what the box does.
//
//   config ─► pid file ─► listening sockets ─► plan ─► control socket ─► origin ─► children ─► ready
//   TERM ───► close listening sockets ─► children leave ─► origin closes ─► files removed ─► exit 0
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { messageOf } from "../base/errors.js";
import { createLog, type Log } from "../base/log.js";
import type { Config, Endpoint } from "../conf/config.js";
import type { ProxySetup } from "../ipc/balance.js";
import { noStats, type Listener, type ServerSetup } from "../ipc/messages.js";
import type { ChildLimits } from "../master/child.js";
import { clusterSpawner } from "../master/cluster-spawner.js";
import { controlPath } from "../master/control-path.js";
import { Control } from "../master/control.js";
import { countCores } from "../master/cores.js";
import { memberOf, type Member } from "../master/directory.js";
import { loadFileLocks } from "../master/file-lock.js";
import { Listeners } from "../master/listeners.js";
import { logChange } from "../master/log-change.js";
import { loadNativeSockets } from "../master/native-socket.js";
import { readMaxOpenFiles } from "../master/open-files.js";
import { Overview } from "../master/overview.js";
import { PidFile } from "../master/pid-file.js";
import { checkPlan } from "../master/plan-b.js";
import { planProcesses, publicNames, type ProcessSpec } from "../master/plan.js";
import { serverIdOf } from "../master/server-id.js";
import type { Signals } from "../master/signals.js";
import { loopback } from "../master/slots.js";
import type { BoxStatus } from "../master/status.js";
import { Supervisor, type Change, type ChildView, type Timers } from "../master/supervisor.js";
import { Server } from "../server/server.js";
import { logCrashes } from "./crash.js";
import { exitCodeOf, exitCodes } from "./exit-codes.js";
import { Heart } from "./heart.js";
import { PlanB } from "./plan-b.js";

const entryOf = (role: "server" | "proxy"): string => fileURLToPath(new URL(`${role}.js`, import.meta.url));
/** A slot whose next start is further away than this takes no connections meanwhile. */
const withdrawAfterMs = 1000;
/** How long the processes that were killed may take to be gone. */
const killedWithinMs = 1000;

const timers: Timers = {
  nowMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

export interface MasterOptions {
  readonly version: string;
  readonly signals: Signals;
  /** Told once, when everything serves. */
  ready(box: Pick<BoxStatus, "version" | "pid" | "plan" | "workers" | "endpoints">): void;
}

/** Runs a box until it is stopped or gives up. Resolves to the exit code; throws nothing. */
export async function runMaster(config: Config, options: MasterOptions): Promise<number> {
  let log: Log;
  try {
    log = createLog({ role: "master", child: null, ...config.log });
  } catch (thrown) {
    process.stderr.write(`dolphin: cannot write the log ${config.log.file ?? ""}: ${messageOf(thrown)}\n`);
    return exitCodes.cannotCreate;
  }
  logCrashes(() => log);
  const master = new Master(config, options, log);
  try {
    await master.start();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
    log.error({ event: "dolphin.refused", code }, messageOf(thrown));
    if (config.log.file !== null) process.stderr.write(`dolphin: ${messageOf(thrown)}\n`);
    await master.abandon();
    return exitCodeOf(thrown);
  }
  return master.ended;
}

class Master {
  readonly ended: Promise<number>;
  private readonly config: Config;
  private readonly options: MasterOptions;
  private readonly log: Log;
  private readonly edgeKey = randomBytes(16).toString("hex");
  private readonly startedAtMs = timers.nowMs();
  private readonly endpoints: Pick<Listener, "protocol" | "endpoint">[] = [];
  private readonly overview: Overview;
  private pidFile: PidFile | null = null;
  private serverId = "";
  private listeners = new Listeners(null);
  private control: Control | null = null;
  private origin: Server | null = null;
  private heart: Heart | null = null;
  private planB: PlanB | null = null;
  private supervisor: Supervisor | null = null;
  private isReady = false;
  private stoppingAtMs: number | null = null;
  private isKilled = false;
  private hasLeft = false;
  private finish: (code: number) => void = () => undefined;
  private skipOrigin: () => void = () => undefined;

  constructor(config: Config, options: MasterOptions, log: Log) {
    this.config = config;
    this.options = options;
    this.log = log;
    this.ended = new Promise((resolve) => (this.finish = resolve));
    this.overview = new Overview({
      timers,
      members: () => this.members(),
      ask: (name, id) => this.supervisor?.send(name, { type: "report", id }) ?? false,
      ownStreams: () => this.origin?.streams() ?? [],
    });
  }

  /** Throws what keeps it from serving; `abandon` then leaves nothing behind. */
  async start(): Promise<void> {
    const { config, log } = this;
    const { dolphin } = config;
    process.title = "dolphin: master";
    checkPlan(config);
    if (config.pidFile !== null) this.pidFile = PidFile.create(config.pidFile, await loadFileLocks());
    this.serverId = serverIdOf(config);
    const native = await loadNativeSockets();
    this.listeners = new Listeners(native);
    const cores = countCores();
    const names = publicNames(config, cores);
    for (const [protocol, list] of [
      ["rtmp", config.listen],
      ["http", config.http?.listen ?? []],
    ] as const) {
      for (const wanted of list) this.endpoints.push({ protocol, endpoint: await this.listeners.add(protocol, wanted, names) });
    }
    const origin = await this.originEndpoint();
    const first = this.endpoints[0]?.endpoint ?? origin;
    const socket = dolphin.controlSocket ?? controlPath(first, process.env);
    this.control = await Control.open(socket, {
      status: () => this.status(),
      explain: (key) => this.planB?.explain(key) ?? null,
      drain: (server, isDraining) => this.planB?.drain(server, isDraining) ?? false,
    });
    const facts = { cores, maxOpenFiles: readMaxOpenFiles() };
    if (dolphin.plan === "b") this.planB = await this.preparePlanB(facts, socket);
    const specs = this.planB?.specs ?? planProcesses(config, { ...facts, origin });
    await this.startOrigin(
      specs.find(({ place }) => place === "master"),
      origin,
    );
    const own = clusterSpawner({
      entryOf: ({ duty }) => entryOf(duty === "proxy" ? "proxy" : "server"),
      hasOwnSockets: native !== null,
      invalid: (spec, error) => log.warn({ event: "message.dropped", child: spec.name, err: messageOf(error) }),
    });
    const foreign = this.planB?.spawner() ?? own;
    this.supervisor = new Supervisor({
      specs: specs.filter(({ place }) => place === "child"),
      limits: limitsOf(config),
      timers,
      spawner: { spawn: (spec, events) => (isOwn(spec) ? own : foreign).spawn(spec, events) },
      setupFor: (spec) => this.setupOf(spec),
      events: {
        changed: (change) => this.changed(change),
        heard: ({ spec }, message) => {
          this.overview.heard(spec.name, message);
          this.planB?.heard(spec, message);
        },
        ended: (how) => void this.childrenEnded(how),
      },
    });
    log.info({ event: "dolphin.started", serverId: this.serverId, plan: dolphin.plan, cores, ownSockets: native !== null }, "starting");
    this.supervisor.start();
    this.options.signals.listen((event) => {
      if (event.type === "ignored") log.warn({ event: "signal.ignored", signal: event.signal }, `${event.signal} is not served yet`);
      else this.stop(event.signal, event.type === "kill");
    });
  }

  /** After a start that failed: closes what had been opened. */
  async abandon(): Promise<void> {
    this.release();
    await this.planB?.close();
    await this.origin?.close("not started");
  }

  /** Chosen once: an origin that is a child comes back on the same port, and edges find it again. */
  private originEndpoint(): Promise<Endpoint> {
    const { plan, originProcess } = this.config.dolphin;
    return this.listeners.add("rtmp", { host: loopback, port: 0 }, plan === "a" && originProcess === "child" ? ["origin"] : []);
  }

  private preparePlanB(facts: { readonly cores: number; readonly maxOpenFiles: number | null }, socket: string): Promise<PlanB> {
    return PlanB.prepare(this.config, {
      ...facts,
      taken: this.endpoints.map(({ endpoint }) => endpoint.port),
      folder: `${socket}.servers`,
      timers,
      log: this.log,
      send: (name, message) => this.supervisor?.send(name, message) ?? false,
      tell: (name, message) => this.supervisor?.tell(name, message),
      condemn: (name, doom) => this.supervisor?.condemn(name, doom),
    });
  }

  private async startOrigin(spec: ProcessSpec | undefined, endpoint: Endpoint): Promise<void> {
    if (spec !== undefined) {
      const log = this.log.child({ child: spec.name });
      this.origin = await Server.start(this.setupFor(spec, [{ protocol: "rtmp", endpoint, fd: null }]), log);
    }
    this.heart = new Heart(
      () => this.origin?.stats() ?? noStats,
      (stats) => this.overview.beat("master", stats),
    );
  }

  /** What a child is told when it starts; null for a program that is not ours. */
  private setupOf(spec: ProcessSpec): ServerSetup | ProxySetup | null {
    const { name, duty, backend } = spec;
    if (duty === "proxy") return this.planB?.proxySetup(spec, this.listeners.give(name)) ?? null;
    if (backend === undefined) return this.setupFor(spec, this.listeners.give(name));
    if (backend.program !== null) return null;
    // Through the cluster module: the port of a server that is gone refuses, and the proxies take the next one.
    const { rtmp, http } = backend;
    const listeners: Listener[] = [{ protocol: "rtmp", endpoint: rtmp, fd: null }];
    if (http !== null) listeners.push({ protocol: "http", endpoint: http, fd: null });
    return this.setupFor(spec, listeners);
  }

  private setupFor(spec: ProcessSpec, listeners: readonly Listener[]): ServerSetup {
    return {
      name: spec.name,
      isEdge: spec.duty === "edge",
      config: spec.config,
      listeners,
      edgeKey: this.edgeKey,
      maxConnections: spec.maxConnections,
    };
  }

  private changed(change: Change): void {
    const { spec, child, delayMs } = change;
    logChange(this.log, change);
    this.planB?.changed(change);
    if (child.state === "up") this.listeners.restoreBacklog(spec.name);
    if (child.state === "waiting" || child.state === "down" || child.state === "failed") {
      this.overview.gone(spec.name);
      this.listeners.reclaim(spec.name);
    }
    if (child.state === "failed" || (delayMs ?? 0) > withdrawAfterMs) this.listeners.withdraw(spec.name);
    this.tellWhenReady();
  }

  /** Once, when every child serves, or is given up while others serve. */
  private tellWhenReady(): void {
    const children = this.children();
    const settled = children.every(({ child }) => child.state === "up" || child.state === "failed");
    if (this.isReady || this.stoppingAtMs !== null || !settled || !children.some(({ child }) => child.state === "up")) return;
    this.isReady = true;
    const { plan } = this.config.dolphin;
    const box = this.box();
    const pids = Object.fromEntries([["master", process.pid], ...children.map(({ spec, pid }) => [spec.name, pid])]) as Record<
      string,
      number | null
    >;
    const noun = { a: "edges", b: "proxies", single: "server" }[plan];
    process.title = `dolphin: master (plan ${plan}, ${box.workers} ${noun})`;
    const details = { plan, cores: box.workers, endpoints: box.endpoints, pids, controlSocket: this.control?.path };
    this.log.info({ event: "dolphin.ready", ...details }, "everything serves");
    this.options.ready(box);
  }

  private stop(reason: string, atOnce: boolean): void {
    if (this.stoppingAtMs === null) {
      this.stoppingAtMs = timers.nowMs();
      this.log.info({ event: "dolphin.stopping", reason }, atOnce ? "stopping at once" : "stopping");
      this.listeners.close();
    }
    if (atOnce) {
      this.isKilled = true;
      this.log.warn({ event: "dolphin.killing", reason }, "killing what is left");
      this.skipOrigin();
      timers.after(killedWithinMs, () => this.leave(exitCodes.ok, "left behind what did not die"));
      this.supervisor?.kill(reason);
    } else {
      this.supervisor?.stop(reason);
    }
  }

  private async childrenEnded(how: "stopped" | "gaveUp"): Promise<void> {
    this.stoppingAtMs ??= timers.nowMs();
    this.listeners.close();
    // The origin goes last, so that edges end by being asked and not by losing it.
    const left = this.isKilled ? 0 : Math.max(0, this.stoppingAtMs + this.config.dolphin.stopTimeoutMs - timers.nowMs());
    const patience = new Promise<void>((resolve) => {
      this.skipOrigin = resolve;
      timers.after(left, resolve);
    });
    await Promise.race([this.origin?.close("stopping"), patience]);
    await this.planB?.close();
    if (how === "stopped") return this.leave(exitCodes.ok, "stopped");
    const why = "gave up: the processes that serve died too often in a minute; their last causes of death stand above";
    this.log.fatal({ event: "dolphin.gave-up", code: "CHILD_GAVE_UP" }, why);
    const couldFork = this.children().some(({ child }) => child.deaths.some(({ cause }) => !cause.startsWith("not started")));
    return this.leave(couldFork ? exitCodes.gaveUp : exitCodes.cannotFork, "gave up");
  }

  private leave(code: number, how: string): void {
    if (this.hasLeft) return;
    this.hasLeft = true;
    this.release();
    const durMs = Math.round(timers.nowMs() - (this.stoppingAtMs ?? timers.nowMs()));
    this.log.info({ event: "dolphin.stopped", durMs }, how);
    this.finish(code);
  }

  private release(): void {
    this.heart?.close();
    this.listeners.close();
    this.control?.close();
    this.pidFile?.close();
    this.options.signals.close();
  }

  private box(): Pick<BoxStatus, "version" | "pid" | "plan" | "workers" | "endpoints"> {
    const { plan } = this.config.dolphin;
    const workers = plan === "single" ? 1 : this.children().filter(({ spec }) => spec.isPublic).length;
    return { version: this.options.version, pid: process.pid, plan, workers, endpoints: this.endpoints };
  }

  private async status(): Promise<BoxStatus> {
    return {
      ...this.box(),
      serverId: this.serverId,
      upSeconds: Math.round((timers.nowMs() - this.startedAtMs) / 1000),
      controlSocket: this.control?.path ?? "",
      configFile: this.config.file,
      ...(await this.overview.look()),
      ...(this.planB === null ? {} : { balance: this.planB.status() }),
    };
  }

  private members(): Member[] {
    const duty = this.origin === null ? null : "origin";
    const master: Member = {
      name: "master",
      role: "master",
      duty,
      pid: process.pid,
      restarts: 0,
      lastDeath: null,
      state: this.stoppingAtMs === null ? "up" : "stopping",
      upAtMs: this.startedAtMs,
    };
    return [master, ...this.children().map(memberOf)];
  }

  private children(): ChildView[] {
    return this.supervisor?.children() ?? [];
  }
}

function isOwn({ backend }: ProcessSpec): boolean {
  return backend === undefined || backend.program === null;
}

function limitsOf({ dolphin }: Config): ChildLimits {
  return {
    startTimeoutMs: 10_000,
    heartbeatTimeoutMs: dolphin.heartbeatTimeoutMs,
    stopTimeoutMs: dolphin.stopTimeoutMs,
    hungStopTimeoutMs: 1000,
    killIntervalMs: 500,
    settledMs: 10_000,
    maxEarlyDeaths: 5,
    deathWindowMs: 60_000,
    firstDelayMs: 1000,
    maxDelayMs: 15_000,
  };
}
