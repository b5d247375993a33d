// How many files one process may have open. Node has raised its soft limit to the hard one before any of our code runs, and
// children inherit it.
import { readFileSync } from "node:fs";

/** The limit of this process, or null where the system does not tell. */
export function readMaxOpenFiles(): number | null {
  try {
    return parseMaxOpenFiles(readFileSync("/proc/self/limits", "utf8"));
  } catch {
    return null; // no Linux
  }
}

/** The soft limit in the text of `/proc/PID/limits`; null when there is none or it is unlimited. */
export function parseMaxOpenFiles(text: string): number | null {
  const soft = /^Max open files\s+(\d+)/m.exec(text)?.[1];
  return soft === undefined ? null : Number(soft);
}
