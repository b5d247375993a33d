// From the JSON line that pino makes to the two lines for people: the one of a terminal, and SRS's. Both are made of the same
// entry, keep one entry on one line whatever its names hold, and are coloured only for a terminal.
import { printable } from "./printable.js";

type Entry = Readonly<Record<string, unknown>>;

/** How an entry is written; the text ends without a newline. */
export type LineStyle = (entry: Entry) => string;

/** Turns one line of pino's into one of this style. */
export function restyle(line: string, style: LineStyle, hasColours: boolean): string {
  let entry: Entry;
  try {
    entry = JSON.parse(line) as Entry;
  } catch {
    return line; // not ours: print it as it is rather than lose it
  }
  const text = style(entry);
  const colour = hasColours ? colours[String(entry["level"])] : undefined;
  return colour === undefined ? `${text}\n` : `${colour}${text}\u001b[0m\n`;
}

const yellow = "\u001b[33m";
const red = "\u001b[31m";
const colours: Readonly<Record<string, string>> = { warn: yellow, error: red, fatal: red };

/** For a terminal: time, level, process, event, sentence, remaining fields. */
export function forPeople(entry: Entry): string {
  const time = String(entry["time"]).slice(11, 19);
  const who = String(entry["child"] ?? entry["role"] ?? "");
  const words = [time, String(entry["level"]).padEnd(5), who.padEnd(8), String(entry["event"] ?? ""), String(entry["msg"] ?? "")];
  const fields = fieldsOf(entry, ["level", "time", "role", "child", "pid", "event", "msg"]);
  return [...words.map(printable), ...fields].filter((word) => word !== "").join(" ");
}

/** The names that SRS prints for the levels. */
const srsLevels: Readonly<Record<string, string>> = {
  trace: "TRACE",
  debug: "DEBUG",
  info: "INFO",
  warn: "WARN",
  error: "ERROR",
  fatal: "ERROR",
};

/**
 * SRS's line, `[2026-11-21 08:52:00.975][INFO][pid][cid] sentence key=value …` in local time, with the errno in one more bracket
 * of WARN and ERROR. The cid is the connection's, or `processId` where the line is about none.
 */
export function forSrs(entry: Entry, processId: string): string {
  const level = srsLevels[String(entry["level"])] ?? "INFO";
  const brackets = [localTime(new Date(String(entry["time"]))), level, String(entry["pid"]), String(entry["conn"] ?? processId)];
  if (level === "WARN" || level === "ERROR") brackets.push(String(errnoIn(entry)));
  const hidden = ["level", "time", "pid", "conn", "msg", ...("child" in entry ? ["role"] : [])];
  const words = [printable(String(entry["msg"] ?? "")), ...fieldsOf(entry, hidden)].filter((word) => word !== "");
  return `${brackets.map((text) => `[${text}]`).join("")} ${words.join(" ")}`;
}

function localTime(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  const clock = [two(time.getHours()), two(time.getMinutes()), two(time.getSeconds())].join(":");
  return `${day} ${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** As the system counts it, above 0; 0 for an entry without an error of the system. */
function errnoIn({ err }: Entry): number {
  return typeof err === "object" && err !== null && "errno" in err && typeof err.errno === "number" ? Math.abs(err.errno) : 0;
}

function fieldsOf(entry: Entry, hidden: readonly string[]): string[] {
  return Object.entries(entry)
    .filter(([name, value]) => !hidden.includes(name) && value !== null)
    .map(([name, value]) => `${printable(name)}=${valueText(value)}`);
}

function valueText(value: unknown): string {
  if (typeof value === "object" && value !== null && "stack" in value) return valueText(value.stack);
  if (typeof value !== "string") return printable(JSON.stringify(value));
  return printable(/^[^\s"=]+$/u.test(value) ? value : JSON.stringify(value));
}
