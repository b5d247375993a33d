// Plan b before it runs: what stands behind the proxies is found out and gets its slots, and from then on a configuration names
// its processes. What happens to them while they run is in balance.ts.
//
//   server directive ─► software ─┐
//   cores, listen ────► slots ────┴─► plan(config) ─► proxies, servers     spawner ─► foreign servers, watched by the guard
import { readFileSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { resolve } from "node:path";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { Log } from "../../base/log.js";
import type { Config } from "../../conf/meaning/config.js";
import { defaultConf } from "../../conf/default-conf.js";
import { applyEnvironment } from "../../conf/directives/environment.js";
import { parse, type Directive } from "../../conf/grammar/parser.js";
import { rewrite } from "../../conf/grammar/rewrites.js";
import type { Loaded } from "../../conf/load.js";
import { OrphanGuard } from "../../base/programs/orphan-guard.js";
import { countServers, planB, vhostsOf } from "../../master/backends/plan.js";
import type { ProcessSpec, Program } from "../../master/processes/plan.js";
import { processSpawner } from "../../master/backends/process-spawner.js";
import { programFor, readsEnvironment, type ProgramFacts } from "../../master/backends/program.js";
import { chooseSlots, type ServerSlot } from "../../master/backends/slots.js";
import { apiIn, portsIn, portsOf } from "../../master/backends/srs-file.js";
import { recognise, type Software } from "../../master/backends/software.js";
import type { Spawner } from "../../master/processes/supervisor.js";

export interface PlanBFacts {
  readonly cores: number;
  readonly maxOpenFiles: number | null;
  /** The public ports. */
  readonly taken: readonly number[];
  /** Where dolphin was started, and what its own configuration said then. */
  readonly cwd: string;
  readonly source: { readonly loaded: Pick<Loaded, "directives"> };
  /** The folder for what servers write. */
  readonly folder: string;
  readonly log: Log;
}

/** The proxies and servers that a box can have. Close it when no process is left. */
export class PlanB {
  /** What stands behind the proxies. */
  readonly software: Software;
  /** The vhosts that its servers tell apart; null: those of the configuration. */
  readonly vhosts: readonly string[] | null;
  private readonly facts: PlanBFacts;
  private readonly slots: readonly ServerSlot[];
  private readonly guard: OrphanGuard;

  private constructor(facts: PlanBFacts, software: Software, slots: readonly ServerSlot[], program: ProgramFacts | null) {
    this.facts = facts;
    this.software = software;
    this.slots = slots;
    this.vhosts = vhostsOf(software.kind, program?.srsFile ?? []);
    this.guard = new OrphanGuard({
      lost: (reason) => facts.log.warn({ event: "guard.lost", code: "CHILD_EXITED", reason }, "nobody watches for orphaned servers now"),
    });
  }

  /** Throws CHILD_START for a server that cannot be run, CHILD_LISTEN for ports, CONF_FILE for its configuration. */
  static async prepare(config: Config, facts: PlanBFacts): Promise<PlanB> {
    const { cores, folder, cwd, source } = facts;
    const { server, serverPorts } = config.dolphin.balance;
    const software = await recognise(server);
    const program = software.kind === "builtin" ? null : programFacts(config, software, cwd);
    const above = config.listen[0]?.port ?? 1935;
    const named = [...portsOf(source.loaded.directives), ...portsOf(program?.srsFile ?? []), ...portsIn(program?.template ?? "")];
    const taken = [...facts.taken, ...named];
    const slots = await chooseSlots({ count: countServers(config, cores), above, taken, wanted: serverPorts, folder });
    return new PlanB(facts, software, slots, program);
  }

  /** The processes that a configuration asks for, in the slots of this box. Reads the servers' file; throws as `programFacts`. */
  plan(config: Config): ProcessSpec[] {
    const { software } = this;
    const { cores, maxOpenFiles, cwd } = this.facts;
    const found = software.kind === "builtin" ? null : { software, facts: programFacts(config, software, cwd) };
    const programIn = (slot: ServerSlot): Program | null => (found === null ? null : programFor(found.software, slot, found.facts));
    return planB(config, { cores, maxOpenFiles, slots: this.slots, programFor: programIn });
  }

  /** The spawner of foreign servers. */
  spawner(): Spawner {
    const { log } = this.facts;
    return processSpawner({
      guard: this.guard,
      output: ({ name }, line) => log.info({ event: "server.output", child: name }, line),
      outputDropped: ({ name }, lines) => log.warn({ event: "server.flooded", child: name, lines }, `${lines} lines of ${name} left out`),
    });
  }

  /** The guard kills what should be gone by now, and the scratch folders go. */
  async close(): Promise<void> {
    this.guard.close();
    for (const { folder } of this.slots) await rm(folder, { recursive: true, force: true }).catch(() => undefined); // a file that root made
    await rmdir(this.facts.folder).catch(() => undefined); // there was none
  }
}

/**
 * What a foreign server is started by. An srs is started where dolphin was, in `cwd`: what its file includes and its `work_dir` begin
 * there, as they do without us. Throws CONF_FILE, or the problem of the file that an srs shall read.
 */
export function programFacts(config: Config, software: Software, cwd: string): ProgramFacts {
  const { serverConf } = config.dolphin.balance;
  const named = software.kind === "srs" ? (serverConf ?? config.file) : serverConf;
  // Named from where we are now, the work_dir.
  const confPath = named === null || process.cwd() === cwd ? named : resolve(named);
  const text = confPath === null ? null : readText(confPath);
  // Without any file an srs serves what a bare dolphin serves.
  const srsFile = software.kind === "srs" ? parseSrs(text ?? defaultConf, confPath ?? "dolphin.conf", cwd) : [];
  const isOverruled = software.kind === "srs" && readsEnvironment(software.major);
  const inForce = isOverruled ? applyEnvironment(rewrite(srsFile).directives, process.env).directives : srsFile;
  return {
    wantsHttp: config.http !== null,
    confPath,
    template: text,
    srsFile,
    api: apiIn(inForce, config.http?.listen ?? []),
    cwd,
    isInit: process.pid === 1,
  };
}

function parseSrs(text: string, file: string, cwd: string): readonly Directive[] {
  const { directives, problems } = parse(text, file, (path) => readText(resolve(cwd, path)));
  const [problem] = problems;
  if (problem !== undefined) throw new DolphinError(problem.code, `${problem.file}:${problem.line}: ${problem.message}`);
  return directives;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw new DolphinError("CONF_FILE", `cannot read the server's configuration ${path}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
