// What SRS has no words for, below /api/v1/dolphin/: the processes of the box, where a stream is and why, what has happened and happens,
// and the acts of the command line. The names, the questions and the answers are those of the control socket.
//
//   GET  box processes status explain/KEY cluster (site.ts) programs recordings events (SSE) events?count=N
//   POST reload restart restart/PROCESS scale/N drain/SERVER undrain/SERVER kick/ID kick-stream/KEY record-start/KEY record-stop/KEY upgrade
import { reply } from "../http/reply.js";
import { codes, envelope, replyCode, type Asked } from "./asked.js";
import { streamEvents } from "./events.js";
import { answerSite } from "./site.js";

/** Acts may take as long as new processes need to serve. */
const actTimeoutMs = 300_000;

const questions: ReadonlySet<string> = new Set(["status", "explain"]);
/** What changes something. */
export const dolphinActs: readonly string[] = [
  "reload",
  "restart",
  "scale",
  "drain",
  "undrain",
  "kick",
  "kick-stream",
  "record-start",
  "record-stop",
  "upgrade",
];
/** What packagers know. */
const lists: ReadonlySet<string> = new Set(["programs", "recordings"]);
/** Questions that are not simply handed on. */
const ownAnswers: ReadonlySet<string> = new Set(["", "box", "processes", "events", "cluster"]);
const acts: ReadonlySet<string> = new Set(dolphinActs);

/** Whether a path below /api/v1/dolphin/ is there, and takes this method; else the status of HTTP that says what is wrong. */
export function methodOf(verb: string): "GET" | "POST" | null {
  if (acts.has(verb)) return "POST";
  return questions.has(verb) || lists.has(verb) || ownAnswers.has(verb) ? "GET" : null;
}

/** Answers one; `verb` is known, and of the right method. */
export async function dolphin(asked: Asked, verb: string, name: string): Promise<void> {
  const { exchange, facts } = asked;
  switch (verb) {
    case "":
      reply(exchange, {
        code: codes.ok,
        ...envelope(facts),
        urls: {
          get: ["box", "processes", "status", "explain/KEY", "cluster", "cluster/streams", "cluster/streams/KEY", ...lists, "events"],
          post: [...acts],
        },
      });
      return;
    case "box":
    case "processes":
      reply(exchange, { code: codes.ok, ...envelope(facts), data: verb === "box" ? facts : facts.processes });
      return;
    case "cluster":
      await answerSite(asked, name);
      return;
    case "events":
      await streamEvents(asked);
      return;
    case "programs":
      reply(exchange, { code: codes.ok, ...envelope(facts), data: await asked.view.programs() });
      return;
    case "recordings":
      reply(exchange, { code: codes.ok, ...envelope(facts), data: await asked.view.recordings() });
      return;
    case "kick":
      await kick(asked, name);
      return;
    default:
      await pass(asked, verb, name);
  }
}

/** One client, wherever he is: at a foreign server too. */
async function kick(asked: Asked, id: string): Promise<void> {
  const { exchange, facts, log, view } = asked;
  const isThere = await view.kick(id);
  const peer = exchange.address;
  log.info({ event: "api.act", act: "kick", name: id, peer, status: isThere ? 200 : 404 }, "somebody has acted over the API");
  if (isThere) reply(exchange, { code: codes.ok, ...envelope(facts), data: { count: 1 } });
  else replyCode(asked, 404, "nobody of that name is here", 404);
}

/** Hands a question to the master, and its answer back. */
async function pass(asked: Asked, verb: string, name: string): Promise<void> {
  const { control, exchange, facts, log, view } = asked;
  const isAct = acts.has(verb);
  const behind = verb === "upgrade" ? JSON.stringify({ execPath: process.execPath, script: facts.script }) : name;
  const path = behind === "" ? `/${verb}` : `/${verb}/${encodeURIComponent(behind)}`;
  const { status, body } = await control.ask(path, isAct ? { method: "POST", timeoutMs: actTimeoutMs } : {});
  if (isAct) {
    view.forget();
    const peer = exchange.address;
    log.info({ event: "api.act", act: verb, name, peer, status }, "somebody has acted over the API");
  }
  const { error, outcome, problems } = body as {
    readonly error?: string;
    readonly outcome?: string;
    readonly problems?: readonly string[];
  };
  // Scripts look at the status alone.
  if (outcome === "refused") reply(exchange, { code: 409, error: (problems ?? []).join("; "), ...envelope(facts), data: body }, 409);
  else if (status === 200) reply(exchange, { code: codes.ok, ...envelope(facts), data: body });
  else replyCode(asked, status, error ?? `the box answered ${status}`, status);
}
