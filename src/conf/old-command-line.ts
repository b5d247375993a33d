// The command line of the dolphin of 2015, and of SRS 2 to 4, in today's flags. Pure: words in, flags or a complaint out.
//
//   dolphin -w WORKERS -p RTMP_PORTS -x HTTP_PORTS -b SRS -c SRS_CONF -s SRS_RTMP_PORTS -y SRS_HTTP_PORTS      (2015)
//   srs     -p RTMP_PORT -x HTTP_PORT -c CONF                                                                  (SRS 2 to 4)
//
// Lists are separated by commas. All seven were required then; what has a plain meaning when it is missing may be missing now:
// -w is every core, -s and -y are chosen, no -x serves no HTTP. Unknown options were ignored, and are refused now.
import type { Endpoint } from "./config.js";
import type { Flags } from "./flags.js";

/** What an old command line asks for, or why it cannot be followed. */
export type OldCommandLine =
  | { readonly file: string | undefined; readonly flags: Flags }
  /** A sentence for the user. */
  | { readonly complaint: string };

const letters = ["w", "p", "x", "b", "c", "s", "y"] as const;
type Letter = (typeof letters)[number];
/** Any of these makes a command line an old one: no flag of today is spelled so. */
const marks: ReadonlySet<string> = new Set(["w", "p", "x", "b", "s", "y"]);

/** Reads a command line as an old one; null when it is not one. */
export function readOldCommandLine(words: readonly string[]): OldCommandLine | null {
  if (!words.some((word) => /^-[a-z]/.test(word) && marks.has(word.charAt(1)))) return null;
  const given = new Map<Letter, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    const letter = letters.find((one) => word.startsWith(`-${one}`));
    if (letter === undefined) return { complaint: `${word} does not go with -w -p -x -b -s -y -c, the command line of 2015` };
    const value = word.length > 2 ? word.slice(2) : (words[(at += 1)] ?? "");
    if (value === "") return { complaint: `-${letter} needs a value` };
    given.set(letter, value);
  }
  try {
    return { file: given.get("c"), flags: given.has("b") ? flagsOf2015(given) : flagsOfSrs(given) };
  } catch (thrown) {
    return { complaint: thrown instanceof Error ? thrown.message : String(thrown) };
  }
}

function flagsOf2015(given: ReadonlyMap<Letter, string>): Flags {
  const server = given.get("b");
  if (given.get("p") === undefined || given.get("c") === undefined) throw new Error("-b needs -p RTMP_PORTS and -c SRS_CONF");
  const cores = given.get("w");
  const rtmp = portsOf(given, "s");
  const http = portsOf(given, "y");
  if (rtmp.length === 0 && http.length > 0) throw new Error("-y needs -s: the ports of the servers in the same order");
  if (http.length > 0 && http.length !== rtmp.length) throw new Error("-s and -y must name as many ports, one of each for every server");
  if (cores !== undefined && !/^[1-9]\d{0,2}$/.test(cores)) throw new Error(`-w ${cores} is not a number of workers`);
  return {
    plan: "b",
    server,
    cores: cores === undefined ? undefined : Number(cores),
    listen: endpointsOf(given, "p"),
    http: given.has("x") ? endpointsOf(given, "x") : "off",
    servers: rtmp.length === 0 ? undefined : rtmp.length,
    serverPorts: rtmp.length === 0 ? undefined : { rtmp, http },
  };
}

/** `-p` set listen and `-x` http_server; both kept the process in the foreground, where ours always is. */
function flagsOfSrs(given: ReadonlyMap<Letter, string>): Flags {
  for (const letter of ["w", "s", "y"] as const) {
    if (given.has(letter)) throw new Error(`-${letter} needs -b SRS: the program that is started behind the proxies`);
  }
  const http = endpointsOf(given, "x");
  return { listen: endpointsOf(given, "p"), http: http.length === 0 ? undefined : http };
}

/** All addresses of IPv4, as then. */
function endpointsOf(given: ReadonlyMap<Letter, string>, letter: Letter): Endpoint[] {
  return portsOf(given, letter).map((port) => ({ host: "0.0.0.0", port }));
}

function portsOf(given: ReadonlyMap<Letter, string>, letter: Letter): number[] {
  const text = given.get(letter);
  const ports = (text === undefined ? [] : text.split(",")).map((word) => (/^\d{1,5}$/.test(word) ? Number(word) : 0));
  if (ports.some((port) => port < 1 || port > 65_535)) throw new Error(`-${letter} ${text ?? ""} is not a list of ports such as 1935,1936`);
  if (new Set(ports).size !== ports.length) throw new Error(`-${letter} ${text ?? ""} names a port twice`);
  return ports;
}
