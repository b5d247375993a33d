// The box as the service of a manager: the sockets that were given to it, and what the manager is told while it runs.
//
//   start ─► READY ─► a line of numbers each second ─► RELOADING ─► READY ─► … ─► STOPPING ─► each second: not done yet
import { DolphinError } from "../base/errors.js";
import type { Config } from "../conf/meaning/config.js";
import { noStats, type ServerStats } from "../ipc/messages.js";
import type { GivenListener } from "../master/sockets/listeners.js";
import type { NativeSockets } from "../master/sockets/native-socket.js";
import { openNotifySocket } from "../master/host/notify-socket.js";
import { withGivenSockets, type GivenSocket } from "../master/sockets/socket-activation.js";
import { takeSystemdEnvironment, type InheritedSocket } from "../master/host/systemd-environment.js";
import { Systemd } from "../master/host/systemd.js";
import { isAide } from "../master/processes/plan.js";
import type { ChildView } from "../master/processes/supervisor.js";
import type { Timers } from "../base/timers.js";

const tellEveryMs = 1000;
/** What is asked for each second of an end that takes long; a master that hangs in it stops asking. */
const extensionMs = 10_000;

export interface ServiceParts {
  readonly timers: Timers;
  readonly plan: Config["dolphin"]["plan"];
  /** Sockets that the manager gave to the process whose place this one takes. */
  readonly handed: readonly InheritedSocket[];
}

/** Whom the manager is told of. */
export interface Served {
  children(): readonly ChildView[];
  readonly overview: {
    /** What these processes carry together. */
    totals(names: readonly string[]): Totals;
  };
}

const nobody: Served = { children: () => [], overview: { totals: () => noStats } };

type Totals = Pick<ServerStats, "connections" | "players" | "publishers">;

/** What the manager told. */
interface Told {
  readonly given: readonly GivenSocket[];
  readonly environment: Readonly<Record<string, string>>;
  readonly systemd: Systemd;
}

/** The master's side of its service manager, if there is one; without, nothing here has an effect. Close it once. */
export class Service {
  /** The sockets that were given, for their addresses. */
  readonly listeners: readonly GivenListener[];
  /** What a process that takes the place of this one has to be told of its manager, as environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  private readonly sockets: readonly GivenSocket[];
  private readonly parts: ServiceParts;
  private readonly systemd: Systemd;
  private served = nobody;
  private stage: "starting" | "serving" | "ending" = "starting";
  private forgetTimer: () => void = () => undefined;

  private constructor({ given: sockets, environment, systemd }: Told, parts: ServiceParts) {
    this.sockets = sockets;
    this.environment = environment;
    this.listeners = sockets.flatMap(({ fd, endpoint }) => (endpoint === null ? [] : [{ fd, endpoint }]));
    this.parts = parts;
    this.systemd = systemd;
  }

  /** Takes what concerns it out of the environment, before any child could see it. Throws CHILD_LISTEN for sockets that nobody can use. */
  static async open(env: Record<string, string | undefined>, native: NativeSockets | null, parts: ServiceParts): Promise<Service> {
    const { notifySocket, watchdogMs, sockets: own } = takeSystemdEnvironment(env, process.pid);
    const sockets = [...own, ...parts.handed];
    if (native === null && sockets.length > 0) {
      const why = "the service manager gave sockets, which need koffi on Linux: install it, or disable the .socket unit";
      throw new DolphinError("CHILD_LISTEN", why);
    }
    const given = sockets.map(({ fd, name }) => ({ fd, name, endpoint: native?.address(fd) ?? null }));
    const socket = notifySocket === null ? null : await openNotifySocket(notifySocket);
    const environment = {
      ...(notifySocket === null ? {} : { NOTIFY_SOCKET: notifySocket }),
      ...(watchdogMs === null ? {} : { WATCHDOG_USEC: String(watchdogMs * 1000) }),
    };
    const isSound = (): boolean => isAnythingUp(service.served.children());
    const systemd = new Systemd({ socket, watchdogMs, timers: parts.timers, isSound });
    const service: Service = new Service({ given, environment, systemd }, parts);
    return service;
  }

  /** The configuration as it is with the sockets that were given. Throws CONF_VALUE for one that it has no use for. */
  fit(config: Config): Config {
    return withGivenSockets(config, this.sockets);
  }

  /** What the manager calls a socket that it gave; empty where it says nothing. */
  nameOf(fd: number): string {
    return this.sockets.find((one) => one.fd === fd)?.name ?? "";
  }

  /** Another process is the service from now on: this one has nothing more to tell. */
  handOver(pid: number): void {
    this.systemd.mainPid(pid);
    this.close();
  }

  /** Everything serves: these do. */
  ready(served: Served): void {
    this.served = served;
    this.stage = "serving";
    this.systemd.ready(this.status());
    this.each(() => this.systemd.status(this.status()));
  }

  /** Does something that changes the box, however it ends. */
  async reloading<T>(work: () => Promise<T>): Promise<T> {
    if (this.stage !== "serving") return work();
    this.systemd.reloading();
    try {
      return await work();
    } finally {
      // An end may have begun meanwhile.
      if (this.stage === "serving") this.systemd.ready(this.status());
    }
  }

  /** The end has begun; it may take until the last viewer has left. May be called twice. */
  ending(): void {
    if (this.stage === "ending") return;
    this.stage = "ending";
    const tell = (): void => {
      this.systemd.extendTimeout(extensionMs);
      this.systemd.status(this.status());
    };
    this.systemd.stopping(this.status());
    tell();
    this.each(tell);
  }

  close(): void {
    this.forgetTimer();
    this.systemd.close();
  }

  private status(): string {
    const { plan } = this.parts;
    const children = this.served.children();
    const workers = children.filter(({ spec, isLeaving }) => spec.isPublic && !isLeaving);
    // The master has publishers of its own; neither it nor an origin counts the box's own edges. What a server of plan b has, a
    // proxy has too.
    const names = ["master", ...children.flatMap(({ spec }) => (spec.isPublic ? [spec.name] : []))];
    const up = workers.filter(({ child }) => child.state === "up").length;
    return statusLine({ plan, isEnding: this.stage === "ending", up, workers: workers.length, totals: this.served.overview.totals(names) });
  }

  private each(tell: () => void): void {
    this.forgetTimer();
    this.forgetTimer = this.parts.timers.after(tellEveryMs, () => {
      tell();
      this.each(tell);
    });
  }
}

/** Whether something serves of each kind, of those who face the public and of those behind them; a silent child is not up for long. */
export function isAnythingUp(children: readonly ChildView[]): boolean {
  return [true, false].every((isPublic) => {
    const group = children.filter(({ spec }) => spec.isPublic === isPublic && !isAide(spec));
    return group.length === 0 || group.some(({ child }) => child.state === "up");
  });
}

interface ServiceNumbers {
  readonly plan: Config["dolphin"]["plan"];
  readonly isEnding: boolean;
  /** Those of the workers that serve. */
  readonly up: number;
  readonly workers: number;
  readonly totals: Totals;
}

/** `4/4 workers, 1,234 viewers, 17 publishers`: what `systemctl status` shows. Proxies know only connections. */
export function statusLine({ plan, isEnding, up, workers, totals }: ServiceNumbers): string {
  const count = (number: number, noun: string): string => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  const { connections, players, publishers } = totals;
  const carried = plan === "b" ? count(connections, "connection") : `${count(players, "viewer")}, ${count(publishers, "publisher")}`;
  return isEnding ? `stopping: ${carried} left` : `${up}/${count(workers, "worker")}, ${carried}`;
}
