// What the system knows of processes: whose child a process is, and whether it runs, is stopped or is a zombie.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { isRunning } from "./child.js";
import { eventually } from "./wait.js";

/** Fails unless a process has these children and no other, and none of them is a zombie or stopped. */
export function assertOnlyChildren(parent: number, pids: readonly number[]): void {
  const found = childrenOf(parent);
  assert.deepEqual(
    found.map(({ pid }) => pid),
    [...pids].sort((a, b) => a - b),
  );
  assert.ok(
    found.every(({ state }) => state === "R" || state === "S" || state === "D"),
    JSON.stringify(found),
  );
}

/** Waits until none of the processes runs. A zombie counts as gone: not every system's init collects what it inherits. */
export async function waitUntilGone(pids: readonly number[], timeoutMs: number): Promise<void> {
  const left = (): number[] => pids.filter((pid) => isRunning(pid));
  await eventually(() => left().length === 0, { timeoutMs, everyMs: 20, what: `the processes ${pids.join(", ")} to be gone` });
}

/** Stops a process as a debugger does, and waits until the system says so. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, "SIGSTOP");
  await eventually(() => statOf(pid)?.state === "T", { timeoutMs: 2000, everyMs: 5, what: `process ${pid} to be stopped` });
}

interface ProcessState {
  readonly pid: number;
  /** The letter of proc_pid_stat(5): `Z` is a zombie, `T` is stopped. */
  readonly state: string;
}

/** The children of a process, zombies too, in the order of their pids. */
function childrenOf(pid: number): ProcessState[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const found = statOf(Number(name));
      return found?.parent === pid ? [{ pid: Number(name), state: found.state }] : [];
    })
    .sort((a, b) => a.pid - b.pid);
}

function statOf(pid: number): { readonly state: string; readonly parent: number } | null {
  try {
    // The name, in parentheses, may hold anything.
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", parent = ""] = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state, parent: Number(parent) };
  } catch {
    return null; // it ended while we looked
  }
}
