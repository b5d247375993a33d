// The box as it is shown: to whoever waits for its start, to `dolphin status`, and in what the service manager displays.
import type { Config } from "../conf/meaning/config.js";
import { memberOf, type Member } from "../master/control/directory.js";
import { Overview } from "../master/control/overview.js";
import type { BoxStatus } from "../master/control/status.js";
import type { ReadyBox } from "../master/host/daemon.js";
import type { ChildView } from "../master/processes/supervisor.js";
import type { Timers } from "../base/timers.js";
import type { Claims } from "./claims.js";
import type { Crew } from "./crew.js";
import type { PlanB } from "./plan-b.js";

export interface PortraitParts {
  readonly version: string;
  readonly timers: Timers;
  readonly claims: Claims;
  /** As they are now. */
  readonly config: () => Config;
  readonly crew: () => Crew | null;
  readonly planB: () => PlanB | null;
  readonly isEnding: () => boolean;
}

/** What can be said of one box. */
export class Portrait {
  /** Heartbeats and reports go in here. */
  readonly overview: Overview;
  private readonly parts: PortraitParts;
  private readonly startedAtMs: number;

  constructor(parts: PortraitParts) {
    this.parts = parts;
    this.startedAtMs = parts.timers.nowMs();
    this.overview = new Overview({
      timers: parts.timers,
      members: () => this.members(),
      ask: (name, id) => parts.crew()?.send(name, { type: "report", id }) ?? false,
      ownStreams: () => parts.crew()?.originStreams() ?? [],
    });
  }

  children(): ChildView[] {
    return this.parts.crew()?.children() ?? [];
  }

  box(): ReadyBox {
    const { version, config, crew } = this.parts;
    const workers = this.children().filter(({ spec, isLeaving }) => spec.isPublic && !isLeaving).length;
    return { version, pid: process.pid, plan: config().dolphin.plan, workers, endpoints: crew()?.addresses() ?? [] };
  }

  async status(): Promise<BoxStatus> {
    const { timers, claims, config, crew, planB } = this.parts;
    const balance = planB()?.status();
    return {
      ...this.box(),
      serverId: claims.serverId,
      upSeconds: Math.round((timers.nowMs() - this.startedAtMs) / 1000),
      controlSocket: claims.controlSocket,
      configFile: config().file,
      carried: crew()?.carried() ?? null,
      ...(await this.overview.look()),
      ...(balance === undefined ? {} : { balance }),
    };
  }

  private members(): Member[] {
    const { crew, isEnding } = this.parts;
    const master: Member = {
      name: "master",
      role: "master",
      duty: crew()?.hasOrigin === true ? "origin" : null,
      pid: process.pid,
      restarts: 0,
      lastDeath: null,
      state: isEnding() ? "stopping" : "up",
      upAtMs: this.startedAtMs,
    };
    return [master, ...this.children().map(memberOf)];
  }
}
