// Where every log line is made. A process makes one log and hands children of it (`log.child({conn})`) down.
// Lines are JSON with the fields of docs/logs.md, or SRS's text line made of the same fields; a terminal gets lines
// for people. All is written synchronously and without pino's transports: a line is out before a crash, and no worker thread is paid for.
import { randomBytes } from "node:crypto";
import pino, { type Logger, type LoggerOptions } from "pino";
import { LogFile } from "./log-file.js";
import { forPeople, forSrs, restyle, type LineStyle } from "./log-lines.js";

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
  readonly format: "json" | "srs";
  /** The file to append to, made with its folders when missing; null writes to standard output. */
  readonly file: string | null;
}

/** What waits in memory for a standard output that takes nothing, a file on a full disk; lines beyond it are lost. */
const maxWaitingBytes = 256 * 1024;

let logFile: LogFile | null = null;
/** The least level that is written, as pino numbers it. Held here, for a child of a log has a level of its own from its birth on. */
let least = Infinity;

/**
 * Makes the process's log. The caller owns it for the life of the process; file errors throw at once (ENOENT, EACCES).
 * A terminal gets colours, unless `NO_COLOR` is set.
 */
export function createLog(options: LogOptions): Log {
  const { role, child, level, format, file } = options;
  const base = child === null ? { role, pid: process.pid } : { role, child, pid: process.pid };
  setLogLevel(level);
  const settings: LoggerOptions = {
    level: "trace",
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: {
      logMethod(args, write, ofLine) {
        if (ofLine >= least) write.apply(this, args);
      },
    },
  };
  const isTerminal = file === null && process.stdout.isTTY;
  const hasColours = isTerminal && (process.env["NO_COLOR"] ?? "") === "";
  const style = format === "srs" ? srsStyle() : isTerminal ? forPeople : null;
  const output = file === null ? (isTerminal ? process.stdout : standardOutput()) : openFile(file);
  const log = pino(settings, style === null ? output : { write: (line) => void output.write(restyle(line, style, hasColours)) });
  return log;

  function openFile(path: string): LogFile {
    logFile = new LogFile(path, (lines, reason) => {
      log.warn(
        { event: "log.recovered", code: "LOG_WRITE", reason, lines },
        `the log could not be written; ${lines} lines of this process are lost`,
      );
    });
    return logFile;
  }
}

/** Sets the least level of what this process logs from now on, also through children of its log that are there already. */
export function setLogLevel(level: LogLevel): void {
  least = pino.levels.values[level] ?? Infinity; // `silent` has no number
}

/**
 * Goes on in a new file where the log file of this process was moved or removed; nothing that was logged is lost.
 * Throws when it cannot be opened (ENOENT, EACCES); what is logged then goes where it went before.
 */
export function reopenLog(): void {
  logFile?.reopen();
}

function srsStyle(): LineStyle {
  const processId = randomBytes(6).toString("base64url");
  return (entry) => forSrs(entry, processId);
}

function standardOutput(): { write(line: string): unknown } {
  const output = pino.destination({ dest: 1, sync: true, maxLength: maxWaitingBytes });
  output.on("error", () => undefined); // it keeps the line and tries again with the next one
  return output;
}
