// Everything that is known of the box's processes, kept up to date and looked at: heartbeats and reports go in, and when somebody
// asks, the children are asked for their streams and the system for their CPU and memory.
import type { BoxFacts } from "../../ipc/box.js";
import type { FromChild, ServerStats, StreamReport } from "../../ipc/messages.js";
import { Directory, measureUsage, type Member } from "./directory.js";
import { isGone } from "../processes/child.js";
import { Questions } from "../processes/questions.js";
import type { Change } from "../processes/supervisor.js";
import { Sums } from "./sums.js";
import type { BoxStatus } from "./status.js";
import type { Timers } from "../../base/timers.js";

const reportDeadlineMs = 1000;
/** CPU is measured over so long. */
const usageOverMs = 400;

export interface OverviewOptions {
  readonly timers: Timers;
  children(): readonly Member[];
  /** Asks a child for its streams; false when there is nobody to ask. */
  ask(name: string, id: number): boolean;
  /** The streams of the master's own origin. */
  ownStreams(): readonly StreamReport[];
}

/** The view of the whole box. */
export class Overview {
  private readonly options: OverviewOptions;
  private readonly directory = new Directory();
  private readonly sums = new Sums();
  private readonly questions: Questions<readonly StreamReport[]>;
  /** One question is on its way for however many look at once. */
  private round: Promise<void> | null = null;

  constructor(options: OverviewOptions) {
    this.options = options;
    this.questions = new Questions(options.timers, reportDeadlineMs);
  }

  /** The streams that a child knows now; none when it does not answer. */
  async streamsOf(name: string): Promise<readonly StreamReport[]> {
    const { answers } = await this.questions.ask([name], (child, id) => this.options.ask(child, id));
    return answers.get(name) ?? [];
  }

  /** Takes what a child said; only heartbeats and reports tell anything here. */
  heard(name: string, message: FromChild): void {
    // What was under way when its process ended would bring it back, with all that it has counted once more.
    const isHere = this.options.children().some((member) => member.name === name && !isGone(member));
    if (message.type === "heartbeat" && isHere) this.beat(name, message.stats);
    if (message.type === "reported") this.questions.answer(name, message.id, message.streams);
  }

  /** Takes the numbers of a process. */
  beat(name: string, stats: ServerStats): void {
    const nowMs = this.options.timers.nowMs();
    this.directory.heard(name, stats, nowMs);
    this.sums.heard(name, stats, nowMs);
  }

  /** A process is gone, and what it served with it. */
  gone(name: string): void {
    this.directory.gone(name);
    this.sums.gone(name);
    this.questions.gone(name);
  }

  /** A child's state has changed: that it serves, and what it died of, is counted. */
  changed({ spec: { name }, child, ending }: Pick<Change, "spec" | "child" | "ending">): void {
    if (child.state === "up" && child.upAtMs !== null) this.sums.up(name, child.upAtMs);
    if (ending !== null && child.state !== "down") this.sums.died(name, child.deaths.at(-1)?.cause ?? ending);
    if (child.state === "down") this.sums.forget(name);
    if (isGone(child)) this.gone(name);
  }

  /** What these processes carried together at their last heartbeats. */
  totals(names: readonly string[]): Pick<ServerStats, "connections" | "players" | "publishers"> {
    return this.directory.totals(names);
  }

  /** What is known without asking anybody; CPU and memory are not looked at. */
  facts(master: Member): Pick<BoxFacts, "processes" | "bytesIn" | "bytesOut" | "hooks" | "counts"> {
    const members = [master, ...this.options.children()];
    const nowMs = this.options.timers.nowMs();
    const processes = this.directory.processes(members, new Map(), nowMs);
    return { processes, ...this.directory.carriedBytes(), hooks: this.directory.hooks(), counts: this.sums.counts(nowMs) };
  }

  /** Asks and looks around from the master, which comes first; takes about a second at most. */
  async look(master: Member): Promise<Pick<BoxStatus, "processes" | "streams">> {
    const pids = [master, ...this.options.children()].flatMap(({ pid }) => (pid === null ? [] : [pid]));
    this.round ??= this.askChildren().finally(() => (this.round = null));
    const [usage] = await Promise.all([measureUsage(pids, usageOverMs), this.round]);
    const members = [master, ...this.options.children()];
    this.directory.reported(master.name, this.options.ownStreams());
    const processes = this.directory.processes(members, usage, this.options.timers.nowMs());
    return { processes, streams: this.directory.streams(members) };
  }

  private async askChildren(): Promise<void> {
    const asked = this.options
      .children()
      .filter(({ duty, state }) => duty !== "admin" && duty !== "packager" && (state === "up" || state === "draining"));
    const names = asked.map(({ name }) => name);
    const { answers, silent } = await this.questions.ask(names, (name, id) => this.options.ask(name, id));
    for (const [name, streams] of answers) this.directory.reported(name, streams);
    for (const name of silent) this.directory.silent(name);
  }
}
