// Is the box fine: one word for whoever is woken at night, and the reasons for it, worst first, each of which names who it is about. Pure.
import type { BoxFacts } from "../../ipc/box.js";
import type { Health, ProcessRow, ProgramRow, Reason, Relays } from "./shapes.js";

/** A death is told for so long. */
const recentSeconds = 600;
/** An event loop that was late by so much within a heartbeat was felt by viewers. */
const lateMs = 500;
/** Of a limit. */
const nearly = 0.9;

/** What is looked at. */
export interface Looked extends Pick<BoxFacts, "registry" | "coworkers"> {
  readonly processes: readonly ProcessRow[];
  readonly connections: number;
  readonly maxConnections: number | null;
  /** Servers that are pulled from or forwarded to and cannot be reached, and who waits for them. */
  readonly lost: readonly LostRelay[];
  /** Plan b's. */
  readonly servers: Relays["servers"];
  readonly programs: readonly Pick<ProgramRow, "kind" | "name" | "key" | "pid" | "lastEnd">[];
}

export interface LostRelay {
  /** Its address; of the box's own origin its name and pid. */
  readonly server: string;
  readonly isOwn: boolean;
  readonly code: string;
  readonly processes: readonly string[];
}

/** What serves streams, and not who looks on. */
export function isServingDuty(duty: string | null): boolean {
  return duty !== null && duty !== "admin" && duty !== "packager";
}

export function healthOf(looked: Looked): Health {
  const { processes, connections, maxConnections, lost, servers, coworkers = [], registry, programs } = looked;
  const reasons: Reason[] = [];
  const add = (word: Reason["word"], what: Reason["what"], name: string, value = ""): void =>
    void reasons.push({ word, what, name, value });
  if (!processes.some(({ duty, state }) => isServingDuty(duty) && isUp(state))) add("bad", "none", "");
  for (const process of processes) {
    const { name, state, duty, lastDeath, lagMs, memoryBytes, maxMemoryBytes } = process;
    const isRecent = lastDeath !== null && lastDeath.secondsAgo < recentSeconds;
    const cause = isRecent || state === "failed" ? (lastDeath?.cause ?? "") : "";
    if (state === "failed") add("bad", "down", name, withCause(state, cause));
    else if (duty !== null && ["waiting", "down"].includes(state)) add("strained", "down", name, withCause(state, cause));
    else if (isRecent) add("strained", "died", name, cause);
    if (lagMs >= lateMs) add("strained", "lag", name, `${Math.round(lagMs)} ms`);
    if (memoryBytes !== null && maxMemoryBytes !== null && memoryBytes > nearly * maxMemoryBytes) {
      add("strained", "memory", name, `${Math.round(memoryBytes / 2 ** 20)} MiB`);
    }
  }
  const areAllDown = servers.length > 0 && servers.every((server) => !server.isUp);
  for (const { name, address, isUp: isThere } of servers) if (!isThere) add(areAllDown ? "bad" : "strained", "server", name, address);
  for (const { server, isOwn, code, processes: who } of lost)
    add("strained", isOwn ? "origin" : "relay", server, `${who.join(", ")}: ${code}`);
  for (const { server, state } of coworkers) if (state === "down") add("strained", "coworker", server);
  if (registry !== undefined && !registry.isConnected) add("strained", "registry", registry.address);
  for (const { kind, name, key, pid, lastEnd } of programs)
    if (pid === null && lastEnd !== "") add("strained", "program", `${kind} ${name} (${key})`, lastEnd);
  if (maxConnections !== null && connections >= nearly * maxConnections)
    add("strained", "connections", "", `${connections} / ${maxConnections}`);
  const isBad = reasons.some(({ word }) => word === "bad");
  const sorted = [...reasons.filter(({ word }) => word === "bad"), ...reasons.filter(({ word }) => word === "strained")];
  return { word: isBad ? "bad" : sorted.length > 0 ? "strained" : "good", reasons: sorted };
}

function isUp(state: string): boolean {
  return state === "up" || state === "draining";
}

/** The state is a word that the page translates, and stands first. */
function withCause(state: string, cause: string): string {
  return cause === "" ? state : `${state} ${cause}`;
}
