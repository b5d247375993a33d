// The control socket: HTTP over a Unix socket that only this user can open. It answers `GET /status`, `POST /reload`, `POST /restart`
// and `POST /upgrade/PROGRAM`, and on plan b `GET /explain/KEY`, `POST /drain/SERVER` and `POST /undrain/SERVER`.
//
//   verbs ─▶ client.ts ─ HTTP, to the path of socket-path.ts ─▶ control.ts ─ ControlAnswers ─▶ the box
//   heartbeats, reports ─▶ overview.ts ─▶ directory.ts ─▶ status.ts, one shape for both ends ─▶ client.ts ─▶ verbs ─▶ text.ts
import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";
import { prepareControlFolder } from "./socket-path.js";
import type { BoxStatus, Explanation, Reloaded } from "./status.js";

/** A program that is to take the place of the running one: Node, and the script of `dolphin`. */
export interface UpgradeProgram {
  readonly execPath: string;
  readonly script: string;
}

/** What can be asked of a running box. */
export interface ControlAnswers {
  status(): Promise<BoxStatus>;
  /** Null: no plan b, where every server has every stream. */
  explain(key: string): Explanation | null;
  /** Null, or the sentence why that cannot be. */
  drain(server: string, isDraining: boolean): string | null;
  /** Resolves when it is done. */
  reload(): Promise<Reloaded>;
  restart(): Promise<Reloaded>;
  /** The same; this process ends soon afterwards when another has taken its place. */
  upgrade(program: UpgradeProgram): Promise<Reloaded>;
}

/** Why other plans neither explain nor drain. */
export const onlyPlanB = "only plan b chooses among servers; in this box every worker serves every stream";

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
    const http = createServer((request, response) => {
      const reply = (code: number, body: unknown): void => {
        response.writeHead(code, { "content-type": "application/json" }).end(`${JSON.stringify(body)}\n`);
      };
      const question = readQuestion(request.url ?? "");
      if (question === null)
        reply(404, {
          error: "there is only /status, /reload, /restart, /upgrade/PROGRAM, /explain/KEY, /drain/SERVER and /undrain/SERVER",
        });
      else if (request.method !== question.method) reply(405, { error: `only ${question.method} is served` });
      else
        answerTo(answers, question).then(
          ([code, body]) => reply(code, body),
          (thrown: unknown) => reply(500, { error: messageOf(thrown) }),
        );
    });
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

interface Question {
  readonly verb: "status" | "reload" | "restart" | "upgrade" | "explain" | "drain" | "undrain";
  readonly method: "GET" | "POST";
  /** Of a stream or a server, an UpgradeProgram as JSON; empty for what is about the whole box. */
  readonly name: string;
}

function readQuestion(url: string): Question | null {
  const [, verb = "", text = ""] = /^\/([a-z]+)(?:\/(.+))?$/.exec(url) ?? [];
  const name = decoded(text);
  if (verb === "status" && text === "") return { verb, method: "GET", name: "" };
  if ((verb === "reload" || verb === "restart") && text === "") return { verb, method: "POST", name: "" };
  if (name === null || name === "") return null;
  if (verb === "explain") return { verb, method: "GET", name };
  if (verb === "upgrade") return { verb, method: "POST", name };
  return verb === "drain" || verb === "undrain" ? { verb, method: "POST", name } : null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // a stray percent sign
  }
}

async function answerTo(answers: ControlAnswers, { verb, name }: Question): Promise<[code: number, body: unknown]> {
  if (verb === "status" || verb === "reload" || verb === "restart") return [200, await answers[verb]()];
  if (verb === "upgrade") return [200, await answers.upgrade(JSON.parse(name) as UpgradeProgram)];
  if (verb === "explain") {
    const explanation = answers.explain(name);
    return explanation === null ? [409, { error: onlyPlanB }] : [200, explanation];
  }
  const isDraining = verb === "drain";
  const problem = answers.drain(name, isDraining);
  return problem === null ? [200, { server: name, isDraining }] : [409, { error: problem }];
}

/** Who has a socket, and what to do about it; null: nobody. */
function holderOf(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const done = (answer: string | null): void => {
      socket.destroy();
      resolve(answer);
    };
    const isAnswered = `another process answers on the control socket ${path}: stop it first`;
    socket.setTimeout(1000, () => done(isAnswered)); // a stopped instance accepts, if late, and is alive
    socket.once("connect", () => done(isAnswered));
    socket.once("error", (error) => {
      const errno = errnoOf(error) ?? "";
      if (["ENOENT", "ECONNREFUSED", "ENOTSOCK"].includes(errno)) done(null);
      else done(`the control socket ${path} is there and cannot be asked (${errno}): remove it`);
    });
  });
}
