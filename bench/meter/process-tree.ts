// Which processes a figure is about: whole trees, for what a box costs is what all of its processes cost.
import { readdirSync, readFileSync } from "node:fs";

export interface Tree {
  /** Processes that count with all their descendants. */
  readonly roots: readonly number[];
  /** Processes that belong to the measurement and do not count, nor do their descendants: the server behind a proxy. */
  readonly except: readonly number[];
}

/** The processes of a tree that live now. A look at the whole of /proc: some milliseconds. */
export function processesOf({ roots, except }: Tree): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : null;
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found = new Set<number>();
  const open = [...roots];
  for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
    if (found.has(pid) || except.includes(pid)) continue;
    found.add(pid);
    open.push(...(children.get(pid) ?? []));
  }
  return [...found];
}

/** What a file below /proc says; null when its process or thread has ended. */
export function readProc(path: string): string | null {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    return null; // it ended while we looked
  }
}

function parentOf(pid: string): number | null {
  const text = readProc(`${pid}/stat`);
  // The second field is the name in parentheses, which may hold anything.
  return text === null ? null : Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[1]);
}
