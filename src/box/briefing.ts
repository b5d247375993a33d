// What each process of ours is told to be: all of it when it starts, and a change of the configuration while it runs.
//
//   it starts ───────────► setupOf(spec)            a server its listeners and limits, a proxy its vhosts, a foreign program nothing
//   a change ────────────► tellAll(specs)           all who serve, and the origin in the master, or none
//   started meanwhile ───► catchUp(spec)            it was told the configuration before
import { dirname, join } from "node:path";
import { messageOf } from "../base/errors.js";
import type { Config } from "../conf/meaning/config.js";
import type { ProxySetup } from "../ipc/balance.js";
import { adminDoorOf } from "../ipc/admin-door.js";
import type { Identity } from "../ipc/identity.js";
import type { Listener } from "../ipc/listener.js";
import type { AdminSetup, PackagerSetup, Reconfiguration, ServerSetup } from "../ipc/messages.js";
import { isAide, type ProcessSpec } from "../master/processes/plan.js";
import type { Questions } from "../master/processes/questions.js";
import type { Supervisor } from "../master/processes/supervisor.js";
import type { Listeners } from "../master/sockets/listeners.js";
import type { Server } from "../server/server.js";
import { isStandAlone, ownAddress } from "./stand-alone.js";

/** Where there is no pid file its usual folder is meant. */
const defaultPidFile = "./objs/srs.pid";
/** How long a child may take to do what it was asked for while it serves. */
export const answerDeadlineMs = 5000;

export interface BriefingParts {
  readonly edgeKey: string;
  readonly listeners: Listeners;
  /** The vhosts that plan b's servers tell apart; null: those of the configuration. */
  readonly vhosts: readonly string[] | null;
  /** Whether publishers go on at the origin: one in the master, where connections are carried. */
  readonly publishersMove: boolean;
  /** The path of the box's control socket. */
  readonly controlSocket: string;
  readonly identity: Identity;
  readonly questions: Questions<string | null>;
}

/** Who is told what. */
export class Briefing {
  private readonly parts: BriefingParts;
  /** The configuration that each child was started with, or told since. */
  private readonly told = new Map<string, Config>();

  constructor(parts: BriefingParts) {
    this.parts = parts;
  }

  /** What a child is told when it starts; null for a program that is not ours. */
  setupOf(spec: ProcessSpec): ServerSetup | ProxySetup | AdminSetup | PackagerSetup | null {
    const { listeners, vhosts, controlSocket, edgeKey, identity } = this.parts;
    const { name, duty, backend, config, maxConnections, origins = [] } = spec;
    this.told.set(name, config);
    const adminDoor = adminDoorOf(controlSocket);
    if (duty === "packager") return { name, config, edgeKey, origins, stateFolder: stateFolderOf(config), identity };
    if (duty === "admin") return { name, config, listeners: listeners.give(name), controlSocket };
    if (duty === "proxy") return { name, config, listeners: listeners.give(name), maxConnections, vhosts, adminDoor };
    if (backend === undefined) return this.setupFor(spec, [...listeners.give(name), ...(isStandAlone(spec) ? [ownAddress] : [])]);
    if (backend.program !== null) return null;
    // Through the cluster module: the port of a server that is gone refuses, and the proxies take the next one.
    const { rtmp, http } = backend;
    const own: Listener[] = [{ protocol: "rtmp", endpoint: rtmp, fd: null }];
    if (http !== null) own.push({ protocol: "http", endpoint: http, fd: null });
    return this.setupFor(spec, own);
  }

  /** What a server is told that listens there. */
  setupFor({ name, duty, config, maxConnections }: ProcessSpec, listeners: readonly Listener[]): ServerSetup {
    const { edgeKey, publishersMove, identity, controlSocket } = this.parts;
    const adminDoor = adminDoorOf(controlSocket);
    return { name, isEdge: duty === "edge", config, listeners, edgeKey, maxConnections, publishersMove, identity, adminDoor };
  }

  /**
   * Tells the master's own origin, and the children that serve and are ours, what to be from now on; those that come later are told when they start. Resolves to
   * null, or to why one of them cannot; an aide has no say in it.
   */
  async tellAll(specs: readonly ProcessSpec[], supervisor: Supervisor, origin: Server | null): Promise<string | null> {
    const ofOrigin = specs.find(({ place }) => place === "master");
    try {
      if (ofOrigin !== undefined) origin?.reconfigure(ofOrigin);
    } catch (thrown) {
      return `the origin cannot take the change: ${messageOf(thrown)}`;
    }
    const changes = new Map<string, Reconfiguration>();
    for (const { spec, child } of supervisor.children()) {
      // One that is leaving goes by what its place is told.
      const wanted = specs.find(({ name }) => name === baseOf(spec.name));
      if (wanted !== undefined && isOwn(spec) && child.state === "up") changes.set(spec.name, whereItListens(spec, wanted));
    }
    const tell = (name: string, id: number): boolean => {
      const change = changes.get(name);
      return change !== undefined && supervisor.send(name, { type: "reconfigure", id, change });
    };
    const aides = new Set(supervisor.children().flatMap(({ spec }) => (isAide(spec) ? [spec.name] : [])));
    const names = [...changes.keys()];
    void this.parts.questions.ask(
      names.filter((name) => aides.has(name)),
      tell,
    );
    const { answers, silent } = await this.parts.questions.ask(
      names.filter((name) => !aides.has(name)),
      tell,
    );
    const unable = [...answers].find(([, problem]) => problem !== null);
    if (unable !== undefined) return `${unable[0]} cannot take the change: ${unable[1] ?? ""}`;
    return silent[0] === undefined ? null : `${silent[0]} did not answer within ${answerDeadlineMs / 1000} s`;
  }

  /** Resolves when every child has opened its log file anew, or has taken too long; to the names of those that have not. */
  async reopenLogs(supervisor: Supervisor): Promise<readonly string[]> {
    const names = supervisor.children().flatMap(({ spec }) => (isOwn(spec) ? [spec.name] : []));
    const { answers, silent } = await this.parts.questions.ask(names, (name, id) => supervisor.send(name, { type: "reopen-log", id }));
    return [...silent, ...[...answers].flatMap(([name, problem]) => (problem === null ? [] : [`${name} (${problem})`]))];
  }

  /** A child that was starting while the configuration changed was told the one before. */
  catchUp({ name, config, maxConnections, ...spec }: ProcessSpec, supervisor: Supervisor): void {
    if (!isOwn(spec) || this.told.get(name) === config) return;
    this.told.set(name, config);
    void this.parts.questions.ask([name], (_, id) =>
      supervisor.send(name, { type: "reconfigure", id, change: { config, maxConnections } }),
    );
  }

  /** A child is gone and not started again. */
  forget(name: string): void {
    this.told.delete(name);
  }
}

/** Whether it is a process of ours, and no foreign program. */
export function isOwn({ backend }: Pick<ProcessSpec, "backend">): boolean {
  return backend === undefined || backend.program === null;
}

/** What a running process is told: it cannot change the addresses that it listens on, and one that is leaving may have others. */
function whereItListens({ config: now, duty }: ProcessSpec, { config, maxConnections }: ProcessSpec): Reconfiguration {
  const { listen, http } = now;
  if (duty === "packager") return { config, maxConnections }; // it listens nowhere, and its programs go where the box is now
  const crossdomain = config.http?.crossdomain ?? http?.crossdomain ?? true;
  const api = { ...config.api, listen: now.api.listen, tls: now.api.tls };
  const exporter = { ...config.exporter, listen: now.exporter.listen };
  return {
    config: { ...config, listen, http: http === null ? null : { listen: http.listen, crossdomain }, api, exporter },
    maxConnections,
  };
}

/** Beside the pid file, as all that belongs to a box and outlives it. */
function stateFolderOf({ pidFile }: Config): string {
  return join(dirname(pidFile ?? defaultPidFile), "packager");
}

/** `edge-1` for `edge-1.3`: see rollout.ts. */
function baseOf(name: string): string {
  return name.split(".")[0] ?? name;
}
