// How many files one process may have open, and whether the connections of a box fit. Node has raised its soft limit to the hard
// one before any of our code runs, and children inherit it.
import { readFileSync } from "node:fs";
import { DolphinError } from "../../base/errors.js";
import type { Config } from "../../conf/meaning/config.js";
import { publicNames } from "./plan.js";

export interface OpenFilesFacts {
  /** What `cores auto` stands for. */
  readonly cores: number;
  /** Of one process; null when unknown. */
  readonly maxOpenFiles: number | null;
}

/** What a process has open beside its connections, by SRS's rule. */
const reservedFiles = 128;
/** A limit below this is nobody's choice but a system's default. */
const fewFiles = 4096;

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

/** Throws CONF_VALUE when the connections that are asked for do not fit into the open files of the processes that shall have them. */
export function checkOpenFiles(config: Config, { cores, maxOpenFiles }: OpenFilesFacts): void {
  if (config.maxConnections === null || maxOpenFiles === null) return;
  const processes = publicNames(config, cores).length;
  // A proxy has two sockets for each connection.
  const files = Math.ceil(config.maxConnections / processes) * (config.dolphin.plan === "b" ? 2 : 1) + reservedFiles;
  if (files <= maxOpenFiles) return;
  throw new DolphinError(
    "CONF_VALUE",
    `max_connections ${config.maxConnections} needs ${files} open files in each of ${processes} processes, and one may have ${maxOpenFiles}: ` +
      `lower it, or ${raise(files)}`,
  );
}

/** A sentence for an operator who has said nothing of connections and has a system that allows few; null: all is well. */
export function fewFilesWarning({ maxConnections }: Config, maxOpenFiles: number | null): string | null {
  if (maxConnections !== null || maxOpenFiles === null || maxOpenFiles >= fewFiles) return null;
  return `a process may have only ${maxOpenFiles} open files, and takes no more connections than that: ${raise(65_536)}`;
}

function raise(files: number): string {
  return `raise the limit: ulimit -n ${files} in the shell that starts dolphin, LimitNOFILE=${files} in its unit`;
}
