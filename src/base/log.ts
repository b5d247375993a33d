// Where every log line is made. A process makes one log and hands children of it (`log.child({conn})`) down.
// Lines are JSON with the fields of docs/logs.md, or SRS's text line made of the same fields; a terminal gets lines
// for people. All is written by the process itself and without pino's transports, at once or with the burst that it belongs to
// (log-buffer.ts), so no worker thread is paid for.
import { randomBytes } from "node:crypto";
import pino, { type Logger, type LoggerOptions } from "pino";
import { LogBuffer, type LogOutput } from "./log-buffer.js";
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

/** From this level on a line does not wait for others. */
const urgent = pino.levels.values["warn"] ?? 0;

let logFile: LogFile | null = null;
let logBuffer: LogBuffer | null = null;
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
  const isTerminal = file === null && process.stdout.isTTY;
  const hasColours = isTerminal && (process.env["NO_COLOR"] ?? "") === "";
  const style = format === "srs" ? srsStyle() : isTerminal ? forPeople : null;
  const output: LogOutput = file === null ? (isTerminal ? process.stdout : standardOutput()) : openFile(file);
  logBuffer?.flush();
  const buffer = new LogBuffer(output);
  logBuffer = buffer;
  const log = pino(
    settingsOf(base, () => buffer.flush()),
    style === null ? buffer : { write: (line) => buffer.write(restyle(line, style, hasColours)) },
  );
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

/** A log that takes lines like every log, and forgets them. */
export function unheardLog(): Log {
  return pino(
    settingsOf({ role: "unheard" }, () => undefined),
    { write: () => undefined },
  );
}

function settingsOf(base: object, flush: () => void): LoggerOptions {
  return {
    level: "trace",
    base,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    hooks: {
      logMethod(args, write, ofLine) {
        if (ofLine < least) return;
        write.apply(this, args);
        if (ofLine >= urgent) flush();
      },
    },
  };
}

/** Sets the least level of what this process logs from now on, also through children of its log that are there already. */
export function setLogLevel(level: LogLevel): void {
  least = pino.levels.values[level] ?? Infinity; // `silent` has no number
}

/** Writes the lines of a burst that wait for its end; else they are out within some milliseconds. */
export function flushLog(): void {
  logBuffer?.flush();
}

/**
 * Goes on in a new file where the log file of this process was moved or removed; nothing that was logged is lost.
 * Throws when it cannot be opened (ENOENT, EACCES); what is logged then goes where it went before.
 */
export function reopenLog(): void {
  flushLog(); // to where it was logged
  logFile?.reopen();
}

function srsStyle(): LineStyle {
  const processId = randomBytes(6).toString("base64url");
  return (entry) => forSrs(entry, processId);
}

function standardOutput(): LogOutput {
  const output = pino.destination({ dest: 1, sync: true, maxLength: maxWaitingBytes });
  output.on("error", () => undefined); // it keeps the line and tries again with the next one
  return output;
}
