// Plan b's part of the master: what stands behind the proxies is found out, gets its slots, and is kept in the pool. The
// supervisor, the listening sockets and the end of the box are the same for every plan and stay in master.ts.
import { readFileSync } from "node:fs";
import { rm, rmdir } from "node:fs/promises";
import { DolphinError, messageOf } from "../base/errors.js";
import type { Log } from "../base/log.js";
import { routingOf, type Config } from "../conf/meaning/config.js";
import { defaultConf } from "../conf/default-conf.js";
import { parse, type Directive } from "../conf/grammar/parser.js";
import type { ProxySetup } from "../ipc/balance.js";
import type { CarriedSession } from "../ipc/carried.js";
import type { FromChild, ToChild } from "../ipc/messages.js";
import type { Listener } from "../ipc/listener.js";
import { OrphanGuard } from "../master/backends/orphan-guard.js";
import { countServers, planB, vhostsOf } from "../master/backends/plan.js";
import type { ProcessSpec, Program } from "../master/processes/plan.js";
import { Pool } from "../master/backends/pool.js";
import { processSpawner } from "../master/backends/process-spawner.js";
import { programFor, type ProgramFacts } from "../master/backends/program.js";
import { chooseSlots, type ServerSlot } from "../master/backends/slots.js";
import { recognise, type Software } from "../master/backends/software.js";
import type { BalanceStatus, Explanation } from "../master/control/status.js";
import type { Change, Spawner } from "../master/processes/supervisor.js";
import type { Timers } from "../base/timers.js";
import { explainStream } from "./explain.js";

export interface PlanBOptions {
  readonly cores: number;
  readonly maxOpenFiles: number | null;
  /** The public ports. */
  readonly taken: readonly number[];
  /** The folder for what servers write. */
  readonly folder: string;
  readonly timers: Timers;
  readonly log: Log;
  send(name: string, message: ToChild): boolean;
  tell(name: string, message: FromChild): void;
  condemn(name: string, doom: string): void;
}

/** Plan b of one box. Close it when no process is left. */
export class PlanB {
  readonly specs: readonly ProcessSpec[];
  private config: Config;
  private readonly options: PlanBOptions;
  private readonly software: Software;
  private readonly vhosts: readonly string[] | null;
  private readonly pool: Pool;
  private readonly guard: OrphanGuard;

  /** The processes that a configuration asks for, in the slots of this box. */
  readonly plan: (config: Config) => ProcessSpec[];

  private constructor(
    config: Config,
    options: PlanBOptions,
    { software, vhosts, plan }: Pick<PlanB, "plan"> & { software: Software; vhosts: readonly string[] | null },
  ) {
    this.config = config;
    this.options = options;
    this.software = software;
    this.vhosts = vhosts;
    this.plan = plan;
    this.specs = plan(config);
    const { specs } = this;
    const { maxServerConnections } = config.dolphin.balance;
    this.pool = new Pool({ ...options, specs, maxServerConnections, epochMs: () => Date.now() });
    this.guard = new OrphanGuard({
      lost: (reason) => options.log.warn({ event: "guard.lost", code: "CHILD_EXITED", reason }, "nobody watches for orphaned servers now"),
    });
  }

  /** Throws CHILD_START for a server that cannot be run, CHILD_LISTEN for ports, CONF_FILE for its configuration. */
  static async prepare(config: Config, options: PlanBOptions): Promise<PlanB> {
    const { cores, maxOpenFiles, folder, taken } = options;
    const { server, serverPorts } = config.dolphin.balance;
    const software = await recognise(server);
    const facts = software.kind === "builtin" ? null : programFacts(config, software);
    const count = countServers(config, cores);
    const above = config.listen[0]?.port ?? 1935;
    const slots = await chooseSlots({ count, above, taken, wanted: serverPorts, folder });
    const programIn = (slot: ServerSlot): Program | null =>
      software.kind === "builtin" || facts === null ? null : programFor(software, slot, facts);
    return new PlanB(config, options, {
      software,
      vhosts: vhostsOf(software.kind, facts?.srsFile ?? []),
      plan: (now) => planB(now, { cores, maxOpenFiles, slots, programFor: programIn }),
    });
  }

  /** Another configuration is in force. An srs reads its file again, as it does by itself on this signal. */
  adopt(config: Config, signal: (server: string, signal: NodeJS.Signals) => void): void {
    this.config = config;
    this.pool.adopt(this.plan(config), config.dolphin.balance.maxServerConnections);
    if (this.software.kind !== "srs") return;
    for (const { name, backend } of this.specs) if (backend !== undefined) signal(name, "SIGHUP");
  }

  /** The spawner of foreign servers. */
  spawner(): Spawner {
    const { log } = this.options;
    return processSpawner({
      guard: this.guard,
      output: ({ name }, line) => log.info({ event: "server.output", child: name }, line),
      outputDropped: ({ name }, lines) => log.warn({ event: "server.flooded", child: name, lines }, `${lines} lines of ${name} left out`),
    });
  }

  proxySetup(spec: ProcessSpec, listeners: readonly Listener[]): ProxySetup {
    const { name, config, maxConnections } = spec;
    return { name, config, listeners, maxConnections, vhosts: this.vhosts };
  }

  changed(change: Change): void {
    this.pool.changed(change);
  }

  heard(spec: ProcessSpec, message: FromChild): void {
    this.pool.heard(spec, message);
  }

  /** As the vault's options of these names. */
  left(proxy: string, { token, kind, saved }: CarriedSession): void {
    if (kind === "pair" && saved.lease !== null) this.pool.connectionLeft(proxy, token, saved.lease.id);
  }

  settled({ token }: CarriedSession, proxy: string | null): void {
    this.pool.connectionSettled(token, proxy);
  }

  /** Gives a server no more connections, or again. Null, or why that cannot be. */
  drain(server: string, isDraining: boolean): string | null {
    const names = this.pool.backends().map(({ name }) => name);
    if (!this.pool.drain(server, isDraining)) return `there is no server ${server}, only ${names.join(", ")}`;
    const event = isDraining ? "server.drained" : "server.undrained";
    this.options.log.info({ event, child: server }, `${server} gets ${isDraining ? "no more connections" : "connections again"}`);
    return null;
  }

  explain(key: string): Explanation {
    const { policy } = this.config.dolphin.balance;
    const lease = this.pool.listLeases().find((one) => one.key === key) ?? null;
    return explainStream({ key, policy, routing: routingOf(this.config), lease, servers: this.pool.backends(), nowMs: Date.now() });
  }

  status(): BalanceStatus {
    const { policy } = this.config.dolphin.balance;
    const [servers, carried, leases] = [this.pool.backends(), this.pool.carried(), this.pool.listLeases()];
    return { policy, routing: routingOf(this.config), software: nameOf(this.software), servers, carried, leases };
  }

  /** Stops asking; the guard kills what should be gone by now, and the scratch folders go. */
  async close(): Promise<void> {
    this.pool.close();
    this.guard.close();
    for (const { backend } of this.specs) {
      const folder = backend?.program?.folder;
      if (folder !== undefined) await rm(folder, { recursive: true, force: true }).catch(() => undefined); // a file that root made
    }
    await rmdir(this.options.folder).catch(() => undefined); // there was none
  }
}

/** What a foreign server is started by. Throws CONF_FILE, or the problem of the file that an srs shall read. */
export function programFacts(config: Config, software: Software): ProgramFacts {
  const { serverConf } = config.dolphin.balance;
  const confPath = software.kind === "srs" ? (serverConf ?? config.file) : serverConf;
  const text = confPath === null ? null : readText(confPath);
  // Without any file an srs serves what a bare dolphin serves.
  const srsFile = software.kind === "srs" ? parseSrs(text ?? defaultConf, confPath ?? "dolphin.conf") : [];
  return {
    wantsHttp: config.http !== null,
    confPath,
    template: text,
    srsFile,
    isInit: process.pid === 1,
  };
}

function parseSrs(text: string, file: string): readonly Directive[] {
  const { directives, problems } = parse(text, file, readText);
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

function nameOf(software: Software): string {
  if (software.kind === "builtin") return software.kind;
  return software.kind === "srs" ? `srs ${software.version}` : software.argv.join(" ");
}
