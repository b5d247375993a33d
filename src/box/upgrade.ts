// The running master's side of an upgrade: starts the one that is to take its place, and when that serves leaves it everything.
// Until then nothing has changed here, and one that does not serve in time is ended: that is the way back.
//
//   spawn ─▶ it serves ─▶ its origin follows ours ─▶ viewers go ─▶ publishers go ─▶ pid file, socket, manager ─▶ we leave
//      └──────────┴─ refused, dead or late: ended, and all is as it was
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { closeSync } from "node:fs";
import { messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { version } from "../base/version.js";
import type { Config } from "../conf/meaning/config.js";
import { loadDescriptorLinks } from "../ipc/descriptor-link.js";
import { successionFormat, successionVariable, type FromSuccessor, type Succession, type ToSuccessor } from "../ipc/succession.js";
import type { UpgradeProgram } from "../master/control/control.js";
import type { Listeners } from "../master/sockets/listeners.js";
import type { Reloaded } from "../master/control/status.js";
import type { Claims } from "./claims.js";
import type { Crew } from "./crew.js";
import type { Ending } from "./ending.js";
import { bequeath } from "./estate.js";
import type { Service } from "./service.js";

/** A process that starts does it in less than a second; its children wait for each other. */
const readyWithinMs = 15_000;
/** How long this process goes on with what could not go over, such as connections that have no stream yet. */
const lingerMs = 5000;
/** What is left to do once it serves. */
const answerWithinMs = 10_000;

export interface UpgradeParts {
  readonly log: Log;
  /** Where this process was started, before it went to its work_dir. */
  readonly cwd: string;
  readonly plan: Config["dolphin"]["plan"];
  /** Whether it belongs to the program that started it (asprocess on). */
  readonly isBound: boolean;
  readonly claims: Claims;
  readonly listeners: Listeners;
  readonly crew: Crew;
  readonly service: Service;
  readonly ending: Ending;
}

/** Has a program, called with the command line of this process, take the place of this one. */
export async function upgrade(program: UpgradeProgram, parts: UpgradeParts): Promise<Reloaded> {
  const { log } = parts;
  const problem = hindrance(parts);
  if (problem !== null) return { outcome: "refused", changes: [], problems: [problem], notes: [] };
  const outcome = await handOver(program, parts);
  parts.ending.endHeir = null;
  if (outcome.problem !== null) {
    parts.listeners.listenAgain();
    log.error({ event: "upgrade.failed", code: "CHILD_START" }, `everything is as it was: ${outcome.problem}`);
    return { outcome: "refused", changes: [], problems: [outcome.problem], notes: [] };
  }
  const { pid, left, lost } = outcome;
  const reason = `process ${pid} has taken this one's place`;
  if (lost === null) log.info({ event: "upgrade.done", successor: pid, left }, reason);
  else
    log.error(
      { event: "upgrade.lost", code: "CHILD_EXITED", successor: pid },
      `process ${pid} has everything, but did not finish: ${lost}`,
    );
  parts.ending.stopLater(reason, lingerMs);
  const problems = [
    ...(left === 0 ? [] : [`${left} who publish or watch could not go over and end with the old process`]),
    ...(lost === null ? [] : [`process ${pid} has everything, but did not finish: ${lost}`]),
  ];
  return { outcome: "applied", changes: [], problems, notes: [] };
}

/** Why another process cannot take the place of this one; null: it can. */
function hindrance({ plan, isBound, crew }: UpgradeParts): string | null {
  if (process.pid === 1) return "this is process 1 of a container, which ends with it: start a container of the new version instead";
  if (isBound) return "asprocess on binds dolphin to the program that started it, which would not know the new process";
  if (plan === "b") return "the streams of plan b live in servers that end with their master: stop this one and start the new one";
  if (crew.estate === null)
    return "connections cannot be handed over: that takes carry_sessions on, origin_process master, Linux and koffi";
  return null;
}

/** `left`: viewers and publishers who could not go over; `lost`: why it is not known whether the other process serves, or null. */
type Outcome =
  | { readonly problem: string }
  | { readonly problem: null; readonly pid: number; readonly left: number; readonly lost: string | null };

async function handOver(program: UpgradeProgram, parts: UpgradeParts): Promise<Outcome> {
  const { log, crew, claims, service } = parts;
  const links = await loadDescriptorLinks();
  if (links === null) return { problem: "an upgrade takes Linux and the package koffi" };
  const { link, otherFd } = links.pair();
  let heir: Heir;
  try {
    heir = new Heir(start(program, parts, otherFd));
  } catch (thrown) {
    link.close();
    return { problem: `cannot start ${program.script}: ${messageOf(thrown)}` };
  } finally {
    closeSync(otherFd);
  }
  const { pid } = heir;
  parts.ending.endHeir = () => heir.end();
  log.info({ event: "upgrade.started", program: program.script, successor: pid }, `process ${pid} starts to take this one's place`);
  heir.say({ type: "sittings", sittings: crew.desk.shareSittings() });
  const problem = await heir.hear("ready", readyWithinMs);
  const { estate } = crew;
  const origin = (await estate?.origin.mirrored()) ?? null;
  if (problem !== null || estate === null || origin === null) {
    heir.end();
    link.close();
    crew.desk.keepSittings();
    return { problem: problem ?? "the origin has ended" };
  }
  // From here on there is no way back: what has gone is served there.
  heir.say({ type: "mirror", origin });
  await heir.hear("mirrored", answerWithinMs);
  const left = await bequeath(estate, link, () => heir.say({ type: "parcels" }), `process ${pid} takes this one's place`);
  claims.handOver();
  service.handOver(pid);
  heir.say({ type: "over", sittings: crew.desk.takeSittings() });
  const lost = await heir.hear("taken", answerWithinMs);
  heir.close();
  link.close();
  return { problem: null, pid, left, lost };
}

function start(program: UpgradeProgram, { cwd, claims, crew, service }: UpgradeParts, link: number): ChildProcess {
  const sockets = crew.handOn();
  const succession: Succession = {
    format: successionFormat,
    version,
    identity: claims.identity,
    sockets: sockets.map(({ protocol, wanted, endpoint, fd, isGiven }) => {
      return { protocol, wanted, endpoint, givenName: isGiven ? service.nameOf(fd) : null };
    }),
  };
  const stdio: StdioOptions = ["inherit", "inherit", "inherit", "ipc", link, ...sockets.map(({ fd }) => fd)];
  return spawn(program.execPath, [...process.execArgv, program.script, ...process.argv.slice(2)], {
    cwd,
    stdio,
    env: { ...process.env, ...service.environment, [successionVariable]: JSON.stringify(succession) },
  });
}

/** The process that is to take this one's place. */
class Heir {
  private readonly child: ChildProcess;
  private readonly heard = new Set<FromSuccessor["type"]>();
  /** Why nothing more is to be expected of it. */
  private doom: string | null = null;
  /** Looks whether what is waited for has come. */
  private look: () => void = () => undefined;

  constructor(child: ChildProcess) {
    this.child = child;
    child.on("message", (message: FromSuccessor) => {
      this.heard.add(message.type);
      if (message.type === "refused") this.doom ??= message.sentence;
      this.look();
    });
    child.on("error", (error) => this.gone(messageOf(error)));
    child.on("exit", (code, signal) => this.gone(signal === null ? `it ended with exit code ${code ?? 0}` : `it was ended by ${signal}`));
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  say(message: ToSuccessor): void {
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  /** Resolves to null when it has said so, or to the reason why it has not in time. */
  hear(type: FromSuccessor["type"], withinMs: number): Promise<string | null> {
    return new Promise((resolve) => {
      const done = (problem: string | null): void => {
        clearTimeout(timer);
        this.look = () => undefined;
        resolve(problem);
      };
      const timer = setTimeout(() => done(`it was not ${type} within ${withinMs / 1000} s`), withinMs);
      this.look = () => {
        if (this.heard.has(type)) done(null);
        else if (this.doom !== null) done(this.doom);
      };
      this.look();
    });
  }

  /** Lets it go on by itself. */
  close(): void {
    if (this.child.connected) this.child.disconnect();
    this.child.unref();
  }

  end(): void {
    this.child.kill("SIGKILL");
    this.close();
  }

  private gone(why: string): void {
    this.doom ??= why;
    this.look();
  }
}
