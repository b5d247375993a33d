// What an orchestrator asks, on both ports and of anybody: `/live`, whether the box can still be helped by nothing but a restart, and
// `/ready`, whether it is to be sent new clients. Neither depends on any other server: an outage elsewhere restarts nobody.
//
//   /live    the master answers                                        503: it hangs, or is gone
//   /ready   and somebody serves the public addresses, and no end has begun      503: it starts, or it drains
//            and a strict site's registry has been heard since the start
import type { BoxFacts } from "../../ipc/box.js";
import type { AdminContext } from "../box/context.js";
import { reply, type Exchange } from "../http/reply.js";

/** The master only looks it up: one that takes longer hangs. */
const answerWithinMs = 3_000;

const paths: ReadonlySet<string> = new Set(["/live", "/ready"]);

export function isProbe(path: string): boolean {
  return paths.has(path);
}

/** Answers one. Never rejects. */
export async function answerProbe({ control }: AdminContext, exchange: Exchange, path: string): Promise<void> {
  let why: string | null;
  try {
    const { body } = await control.ask("/box", { timeoutMs: answerWithinMs });
    why = path === "/live" ? null : whyNotReady(body as BoxFacts);
  } catch {
    why = "the master does not answer";
  }
  reply(exchange, why === null ? { code: 0 } : { code: 503, error: why }, why === null ? 200 : 503);
}

/** Null: new clients are welcome. */
export function whyNotReady({ processes, registry }: Pick<BoxFacts, "processes" | "registry">): string | null {
  if (processes.some(({ name, state }) => name === "master" && state !== "up")) return "the box ends";
  const isPublic = ({ duty }: BoxFacts["processes"][number]): boolean => duty === "edge" || duty === "server" || duty === "proxy";
  const serving = processes.filter((one) => isPublic(one) && one.state === "up");
  if (serving.length === 0) return "nobody serves yet";
  // Later outages leave what is on the air there, and this box in its service.
  if (registry?.isStrict === true && registry.heardMs === null) return "the registry has not been heard yet, and registry_away is refuse";
  return null;
}
