// The box's own origin among the servers that its edges tell of: it is named as what it is, for its address is chosen anew at each start
// and says nothing to anybody. Pure.
import { formatEndpoint } from "../../conf/meaning/endpoint.js";
import type { BoxFacts, ProcessFacts } from "../../ipc/box.js";

/** The process of the box that a server is, by its address; null: it is somebody else's. */
export function ownProcess({ origin, processes }: Pick<BoxFacts, "origin" | "processes">, server: string): ProcessFacts | null {
  if (origin === undefined || formatEndpoint(origin) !== server) return null;
  return processes.find(({ duty }) => duty === "origin") ?? null;
}

/** `origin 4711`, as processes are named everywhere. */
export function nameWithPid({ name, pid }: Pick<ProcessFacts, "name" | "pid">): string {
  return pid === null ? name : `${name} ${pid}`;
}
