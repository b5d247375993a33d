// Command lines of single letters: those of SRS, of SRS 2 to 4 with their ports, and of the dolphin of 2015. One reader for
// all of them, with SRS's rules. Pure: words in, what is asked for out.
//
//   srs     -t -e -v -g -h -c CONF                                                                             (SRS 5 to 7)
//   srs     -p RTMP_PORT -x HTTP_PORT -c CONF                                                                  (SRS 2 to 4)
//   dolphin -w WORKERS -p RTMP_PORTS -x HTTP_PORTS -b SRS -c SRS_CONF -s SRS_RTMP_PORTS -y SRS_HTTP_PORTS      (2015)
//
// Of the last all seven were required; what has a plain meaning when it is missing may be missing now.
import type { Endpoint } from "./meaning/config.js";
import type { Flags } from "./flags.js";

/** What a line of short flags asks for, or why it cannot be followed. */
export type ShortLine =
  | {
      readonly ask: "start" | "test";
      /** After `-c`. */
      readonly file: string | undefined;
      /** `-e`: the environment is the configuration. */
      readonly isEnvOnly: boolean;
      readonly flags: Flags;
    }
  | { readonly ask: "version" | "signature" | "help" }
  /** A sentence for the user. */
  | { readonly ask: "nothing"; readonly complaint: string };

const answers: Readonly<Record<string, "version" | "signature" | "help">> = {
  v: "version",
  V: "version",
  g: "signature",
  G: "signature",
  h: "help",
  "?": "help",
};
const lettersWithValue = ["c", "w", "p", "x", "b", "s", "y"] as const;
type Letter = (typeof lettersWithValue)[number];
/** No flag with a long name has these letters, so any of them makes a line a short one. */
const shortOnly = /^-[wpxbsy]/;

/** Reads a line that consists of short flags; null when it has long ones or a verb, which are read elsewhere. */
export function readShortFlags(words: readonly string[]): ShortLine | null {
  const [first = ""] = words;
  const long = words.find((word) => /^--./.test(word) && word !== "--help" && word !== "--version");
  if (!first.startsWith("-") || (long !== undefined && !words.some((word) => shortOnly.test(word)))) return null;
  if (long !== undefined) return complain(`${long} does not go with -w -p -x -b -s -y: write --cores, --listen, --http or --server`);
  return readLetters(words);
}

/** As SRS: the dashes before a word do not count, then each letter is a flag, and what follows one that takes a value is its value. */
function readLetters(words: readonly string[]): ShortLine {
  const given = new Map<Letter, string>();
  const seen = new Set<string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-")) return { ask: "help" };
    const letters = word.replace(/^-+/, "");
    for (let index = 0; index < letters.length; index++) {
      const name = letters.charAt(index);
      const answer = answers[name];
      if (answer !== undefined) return { ask: answer };
      const letter = lettersWithValue.find((one) => one === name);
      if (letter === undefined) {
        if (name !== "t" && name !== "e") return complain(`invalid option -${name}`);
        seen.add(name);
        continue;
      }
      const value = letters.slice(index + 1) || (words[(at += 1)] ?? "");
      if (value === "") return complain(`invalid option -${letter}: it needs a value`);
      given.set(letter, value);
      break;
    }
  }
  try {
    const flags = given.has("b") ? flagsOf2015(given) : flagsOfSrs(given);
    return { ask: seen.has("t") ? "test" : "start", file: given.get("c"), isEnvOnly: seen.has("e"), flags };
  } catch (thrown) {
    return complain(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function complain(complaint: string): ShortLine {
  return { ask: "nothing", complaint };
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
    ...inForeground,
    plan: "b",
    server,
    cores: cores === undefined ? undefined : Number(cores),
    listen: endpointsOf(given, "p"),
    http: given.has("x") ? endpointsOf(given, "x") : "off",
    servers: rtmp.length === 0 ? undefined : rtmp.length,
    serverPorts: rtmp.length === 0 ? undefined : { rtmp, http },
  };
}

/** Whoever gives ports is a supervisor: the 2015 dolphin knew nothing else, and SRS 2 to 4 stayed then, too. */
const inForeground = { daemon: false, logFile: null } satisfies Flags;

/** `-p` sets listen and `-x` http_server. */
function flagsOfSrs(given: ReadonlyMap<Letter, string>): Flags {
  for (const letter of ["w", "s", "y"] as const) {
    if (given.has(letter)) throw new Error(`-${letter} needs -b SRS: the program that is started behind the proxies`);
  }
  const http = endpointsOf(given, "x");
  if (!given.has("p") && !given.has("x")) return {};
  return { ...inForeground, listen: endpointsOf(given, "p"), http: http.length === 0 ? undefined : http };
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
