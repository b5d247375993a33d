// Who is in the box, asked of all processes that serve: their clients and streams, page by page, and that some of them are sent away.
import type { Timers } from "../base/timers.js";
import { isOfPackagers, type Listed, type ListPage, type ProgramReport } from "../ipc/lists.js";
import type { FromChild, ToChild, Whom } from "../ipc/messages.js";
import type { Lister } from "../master/control/lists.js";
import { Questions } from "../master/processes/questions.js";
import type { ChildView } from "../master/processes/supervisor.js";
import type { Server } from "../server/server.js";
import { isOwn } from "./briefing.js";

/** A process that is silent for so long has its list marked as incomplete. */
const answerWithinMs = 1000;

export interface RosterParts {
  readonly timers: Timers;
  children(): readonly ChildView[];
  send(name: string, message: ToChild): boolean;
  /** The origin in the master itself; null: there is none. */
  origin(): Server | null;
  /** Whether servers are another program, which tells us nothing: then the proxies before them tell what they know. */
  isForeign(): boolean;
}

/** The question and answer part of it; it keeps nothing. */
export class Roster {
  private readonly parts: RosterParts;
  private readonly pages: Questions<ListPage>;
  private readonly kicks: Questions<number>;
  private readonly looks: Questions<boolean>;
  private readonly records: Questions<{ readonly isHere: boolean; readonly problem: string | null }>;

  constructor(parts: RosterParts) {
    this.parts = parts;
    this.pages = new Questions(parts.timers, answerWithinMs);
    this.kicks = new Questions(parts.timers, answerWithinMs);
    this.looks = new Questions(parts.timers, answerWithinMs);
    this.records = new Questions(parts.timers, answerWithinMs);
  }

  /** Those who know what is listed; of clients and streams the master first. */
  listers(what: Listed): Lister[] {
    if (isOfPackagers(what)) return this.packagers().map((name) => this.lister(name, "packager"));
    const origin = this.parts.origin();
    const own: Lister[] = origin === null ? [] : [{ name: "master", duty: "origin", page: (rows, after) => pageOf(origin, rows, after) }];
    return [...own, ...this.serving().map(({ name, duty }) => this.lister(name, duty))];
  }

  /** What packagers run, as far as they answer. */
  async programs(): Promise<ProgramReport[]> {
    const pages = await Promise.all(this.packagers().map((name) => this.page(name, "programs", 0)));
    return pages.flatMap((page) => JSON.parse(`[${page?.rows ?? ""}]`) as ProgramReport[]);
  }

  /** Has a stream recorded, or not. Resolves to null, or to why not. */
  async record(stream: string, isOn: boolean): Promise<string | null> {
    const names = this.packagers();
    if (names.length === 0) return "no vhost of this box has dvr { enabled on; }";
    const { answers } = await this.records.ask(names, (name, id) => this.parts.send(name, { type: "record", id, stream, isOn }));
    const found = [...answers.values()].find(({ isHere }) => isHere);
    return found === undefined ? `${stream} is not published here, or its vhost records nothing` : found.problem;
  }

  /** Resolves to how many were sent away. */
  async kick(whom: Whom): Promise<number> {
    const names = this.serving().map(({ name }) => name);
    const { answers } = await this.kicks.ask(names, (name, id) => this.parts.send(name, { type: "kick", id, whom }));
    return [...answers.values()].reduce((sum, count) => sum + count, this.parts.origin()?.kick(whom) ?? 0);
  }

  /** Whether another process than `asker` has a publisher of the stream of this key; edges have none of their own. */
  async has(key: string, asker: string): Promise<boolean> {
    if (this.parts.origin()?.has(key) === true) return true;
    const names = this.serving().flatMap(({ name, duty }) => (duty === "edge" || name === asker ? [] : [name]));
    const { answers } = await this.looks.ask(names, (name, id) => this.parts.send(name, { type: "has", id, key }));
    return [...answers.values()].includes(true);
  }

  heard(name: string, message: FromChild): void {
    if (message.type === "had") this.looks.answer(name, message.id, message.isHere);
    if (message.type === "listed") this.pages.answer(name, message.id, message);
    if (message.type === "kicked") this.kicks.answer(name, message.id, message.count);
    if (message.type === "recorded") this.records.answer(name, message.id, message);
  }

  gone(name: string): void {
    this.pages.gone(name);
    this.kicks.gone(name);
    this.looks.gone(name);
    this.records.gone(name);
  }

  private lister(name: string, duty: string): Lister {
    return { name, duty, page: (what, after) => this.page(name, what, after) };
  }

  private packagers(): readonly string[] {
    return this.parts.children().flatMap(({ spec, child }) => (spec.duty === "packager" && child.state === "up" ? [spec.name] : []));
  }

  private serving(): readonly { readonly name: string; readonly duty: string }[] {
    const serving = this.parts
      .children()
      .filter(({ spec, child }) => child.state === "up" && isOwn(spec) && knowsStreams(spec.duty, this.parts.isForeign()));
    return serving.map(({ spec }) => spec);
  }

  private async page(name: string, what: Listed, after: number): Promise<ListPage | null> {
    const { answers } = await this.pages.ask([name], (_, id) => this.parts.send(name, { type: "list", id, what, after }));
    return answers.get(name) ?? null;
  }
}

/** A page a turn of the event loop, which has viewers to serve. */
async function pageOf(origin: Server, what: Listed, after: number): Promise<ListPage> {
  await new Promise((resolve) => setImmediate(resolve));
  return origin.list(what, after);
}

function knowsStreams(duty: string, isForeign: boolean): boolean {
  return duty !== "admin" && duty !== "packager" && (duty !== "proxy" || isForeign);
}
