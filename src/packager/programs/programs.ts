// The programs of one packager: those of each stream while it is published, and those that bring streams in, each of which one packager
// of the box has. A change of the configuration ends those that it is about, and starts them anew.
import { isDeepStrictEqual } from "node:util";
import type { Log } from "../../base/log.js";
import { OrphanGuard } from "../../base/programs/orphan-guard.js";
import type { WatchedStream } from "../../codec/rtmp/watch.js";
import type { Config, Vhost } from "../../conf/meaning/config.js";
import type { ProgramReport } from "../../ipc/lists.js";
import type { Claim } from "../origin/claims.js";
import type { StreamName } from "../media/names.js";
import { execCommands, ingestCommands, isMade, placeOf, transcodeCommands, type Command } from "./commands.js";
import { Job } from "./job.js";

export interface ProgramsOptions {
  readonly config: Config;
  readonly log: Log;
  /** As `Claims.take`. */
  readonly take: (key: string) => Promise<Claim | null>;
  /** Whether a stream is published, here or as another packager knows it. */
  readonly isLive: (name: StreamName) => boolean;
}

/** The jobs of a stream, or of an ingest. */
interface Group {
  readonly vhost: string;
  commands: readonly Command[];
  jobs: readonly Job[];
  /** Resolves when those before are gone. */
  ended: Promise<unknown>;
}

interface Ingest extends Group {
  /** Null: another packager has it, or none yet. */
  claim: Claim | null;
  isWanted: boolean;
}

/** All programs of one packager. `close` ends them. */
export class Programs {
  private readonly options: ProgramsOptions;
  private readonly guard: OrphanGuard;
  private readonly streams = new Map<string, Group>();
  private readonly ingests = new Map<string, Ingest>();
  private config: Config;
  private isClosed = false;

  constructor(options: ProgramsOptions) {
    this.options = options;
    this.config = options.config;
    const { log } = options;
    this.guard = new OrphanGuard({
      lost: (reason) =>
        log.warn({ event: "guard.lost", code: "PACK_PROGRAM", reason }, "a program may outlive this process if it is killed"),
    });
  }

  /** Has the ingests of the configuration run, each where a packager has it. */
  begin(): void {
    this.adopt(this.config);
  }

  adopt(config: Config): void {
    this.config = config;
    const wanted = new Map<string, readonly Command[]>();
    for (const vhost of config.vhosts.filter(({ enabled }) => enabled)) {
      for (const { name } of vhost.ingests) {
        const own = { ...vhost, ingests: vhost.ingests.filter((one) => one.name === name) };
        wanted.set(`${vhost.name} ${name}`, ingestCommands(own, placeOf(config)));
      }
    }
    for (const [key, ingest] of this.ingests) {
      const commands = wanted.get(key) ?? [];
      ingest.isWanted = commands.length > 0;
      if (isDeepStrictEqual(words(commands), words(ingest.commands))) continue;
      ingest.commands = commands;
      if (ingest.claim !== null) this.restart(ingest, nobody, "the configuration has changed");
      if (!ingest.isWanted && ingest.claim !== null) this.forget(key, ingest);
    }
    for (const [key, commands] of wanted) if (!this.ingests.has(key) && commands.length > 0) void this.claim(key, commands);
  }

  /** A stream is published, or its configuration has changed. */
  start(by: WatchedStream): void {
    const [vhostName, app, stream] = by;
    const name = { vhost: vhostName, app, stream };
    const key = keyOf(name);
    const vhost = this.config.vhosts.find((one) => one.name === vhostName && one.enabled);
    const commands = vhost === undefined || this.isClosed ? [] : this.commandsOf(vhost, by);
    const known = this.streams.get(key);
    if (known === undefined && commands.length === 0) return;
    const group = known ?? { vhost: vhostName, commands: [], jobs: [], ended: Promise.resolve() };
    if (isDeepStrictEqual(words(commands), words(group.commands))) return;
    group.commands = commands;
    this.streams.set(key, group);
    this.restart(group, name, "the configuration has changed");
  }

  /** It is not published any more. Resolves when its programs are gone. */
  async end(name: StreamName, reason: string): Promise<void> {
    const key = keyOf(name);
    const group = this.streams.get(key);
    if (group === undefined) return;
    this.streams.delete(key);
    group.commands = [];
    this.restart(group, name, reason);
    await group.ended;
  }

  /** Whether programs run for a stream. */
  has(name: StreamName): boolean {
    return this.streams.has(keyOf(name));
  }

  reports(): ProgramReport[] {
    return [...this.ingests.values(), ...this.streams.values()].flatMap(({ jobs }) => jobs.map((job) => job.report()));
  }

  /** Resolves when all are gone. */
  async close(reason: string): Promise<void> {
    this.isClosed = true;
    const groups = [...this.streams.values(), ...this.ingests.values()];
    for (const group of groups) this.restart(Object.assign(group, { commands: [] }), nobody, reason);
    await Promise.all(groups.map(({ ended }) => ended));
    for (const { claim } of this.ingests.values()) claim?.release();
    this.guard.close();
  }

  /** Nothing runs for what is pulled: a program that reads its stream would be a viewer for whom it is pulled for ever. */
  private commandsOf(vhost: Vhost, by: WatchedStream): readonly Command[] {
    if (vhost.cluster.isOnDemand) return [];
    const [, app, stream] = by;
    const name = { vhost: vhost.name, app, stream };
    const place = placeOf(this.config);
    const execs = execCommands(vhost, by, place);
    if (execs.length < vhost.exec.length)
      this.options.log.warn({ event: "program.refused", code: "PACK_NAME", ...name }, "the name would be an option of a program");
    const transcodes = transcodeCommands(vhost, by, place);
    if (transcodes.length === 0 || !isMade(this.config.vhosts, name, place, this.options.isLive)) return [...transcodes, ...execs];
    const why = "an engine makes it of another stream, so nothing is made of it: it would go round for ever";
    this.options.log.info({ event: "program.refused", code: "PACK_LOOP", ...name }, why);
    return execs;
  }

  private async claim(key: string, commands: readonly Command[]): Promise<void> {
    const [vhost = ""] = key.split(" ");
    const ingest: Ingest = { vhost, commands, jobs: [], ended: Promise.resolve(), claim: null, isWanted: true };
    this.ingests.set(key, ingest);
    ingest.claim = await this.options.take(`ingest ${key}`);
    if (ingest.claim === null) return; // the waiting was ended
    if (!ingest.isWanted || this.isClosed) this.forget(key, ingest);
    else this.restart(ingest, nobody, "");
  }

  private forget(key: string, ingest: Ingest): void {
    this.ingests.delete(key);
    void ingest.ended.then(() => ingest.claim?.release());
  }

  /** Ends the jobs of a group, and has those of its commands run when they are gone. */
  private restart(group: Group, { app, stream }: Pick<StreamName, "app" | "stream">, reason: string): void {
    const before = group.jobs;
    group.jobs = [];
    const { commands } = group;
    group.ended = group.ended
      .then(() => Promise.all(before.map((job) => job.close(reason))))
      .then(() => {
        if (group.commands !== commands) return; // they have changed again
        const of = { vhost: group.vhost, app, stream };
        const { guard } = this;
        group.jobs = commands.map((command) => new Job({ command, of, guard, log: this.options.log }));
      });
  }
}

const nobody = { app: "", stream: "" };

function words(commands: readonly Command[]): unknown {
  return commands.map(({ argv, stdout, stderr }) => [argv, stdout, stderr]);
}

function keyOf({ vhost, app, stream }: StreamName): string {
  return `${vhost}/${app}/${stream}`;
}
