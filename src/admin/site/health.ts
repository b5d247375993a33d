// Is the box fine: one word for whoever is woken at night, and the reasons for it, worst first. Pure.
import type { Health, ProcessRow, Reason } from "./shapes.js";

/** A death is told for so long. */
const recentSeconds = 600;
/** An event loop that was late by so much within a heartbeat was felt by viewers. */
const lateMs = 500;
/** Of a limit. */
const nearly = 0.9;

/** What is looked at. */
export interface Looked {
  readonly processes: readonly ProcessRow[];
  readonly connections: number;
  readonly maxConnections: number | null;
  /** Pulls, pushes and forwards whose server was lost or cannot be reached. */
  readonly relaysDown: number;
}

export function healthOf({ processes, connections, maxConnections, relaysDown }: Looked): Health {
  const reasons: Reason[] = [];
  const add = (word: Reason["word"], what: Reason["what"], name: string, value: string): void =>
    void reasons.push({ word, what, name, value });
  const serving = processes.filter(({ duty }) => duty !== null && duty !== "admin");
  if (!serving.some(isServing)) add("bad", "none", "", "");
  for (const process of processes) {
    const { name, state, duty, lastDeath, lagMs, memoryBytes, maxMemoryBytes } = process;
    if (state === "failed") add("bad", "down", name, state);
    else if (duty !== null && ["waiting", "down"].includes(state)) add("strained", "down", name, state);
    if (lastDeath !== null && lastDeath.secondsAgo < recentSeconds) add("strained", "died", name, lastDeath.cause);
    if (lagMs >= lateMs) add("strained", "lag", name, `${Math.round(lagMs)} ms`);
    if (memoryBytes !== null && maxMemoryBytes !== null && memoryBytes > nearly * maxMemoryBytes) {
      add("strained", "memory", name, `${Math.round(memoryBytes / 2 ** 20)} MiB`);
    }
  }
  if (maxConnections !== null && connections >= nearly * maxConnections)
    add("strained", "connections", "", `${connections} / ${maxConnections}`);
  if (relaysDown > 0) add("strained", "relays", "", String(relaysDown));
  const isBad = reasons.some(({ word }) => word === "bad");
  const sorted = [...reasons.filter(({ word }) => word === "bad"), ...reasons.filter(({ word }) => word === "strained")];
  return { word: isBad ? "bad" : sorted.length > 0 ? "strained" : "good", reasons: sorted };
}

function isServing({ state }: ProcessRow): boolean {
  return state === "up" || state === "draining";
}
