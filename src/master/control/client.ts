// Asks a running instance over its control socket, and finds out which instances run.
import { request, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";
import type { TakenEvent } from "../../ipc/events.js";
import type { Listed, ProcessList } from "../../ipc/lists.js";
import type { Whom } from "../../ipc/messages.js";
import type { SiteReading, StreamReading } from "../../ipc/site.js";
import type { UpgradeProgram } from "./control.js";
import type { BoxStatus, Explanation, Reloaded } from "./status.js";
import type { Whereabouts } from "./whereabouts.js";

/** An instance asked takes a second at most to hear its children, and a little to look at their CPU. */
const answerTimeoutMs = 5000;
/** New processes have to start, and those that cannot are given up, before there is an answer. */
const changeTimeoutMs = 300_000;

/** Throws CHILD_START when nobody answers on the socket, or something that is no dolphin. */
export async function fetchStatus(path: string): Promise<BoxStatus> {
  return (await ask(path, "GET", "/status")) as BoxStatus;
}

/** Where a stream lives and why. Throws CHILD_START. */
export async function fetchExplanation(path: string, key: string): Promise<Explanation | Whereabouts> {
  return (await ask(path, "GET", `/explain/${encodeURIComponent(key)}`)) as Explanation | Whereabouts;
}

/** The site that the box is one of. Throws CHILD_START, also where it is none. */
export async function fetchSite(path: string): Promise<SiteReading> {
  return (await ask(path, "GET", "/site")) as SiteReading;
}

/** One stream of it. Throws as `fetchSite`. */
export async function fetchSiteStream(path: string, key: string): Promise<StreamReading> {
  return (await ask(path, "GET", `/site-stream/${encodeURIComponent(key)}`)) as StreamReading;
}

/** What each process lists of its clients, or of its streams. Throws CHILD_START. */
export async function fetchLists<Row>(path: string, what: Listed): Promise<readonly ProcessList<Row>[]> {
  return ((await ask(path, "GET", `/list/${what}`)) as { readonly lists: readonly ProcessList<Row>[] }).lists;
}

/** Sends a client away, or all of a stream. Gives how many. Throws CHILD_START, also where there is nobody. */
export async function kick(path: string, whom: Whom): Promise<number> {
  const question = "client" in whom ? `/kick/${encodeURIComponent(whom.client)}` : `/kick-stream/${encodeURIComponent(whom.stream)}`;
  return ((await ask(path, "POST", question)) as { readonly count: number }).count;
}

/** Has a stream recorded, or not. Throws CHILD_START, also where that cannot be. */
export async function record(path: string, stream: string, isOn: boolean): Promise<void> {
  await ask(path, "POST", `/${isOn ? "record-start" : "record-stop"}/${encodeURIComponent(stream)}`);
}

/** Has so many workers serve from now on. Resolves when they do. Throws CHILD_START when there is no answer. */
export async function scale(path: string, workers: number): Promise<Reloaded> {
  return (await ask(path, "POST", `/scale/${workers}`, changeTimeoutMs)) as Reloaded;
}

/**
 * Calls `read` with what happened, at most the last `count`, and where `isFollowing` with what happens. Resolves when the box has no
 * more to tell. Throws CHILD_START.
 */
export async function readEvents(
  path: string,
  { count, after, isFollowing }: { readonly count: number; readonly after: number; readonly isFollowing: boolean },
  read: (event: TakenEvent) => void,
): Promise<void> {
  const response = await open(path, `/events?count=${count}&after=${after}${isFollowing ? "&follow=1" : ""}`);
  for await (const line of createInterface({ input: response })) read(JSON.parse(line) as TakenEvent);
}

/** Gives a server no more connections, or again. Throws CHILD_START, also where there is no such server. */
export async function drain(path: string, server: string, isDraining: boolean): Promise<void> {
  await ask(path, "POST", `/${isDraining ? "drain" : "undrain"}/${encodeURIComponent(server)}`);
}

/** Has the box read its configuration again. Resolves when that is done. Throws CHILD_START when there is no answer. */
export async function reload(path: string): Promise<Reloaded> {
  return (await ask(path, "POST", "/reload", changeTimeoutMs)) as Reloaded;
}

/** Has the box replace the processes that serve, one by one. Resolves when that is done. Throws CHILD_START when there is no answer. */
export async function restart(path: string): Promise<Reloaded> {
  return (await ask(path, "POST", "/restart", changeTimeoutMs)) as Reloaded;
}

/** Has another program take the box's place. Resolves when it has, or why it has not. Throws CHILD_START when there is no answer. */
export async function upgrade(path: string, program: UpgradeProgram): Promise<Reloaded> {
  return (await ask(path, "POST", `/upgrade/${encodeURIComponent(JSON.stringify(program))}`, changeTimeoutMs)) as Reloaded;
}

function open(socketPath: string, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, agent: false }, resolve);
    asked.once("error", (cause) => reject(new DolphinError("CHILD_START", `${socketPath}: ${explain(cause)}`, { cause })));
    asked.end();
  });
}

function ask(socketPath: string, method: "GET" | "POST", path: string, timeout = answerTimeoutMs): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (why: string, cause?: unknown): void => reject(new DolphinError("CHILD_START", `${socketPath}: ${why}`, { cause }));
    const asked = request({ socketPath, method, path, agent: false, timeout }, (response) => {
      const parts: Buffer[] = [];
      response.on("data", (part: Buffer) => parts.push(part));
      response.once("error", (error) => fail(messageOf(error), error));
      response.once("end", () => {
        const text = Buffer.concat(parts).toString();
        try {
          const body: unknown = JSON.parse(text);
          if (response.statusCode === 200) return resolve(body);
          const { error = `answered ${response.statusCode ?? "nothing"}` } = body as { readonly error?: string };
          // A refusal is about what was asked, and not about the socket.
          return response.statusCode === 409 || (response.statusCode === 404 && method === "POST")
            ? reject(new DolphinError("CHILD_START", error))
            : fail(error);
        } catch (thrown) {
          return fail("answered something else than JSON", thrown);
        }
      });
    });
    asked.once("timeout", () => asked.destroy(new Error("no answer in time")));
    asked.once("error", (error) => fail(explain(error), error));
    asked.end();
  });
}

/** Those of the sockets that are answered, with what they answered. */
export async function findRunning(paths: readonly string[]): Promise<{ readonly path: string; readonly status: BoxStatus }[]> {
  const asked = await Promise.allSettled(paths.map(async (path) => ({ path, status: await fetchStatus(path) })));
  return asked.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
}

function explain(error: Error): string {
  switch (errnoOf(error)) {
    case "ENOENT":
      return "there is no such socket; `dolphin status` finds what runs here";
    case "ECONNREFUSED":
      return "nobody answers; the instance that made this socket is gone";
    case "EACCES":
      return "this user may not ask it";
    case undefined:
    default:
      return messageOf(error);
  }
}
