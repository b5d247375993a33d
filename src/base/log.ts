// Where every log line is made. A process makes one log and hands children of it (`log.child({conn})`) down.
// Lines are JSON with the fields of docs/ARCHITECTURE.md; on a terminal the same lines are printed for people.
// pino writes synchronously and without transports: a line is out before a crash, and no worker thread is paid for.
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import pino, { type Logger } from "pino";

/** The logger that is handed through the layers. */
export type Log = Logger;

/** Levels from chatty to quiet, as pino names them. */
type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "silent";

export interface LogOptions {
  /** The kind of process: `master`, `server`, `proxy`. */
  readonly role: string;
  /** The name of the child (`edge-1`), or null for the master. */
  readonly child: string | null;
  readonly level: LogLevel;
  /** The file to append to, made with its folders when missing; null writes to standard output. */
  readonly file: string | null;
}

/** The files that logs of this process are written to. */
const destinations: { readonly file: string; readonly destination: ReturnType<typeof pino.destination> }[] = [];

/** Makes the process's log. The caller owns it for the life of the process; file errors throw at once (ENOENT, EACCES). */
export function createLog(options: LogOptions): Log {
  const { role, child, level, file } = options;
  const base = child === null ? { role, pid: process.pid } : { role, child, pid: process.pid };
  const settings = {
    level,
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  if (file !== null) {
    mkdirSync(dirname(file), { recursive: true });
    const destination = pino.destination({ dest: file, append: true, sync: true });
    destinations.push({ file, destination });
    return pino(settings, destination);
  }
  if (process.stdout.isTTY) return pino(settings, { write: (line) => void process.stdout.write(forPeople(line)) });
  return pino(settings, pino.destination({ dest: 1, sync: true }));
}

/**
 * Goes on in a new file where the log file of this process was moved or removed; nothing that was logged is lost.
 * Throws when a file cannot be opened (ENOENT, EACCES); what is logged then goes where it went before.
 */
export function reopenLog(): void {
  for (const { file, destination } of destinations) {
    closeSync(openSync(file, "a")); // a destination that cannot be reopened would end the process
    destination.flushSync();
    destination.reopen();
  }
}

const plainFields = new Set(["level", "time", "role", "child", "pid", "event", "msg"]);

/** Turns one JSON log line into one for a terminal: time, level, process, event, sentence, remaining fields. */
export function forPeople(line: string): string {
  let entry: Record<string, unknown>;
  try {
    entry = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return line; // not ours: print it as it is rather than lose it
  }
  const time = String(entry["time"]).slice(11, 19);
  const who = String(entry["child"] ?? entry["role"] ?? "");
  const rest = Object.entries(entry)
    .filter(([name]) => !plainFields.has(name))
    .map(([name, value]) => `${name}=${typeof value === "object" ? JSON.stringify(value) : String(value)}`);
  const words = [time, String(entry["level"]).padEnd(5), who.padEnd(8), String(entry["event"] ?? ""), String(entry["msg"] ?? ""), ...rest];
  return `${words.filter((word) => word !== "").join(" ")}\n`;
}
