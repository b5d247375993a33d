// The pages for people: the console and the player. They hold no secret; what they show they ask of the API, as everybody does.
import type { AdminContext } from "../box/context.js";
import type { Exchange } from "../http/reply.js";

/** Answers a path that is a page's. False: it is none. */
export function answerSite(_context: AdminContext, _exchange: Exchange, _path: string): boolean {
  return false;
}
