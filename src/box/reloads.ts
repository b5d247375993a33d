// A change of configuration while the box runs: read, check, compare, and carry what differs to the processes, all of it or
// nothing. One at a time: what is asked for meanwhile waits for its turn.
//
//   read ─ error, or emptied ──▶ refused: everything as it was, and why
//     │ compare with what is in force
//     ├─ no difference ────────▶ unchanged
//     ├─ all of it live ───────▶ running processes take it            ─ one cannot ─▶ refused: told the old one again
//     └─ some of it replace ───▶ new processes, then the old ones go  ─ one cannot ─▶ refused: the new ones go
//
// What only a restart of dolphin brings into force is told and left as it was. A restart of the processes alone, one by one, takes
// its turn among the reloads.
import type { Log } from "../base/log.js";
import { messageOf } from "../base/errors.js";
import { changesBetween, type ConfChange } from "../conf/meaning/changes.js";
import type { Config } from "../conf/meaning/config.js";
import { applyFlags, flaggedPaths, type Flags } from "../conf/flags.js";
import { loadInForce, type Loaded } from "../conf/load.js";
import { formatProblem } from "../conf/grammar/problem.js";
import { findEmptied } from "../conf/meaning/emptied.js";
import { ConfWatch } from "../master/host/conf-watch.js";
import { countCores } from "../master/host/cores.js";
import { checkOpenFiles, readMaxOpenFiles } from "../master/processes/open-files.js";
import { checkPlan } from "../master/backends/plan.js";
import type { Crew } from "./crew.js";
import type { Whose } from "./rollouts.js";
import type { Ending } from "./ending.js";
import type { Service } from "./service.js";
import type { EventBook } from "../master/control/event-book.js";
import type { Reloaded } from "../master/control/status.js";
import { duration } from "../master/control/text.js";

/** Where the configuration of a box comes from. */
export interface ConfOrigin {
  /** What the box was started with, before flags. */
  readonly loaded: Loaded;
  /** They win over the file, at the start and at every reload. */
  readonly flags: Flags;
  /** The file again, once it is whole; the same each time where there is none. */
  read(): Promise<Loaded> | Loaded;
}

const maxWorkers = 1024;

export interface ReloadParts {
  readonly log: Log;
  readonly ending: Pick<Ending, "hasBegun">;
  /** Knows the sockets that were given, and is told of what changes the box. */
  readonly service: Pick<Service, "fit" | "reloading">;
  readonly crew: Pick<Crew, "reconfigure" | "replace" | "restart" | "scale" | "children">;
  readonly events: Pick<EventBook, "take">;
}

/** The reloads and restarts of one box. Close it once. */
export class Reloads {
  private readonly origin: ConfOrigin;
  private readonly parts: ReloadParts;
  /** What wins over the file: of the command line, or said since. */
  private flags: Flags;
  /** It takes a restart of dolphin to change it. */
  private readonly plan: Config["dolphin"]["plan"];
  private running: Loaded;
  private turn: Promise<unknown> = Promise.resolve();
  /** The last reload that changed something; in milliseconds of the process's clock. */
  private last: { readonly reason: string; readonly atMs: number } | null = null;
  private watch: ConfWatch | null = null;
  private adopt: (config: Config) => void = () => undefined;

  constructor(origin: ConfOrigin, config: Config, parts: ReloadParts) {
    this.origin = origin;
    this.parts = parts;
    this.plan = config.dolphin.plan;
    this.running = origin.loaded;
    this.flags = origin.flags;
    this.watchFile(config);
  }

  /** Has somebody told of each configuration that comes into force. */
  follow(adopt: (config: Config) => void): void {
    this.adopt = adopt;
  }

  close(): void {
    this.watch?.close();
  }

  /** Does what the file says now. Resolves when that is done, or to the reasons why nothing was. */
  reload(reason: string): Promise<Reloaded> {
    return this.exclusively("reload", reason, () => this.carryOut(reason));
  }

  /**
   * Replaces the processes that serve the public addresses one by one, or one of them, under the same configuration. Resolves when
   * that is done.
   */
  restart(reason: string, only: string | null = null): Promise<Reloaded> {
    return this.exclusively("restart", reason, async () => {
      const { log } = this.parts;
      const meant = this.parts.crew.children().find(({ spec, isLeaving }) => spec.name === only && !isLeaving);
      if (only !== null && meant === undefined) return refused([`there is no process ${only} that could be replaced`]);
      if (meant?.spec.backend !== undefined)
        return refused([`${only} is not replaced while streams live in it: dolphin drain ${only}, and end its process when it is empty`]);
      const which = only ?? "the processes that serve the public addresses, one by one";
      log.info({ event: "dolphin.restarting", reason }, `replacing ${which}`);
      const problem = await this.parts.crew.restart(reason, only);
      if (problem !== null) {
        const line = { event: "restart.failed", code: "CHILD_START", reason };
        log[this.parts.ending.hasBegun ? "info" : "error"](line, `the restart went no further: ${problem}`);
        return refused([problem]);
      }
      log.info({ event: "dolphin.restarted", reason }, `${only ?? "every process that serves the public addresses"} was replaced`);
      const ofPlanB = "the proxies were replaced; the servers behind them run on, for the streams live there";
      return { outcome: "applied", changes: [], problems: [], notes: this.plan === "b" ? [ofPlanB] : [] };
    });
  }

  /** Has so many processes serve the public addresses, whatever the file says, until the next start. Resolves when that is done. */
  scale(workers: number): Promise<Reloaded> {
    const reason = `scale to ${workers}`;
    return this.exclusively("scale", reason, async () => {
      const { crew, log, service } = this.parts;
      if (!Number.isInteger(workers) || workers < 1 || workers > maxWorkers) return refused([`write a number from 1 to ${maxWorkers}`]);
      if (this.plan === "single") return refused(["plan single is one process: start the box with plan a to have several"]);
      const flags = { ...this.flags, cores: workers };
      const { config: inForce } = this.running;
      if (inForce === null) return refused(["there is no configuration"]);
      const config = service.fit(applyFlags(inForce, flags));
      checkOpenFiles(config, { cores: countCores(), maxOpenFiles: readMaxOpenFiles() });
      const problem = await crew.scale(config, reason);
      if (problem !== null) return refused([problem]);
      this.flags = flags;
      this.adopt(config);
      log.info({ event: "dolphin.scaled", workers }, `${workers} processes serve the public addresses`);
      return {
        outcome: "applied",
        changes: [],
        problems: [],
        notes: ["until the next start or upgrade: what the file says of cores stands there still"],
      };
    });
  }

  /** Runs something that no reload may cross, and tells operators what came of it. */
  private exclusively(what: string, reason: string, work: () => Promise<Reloaded>): Promise<Reloaded> {
    const { ending, service } = this.parts;
    const carryOut = async (): Promise<Reloaded> => {
      const reloaded = await service.reloading(work).catch((thrown: unknown) => refused([messageOf(thrown)]));
      this.announce(what, reason, reloaded);
      return reloaded;
    };
    const done = this.turn.then(() => (ending.hasBegun ? refused(["dolphin is stopping"]) : carryOut()));
    this.turn = done.catch(() => undefined); // whoever asked hears of it
    return done;
  }

  private announce(what: string, reason: string, { outcome, changes, problems }: Reloaded): void {
    const told = [...changes.map(({ path }) => path), ...(outcome === "refused" ? problems : [])].join(", ");
    const level = outcome === "refused" ? "error" : "info";
    this.parts.events.take({ event: `${what}.${outcome}`, level, reason, msg: `${what} ${outcome}${told === "" ? "" : `: ${told}`}` });
  }

  /** The same for an upgrade, whose new process reads the file anew: not where that would empty the box. */
  whileWhole(work: () => Promise<Reloaded>): Promise<Reloaded> {
    return this.exclusively("upgrade", "dolphin upgrade", async () => {
      const emptied = this.emptiedBy(await this.origin.read());
      return emptied.length > 0 ? refused(emptied) : work();
    });
  }

  /** What a file that has no error would leave nothing of. */
  private emptiedBy(wanted: Loaded): string[] {
    if (wanted.config === null) return [];
    return findEmptied(this.running.directives, wanted, wanted.config.file ?? "-e").map(formatProblem);
  }

  private async carryOut(reason: string): Promise<Reloaded> {
    const { log } = this.parts;
    const wanted = await this.origin.read();
    const problems = wanted.problems.map(formatProblem);
    const fail = (sentences: readonly string[], changes: readonly ConfChange[] = []): Reloaded => {
      log.error({ event: "reload.refused", code: "CONF_RELOAD", reason, problems: sentences }, "nothing was changed: see the problems");
      return refused(sentences, changes);
    };
    if (wanted.config === null) return fail(problems);
    const emptied = this.emptiedBy(wanted);
    if (emptied.length > 0) return fail([...problems, ...emptied]);
    const changes = changesBetween(this.running.directives, wanted.directives, flaggedPaths(this.flags));
    if (changes.length === 0) {
      log.info({ event: "reload.unchanged", reason }, "the configuration says what is in force already");
      return { outcome: "unchanged", changes, problems, notes: this.last === null ? [] : [sinceWhen(this.last)] };
    }
    const inForce = loadInForce(this.running, wanted);
    const config = applyFlags(inForce.config ?? wanted.config, this.flags);
    const problem = await this.apply(config, changes, reason);
    if (problem !== null) return fail([...problems, problem], changes);
    this.running = inForce;
    this.watchFile(config);
    const waiting = changes.filter((change) => change.reload === "restart").map(({ path }) => path);
    const done = changes.filter((change) => change.reload !== "restart").map(({ path }) => path);
    if (done.length > 0) {
      this.last = { reason, atMs: performance.now() };
      log.info({ event: "reload.applied", reason, changes: done }, "the changes are in force");
    }
    if (waiting.length > 0) {
      log.warn(
        { event: "reload.waiting", code: "CONF_RELOAD", changes: waiting },
        `only a restart brings ${waiting.join(", ")} into force`,
      );
    }
    return { outcome: "applied", changes, problems, notes: this.plan === "b" ? serversStay(config, done) : [] };
  }

  private async apply(wanted: Config, changes: readonly ConfChange[], reason: string): Promise<string | null> {
    const { crew, service } = this.parts;
    try {
      const config = service.fit(wanted);
      checkPlan(config);
      checkOpenFiles(config, { cores: countCores(), maxOpenFiles: readMaxOpenFiles() });
      const takesNew = changes.some((change) => change.reload === "replace");
      const takesAny = takesNew || changes.some((change) => change.reload === "live");
      const problem = takesNew ? await crew.replace(config, reason, whoseAre(changes)) : takesAny ? await crew.reconfigure(config) : null;
      if (problem === null) this.adopt(config);
      return problem;
    } catch (thrown) {
      return messageOf(thrown);
    }
  }

  private watchFile({ file, isWatched: isAsked, container }: Config): void {
    const isWatched = isAsked || (container.isWatched && (container.isGiven || this.running.isContainer));
    if (isWatched === (this.watch !== null) || file === null) return;
    this.watch?.close();
    this.watch = null;
    if (!isWatched) return;
    try {
      this.watch = new ConfWatch(file, () => void this.reload("the file has changed"));
    } catch (thrown) {
      this.parts.log.warn(
        { event: "reload.unwatched", code: "CONF_FILE", err: messageOf(thrown) },
        `changes of ${file} are not noticed: HUP reloads`,
      );
    }
  }
}

function refused(problems: readonly string[], changes: readonly ConfChange[] = []): Reloaded {
  return { outcome: "refused", changes, problems, notes: [] };
}

/** For whoever asks for a reload just after another did, as an operator does who has a file watched. */
function sinceWhen({ reason, atMs }: { readonly reason: string; readonly atMs: number }): string {
  return `the last change came into force ${duration(Math.round((performance.now() - atMs) / 1000))} ago (${reason})`;
}

/** Who listens on what changed. */
function whoseAre(changes: readonly ConfChange[]): ReadonlySet<Whose> {
  const replacing = changes.filter(({ reload }) => reload === "replace");
  return new Set(replacing.map(({ path }) => (/^(http_api|exporter)\b/.test(path) ? "admin" : "public")));
}

/** What a change of `cores` does not reach on plan b. */
function serversStay({ dolphin }: Config, changed: readonly string[]): string[] {
  if (dolphin.balance.servers !== "auto" || !changed.includes("dolphin.cores")) return [];
  return ["the number of proxies has changed, but that of the servers, where the streams are, takes a restart of dolphin"];
}
