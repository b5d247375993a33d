// The box as it is shown: to whoever waits for its start, and to `dolphin status`.
import { resolve } from "node:path";
import type { Timers } from "../base/timers.js";
import type { Config } from "../conf/meaning/config.js";
import type { BoxFacts } from "../ipc/box.js";
import { loadOf, type Load } from "../master/control/box-load.js";
import type { NodeState } from "../registry/registry.js";
import type { Member } from "../master/control/directory.js";
import type { BoxStatus } from "../master/control/status.js";
import type { ReadyBox } from "../master/host/daemon.js";
import type { Claims } from "./claims.js";
import type { Crew } from "./crew.js";
import type { Ending } from "./ending.js";

export interface PortraitParts {
  readonly version: string;
  readonly plan: Config["dolphin"]["plan"];
  readonly configFile: string | null;
  readonly logFile: string | null;
  /** Whether connections shall be carried; perhaps they cannot be. */
  readonly carries: boolean;
  readonly timers: Timers;
  readonly claims: Claims;
  readonly crew: Crew;
  readonly ending: Ending;
  readonly cores: number;
  readonly maxConnections: number | null;
}

/** What can be said of one box. */
export class Portrait {
  private readonly parts: PortraitParts;
  private readonly startedAtMs: number;
  private load: Load | null = null;

  constructor(parts: PortraitParts) {
    this.parts = parts;
    this.startedAtMs = parts.timers.nowMs();
  }

  box(): ReadyBox {
    const { version, plan, crew } = this.parts;
    const workers = crew.children().filter(({ spec, isLeaving }) => spec.isPublic && !isLeaving).length;
    return { version, pid: process.pid, plan, workers, endpoints: crew.addresses() };
  }

  /** What other boxes of the site are told. */
  node(): Omit<NodeState, "isEdge"> {
    const { timers, crew, ending, cores, maxConnections } = this.parts;
    const { processes, counts } = crew.overview.facts(this.master());
    this.load = loadOf({ processes, counts, nowMs: timers.nowMs(), cores, maxConnections }, this.load);
    const { load, clients } = this.load;
    return { state: ending.hasBegun ? "draining" : "ready", load, clients };
  }

  /** All that takes no look at the processes. */
  facts(): BoxFacts {
    const { version, plan, timers, claims, crew } = this.parts;
    const servers = crew.balance?.foreign() ?? null;
    const coworkers = crew.site.coworkersNow();
    const { originAddress } = crew;
    return {
      version,
      pid: process.pid,
      ppid: process.ppid,
      argv: process.argv.slice(1).join(" "),
      script: process.argv[1] ?? "",
      cwd: process.cwd(),
      plan,
      ...claims.identity,
      upSeconds: Math.round((timers.nowMs() - this.startedAtMs) / 1000),
      carried: crew.carried() === null ? null : { ...crew.carried() },
      ...crew.overview.facts(this.master()),
      ...(originAddress === null ? {} : { origin: originAddress }),
      ...(servers === null ? {} : { servers }),
      ...(crew.balance === null ? {} : { backends: crew.balance.status().servers }),
      ...(coworkers.length === 0 ? {} : { coworkers }),
      ...(crew.registry === null ? {} : { registry: crew.registry.report() }),
    };
  }

  async status(): Promise<BoxStatus> {
    const { timers, claims, configFile, logFile, carries, crew } = this.parts;
    const carried = crew.carried();
    const balance = crew.balance?.status();
    return {
      ...this.box(),
      serverId: claims.identity.serverId,
      upSeconds: Math.round((timers.nowMs() - this.startedAtMs) / 1000),
      controlSocket: claims.controlSocket,
      configFile,
      logFile: logFile === null ? null : resolve(logFile),
      carried,
      uncarried: carried !== null ? null : carries ? "to carry them takes Linux and the package koffi" : "carry_sessions is off",
      programs: await crew.roster.programs(),
      ...(await crew.overview.look(this.master())),
      ...(balance === undefined ? {} : { balance }),
      ...(crew.registry === null ? {} : { registry: crew.registry.report() }),
    };
  }

  private master(): Member {
    const { crew, ending } = this.parts;
    return {
      name: "master",
      role: "master",
      duty: crew.hasOrigin ? "origin" : null,
      pid: process.pid,
      restarts: 0,
      lastDeath: null,
      state: ending.hasBegun ? "stopping" : "up",
      upAtMs: this.startedAtMs,
    };
  }
}
