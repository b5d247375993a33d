// The control socket: HTTP over a Unix socket that only this user can open. The verbs of the command line ask it, and the admin does for
// those who ask that one over the network.
//
//   verbs ─▶ client.ts ─ HTTP, to the path of socket-path.ts ─▶ control.ts ─ a row of the table below ─▶ ControlAnswers ─▶ the box
//   heartbeats, reports ─▶ overview.ts ─▶ directory.ts ─▶ status.ts, one shape for both ends ─▶ client.ts ─▶ verbs ─▶ text.ts
//   lists.ts: pages of the processes' own lists      event-book.ts: the last of what happened      text.ts: for people
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";
import type { BoxFacts } from "../../ipc/box.js";
import { listedNames, type Listed } from "../../ipc/lists.js";
import type { Whom } from "../../ipc/messages.js";
import type { SiteReading, StreamReading } from "../../ipc/site.js";
import { keptEvents, type EventBook } from "./event-book.js";
import { writeLists, type Lister } from "./lists.js";
import { prepareControlFolder } from "./socket-path.js";
import type { BoxStatus, Explanation, Reloaded } from "./status.js";
import type { Whereabouts } from "./whereabouts.js";

/** A program that is to take the place of the running one: Node, and the script of `dolphin`. */
export interface UpgradeProgram {
  readonly execPath: string;
  readonly script: string;
}

/** What can be asked of a running box. */
export interface ControlAnswers {
  readonly events: EventBook;
  status(): Promise<BoxStatus>;
  /** The same as far as it is known already. */
  facts(): BoxFacts;
  /** Those who know what is listed. */
  listers(what: Listed): readonly Lister[];
  /** Where a stream is, or of plan b would be, and why. */
  explain(key: string): Promise<Explanation | Whereabouts>;
  /** The site that the box is one of; null: it has no registry. */
  site(): Promise<SiteReading> | null;
  /** The same of one of its streams. */
  siteStream(key: string): Promise<StreamReading> | null;
  /** Sends clients away. Resolves to how many. */
  kick(whom: Whom): Promise<number>;
  /** Has a stream (`vhost/app/stream`) recorded, or not. Resolves to null, or to why not. */
  record(stream: string, isOn: boolean): Promise<string | null>;
  /** Null, or the sentence why that cannot be. */
  drain(server: string, isDraining: boolean): string | null;
  /** A server of another machine says that it is there. Null, or the sentence why it is not taken. */
  register(body: unknown): string | null;
  /** Resolves when it is done. */
  reload(): Promise<Reloaded>;
  /** `only`: a process; null: all, one by one. */
  restart(only: string | null): Promise<Reloaded>;
  /** As many workers as that from now on. */
  scale(workers: number): Promise<Reloaded>;
  /** The same; this process ends soon afterwards when another has taken its place. */
  upgrade(program: UpgradeProgram): Promise<Reloaded>;
}

/** Why other plans do not drain. */
export const onlyPlanB = "only plan b chooses among servers; in this box every worker serves every stream";

const noSite = "this box is a site of its own: dolphin { registry …; } makes it one of many (docs/cluster.md)";

/** An answer: a status of HTTP and what goes with it as JSON. */
type Reply = readonly [code: number, body: unknown];

interface Question {
  readonly method: "GET" | "POST";
  /** What stands behind the verb: nothing, a name, either. */
  readonly takes: "nothing" | "name" | "both";
  /** A name is the text behind the verb, decoded; empty where there is none. */
  answer(answers: ControlAnswers, name: string): Promise<Reply> | Reply;
}

const done = async (reloaded: Promise<Reloaded>): Promise<Reply> => [200, await reloaded];

function drained(answers: ControlAnswers, server: string, isDraining: boolean): Reply {
  const problem = answers.drain(server, isDraining);
  return problem === null ? [200, { server, isDraining }] : [409, { error: problem }];
}

const registered = (problem: string | null): Reply => (problem === null ? [200, {}] : [409, { error: problem }]);

const kicked = async (answers: ControlAnswers, whom: Whom): Promise<Reply> => {
  const count = await answers.kick(whom);
  return count > 0 ? [200, { count }] : [404, { error: "nobody of that name is here" }];
};

const recorded = async (answers: ControlAnswers, stream: string, isOn: boolean): Promise<Reply> => {
  const problem = await answers.record(stream, isOn);
  return problem === null ? [200, { stream, isOn }] : [409, { error: problem }];
};

const ofSite = async (asked: Promise<SiteReading | StreamReading> | null): Promise<Reply> =>
  asked === null ? [409, { error: noSite }] : [200, await asked];

/** By verb; `/restart/edge-1` is the verb and a name. Two more have answers of their own kind: `list` and `events`. */
const questions: Readonly<Record<string, Question>> = {
  status: { method: "GET", takes: "nothing", answer: async (answers) => [200, await answers.status()] },
  box: { method: "GET", takes: "nothing", answer: (answers) => [200, answers.facts()] },
  explain: { method: "GET", takes: "name", answer: async (answers, key) => [200, await answers.explain(key)] },
  site: { method: "GET", takes: "nothing", answer: (answers) => ofSite(answers.site()) },
  "site-stream": { method: "GET", takes: "name", answer: (answers, key) => ofSite(answers.siteStream(key)) },
  reload: { method: "POST", takes: "nothing", answer: (answers) => done(answers.reload()) },
  restart: { method: "POST", takes: "both", answer: (answers, name) => done(answers.restart(name === "" ? null : name)) },
  scale: { method: "POST", takes: "name", answer: (answers, text) => done(answers.scale(/^\d{1,4}$/.test(text) ? Number(text) : 0)) },
  upgrade: { method: "POST", takes: "name", answer: (answers, text) => done(answers.upgrade(JSON.parse(text) as UpgradeProgram)) },
  drain: { method: "POST", takes: "name", answer: (answers, name) => drained(answers, name, true) },
  undrain: { method: "POST", takes: "name", answer: (answers, name) => drained(answers, name, false) },
  register: { method: "POST", takes: "name", answer: (answers, text) => registered(answers.register(JSON.parse(text))) },
  kick: { method: "POST", takes: "name", answer: (answers, client) => kicked(answers, { client }) },
  "record-start": { method: "POST", takes: "name", answer: (answers, stream) => recorded(answers, stream, true) },
  "record-stop": { method: "POST", takes: "name", answer: (answers, stream) => recorded(answers, stream, false) },
  "kick-stream": { method: "POST", takes: "name", answer: (answers, stream) => kicked(answers, { stream }) },
};

/** A listening control socket. Close it once; its file is removed. */
export class Control {
  readonly path: string;
  private readonly http: Server;
  private isClosed = false;

  private constructor(path: string, http: Server) {
    this.path = path;
    this.http = http;
  }

  /** Throws CHILD_START when a running instance has the socket, or it cannot be made. */
  static async open(path: string, answers: ControlAnswers): Promise<Control> {
    prepareControlFolder(path, process.env);
    const holder = await holderOf(path);
    if (holder !== null) throw new DolphinError("CHILD_START", `${holder}, or give this one another control_socket`);
    rmSync(path, { force: true }); // left behind by an instance that was killed
    const http = createServer((request, response) => void answer(answers, request.method ?? "", request.url ?? "", response));
    const control = new Control(path, http);
    await control.listen();
    return control;
  }

  /** Takes no more questions, and removes the file; those that were asked are still answered. */
  stopListening(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.http.close(); // removes the file
  }

  close(): void {
    this.stopListening();
    this.http.closeAllConnections();
  }

  private listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      const mask = process.umask(0o177); // the file is never open to others, not even before chmod
      this.http.once("error", (error) => {
        process.umask(mask);
        reject(new DolphinError("CHILD_START", `cannot make the control socket ${this.path}: ${messageOf(error)}`, { cause: error }));
      });
      this.http.listen(this.path, () => {
        chmodSync(this.path, 0o600);
        resolve();
      });
      process.umask(mask);
    });
  }
}

async function answer(answers: ControlAnswers, method: string, url: string, response: ServerResponse): Promise<void> {
  const reply = ([code, body]: Reply): void => {
    response.writeHead(code, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
  };
  response.on("error", () => undefined); // whoever asked has left
  const [, verb = "", text = "", query = ""] = /^\/([a-z-]+)(?:\/([^?]+))?(?:\?(.*))?$/.exec(url) ?? [];
  const name = decoded(text);
  const isAsking = method === "GET";
  try {
    if (verb === "list" && isAsking && name !== null && isListed(name)) return await writeLists(response, name, answers.listers(name));
    if (verb === "events" && isAsking && name === "") return writeEvents(response, answers.events, new URLSearchParams(query));
    const question = Object.hasOwn(questions, verb) ? questions[verb] : undefined;
    const isComplete =
      question !== undefined && name !== null && (question.takes === "both" || (question.takes === "name") === (name !== ""));
    if (!isComplete) return reply([404, { error: `there is only ${verbs}` }]);
    if (method !== question.method) return reply([405, { error: `only ${question.method} is served` }]);
    return reply(await question.answer(answers, name));
  } catch (thrown) {
    if (response.headersSent) response.destroy();
    else reply([500, { error: messageOf(thrown) }]);
  }
}

const verbs = [...Object.keys(questions), ...listedNames.map((name) => `list/${name}`), "events"].map((verb) => `/${verb}`).join(", ");

/** A follower who does not read is let go: he comes back and goes on where he was. */
const maxUnreadBytes = 1 << 20;

/** A line of JSON for each event behind the one of number `after`, then for each that happens, where `follow` is asked for. */
function writeEvents(response: ServerResponse, events: EventBook, query: URLSearchParams): void {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  response.flushHeaders();
  const after = Number(query.get("after") ?? 0);
  const most = Number(query.get("count") ?? keptEvents);
  const kept = events.after(Number.isFinite(after) ? after : 0);
  for (const event of most > 0 ? kept.slice(-most) : []) response.write(`${JSON.stringify(event)}\n`);
  if (!query.has("follow")) {
    response.end();
    return;
  }
  const leave = events.follow((event) => {
    if (response.writableLength > maxUnreadBytes) response.destroy();
    else response.write(`${JSON.stringify(event)}\n`);
  });
  response.once("close", leave);
}

function isListed(name: string): name is Listed {
  return listedNames.includes(name);
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a stray percent sign
  }
}

/** Who has a socket, and what to do about it; null: nobody. */
function holderOf(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (found: string | null): void => {
      socket.destroy();
      resolve(found);
    };
    const isAnswered = `another process answers on the control socket ${path}: stop it first`;
    socket.setTimeout(1000, () => settle(isAnswered)); // a stopped instance accepts, if late, and is alive
    socket.once("connect", () => settle(isAnswered));
    socket.once("error", (error) => {
      const errno = errnoOf(error) ?? "";
      if (["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(errno)) settle(null);
      else settle(`the control socket ${path} is there and cannot be asked (${errno}): remove it`);
    });
  });
}
