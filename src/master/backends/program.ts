// How a foreign server is started in its slot: words, environment and files. Pure; process-spawner.ts carries it out.
//
//   srs 5 and later   srs -c THE USER'S FILE         ports, pid file, log by environment, which wins over the file
//   srs 2 to 4        srs -c {dir}/srs.conf          the user's file with the same things replaced: they know no environment
//   anything else     its words and template, with   {rtmp_port} {http_port} {slot} {dir} {conf}   filled in
import { join } from "node:path";
import { formatEndpoint, loopback } from "../../conf/meaning/endpoint.js";
import type { Directive } from "../../conf/grammar/parser.js";
import { formatDirectives, replaceDirectives, type Replacement } from "../../conf/grammar/write.js";
import type { Program } from "../processes/plan.js";
import type { ServerSlot } from "./slots.js";
import type { Software } from "./software.js";

export interface ProgramFacts {
  /** Whether the box serves HTTP at all. */
  readonly wantsHttp: boolean;
  /** The server's configuration as it was named; null: none. */
  readonly confPath: string | null;
  /** The text of a command's template; null: it has none. */
  readonly template: string | null;
  /** What the file of an srs says. */
  readonly srsFile: readonly Directive[];
  /** As {@link Program.api}, for an srs. */
  readonly api: Program["api"];
  /** Where an srs is started: its own `work_dir`, and what its file includes, are relative to that. */
  readonly cwd: string;
  /** Whether our own pid is 1: an srs refuses to follow such a parent. */
  readonly isInit: boolean;
}

/** The program of a foreign server in a slot. */
export function programFor(software: Exclude<Software, { kind: "builtin" }>, slot: ServerSlot, facts: ProgramFacts): Program {
  return software.kind === "srs" ? srsProgram(software, slot, facts) : commandProgram(software.argv, slot, facts);
}

/** The names that may stand in braces in a command and a template. */
export function render(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\{([a-z_]+)\}/g, (found, name: string) => values[name] ?? found);
}

function commandProgram(words: readonly string[], slot: ServerSlot, { template, wantsHttp }: ProgramFacts): Program {
  const { folder, number, rtmpPort, httpPort } = slot;
  const conf = join(folder, "server.conf");
  const values = { rtmp_port: String(rtmpPort), http_port: String(httpPort), slot: String(number), dir: folder, conf };
  return {
    argv: words.map((word) => render(word, values)),
    env: {},
    folder,
    files: template === null ? [] : [{ path: conf, text: render(template, values) }],
    servesHttp: wantsHttp && [...words, template ?? ""].some((text) => text.includes("{http_port}")),
    api: null,
    cwd: null,
  };
}

/** Whether an srs takes settings from its environment, over its file: from 5 on. */
export function readsEnvironment(major: number): boolean {
  return major >= 5;
}

function srsProgram({ path, major }: { path: string; major: number }, slot: ServerSlot, facts: ProgramFacts): Program {
  const { folder } = slot;
  const derived = join(folder, "srs.conf");
  const isOld = !readsEnvironment(major);
  // SRS refuses a file with our block, so it gets a copy without.
  const hasOurBlock = facts.srsFile.some(({ name }) => name === "dolphin");
  const needsCopy = isOld || hasOurBlock || facts.confPath === null;
  const kept = facts.srsFile.filter(({ name }) => name !== "dolphin");
  const text = formatDirectives(isOld ? replaceDirectives(kept, srsDirectives(slot, facts)) : kept);
  return {
    argv: [path, "-c", needsCopy ? derived : (facts.confPath ?? derived)],
    env: isOld ? {} : srsEnvironment(slot, facts),
    folder,
    files: needsCopy ? [{ path: derived, text }] : [],
    servesHttp: facts.wantsHttp,
    api: facts.api,
    cwd: facts.cwd,
  };
}

/**
 * What an srs is told by its environment. Everything that listens is either private or off: two of them would share a
 * port without an error, and what does not come through the proxies (TLS, UDP) would reach any of them.
 */
function srsEnvironment(slot: ServerSlot, { wantsHttp, isInit }: Pick<ProgramFacts, "wantsHttp" | "isInit">): Record<string, string> {
  const at = (port: number): string => formatEndpoint({ host: loopback, port });
  return {
    SRS_LISTEN: at(slot.rtmpPort),
    SRS_HTTP_SERVER_ENABLED: wantsHttp ? "on" : "off",
    SRS_HTTP_SERVER_LISTEN: at(slot.httpPort),
    SRS_HTTP_SERVER_HTTPS_ENABLED: "off",
    SRS_HTTP_API_LISTEN: at(slot.apiPort),
    SRS_HTTP_API_HTTPS_ENABLED: "off",
    SRS_EXPORTER_ENABLED: "off",
    SRS_RTC_SERVER_ENABLED: "off",
    SRS_SRT_SERVER_ENABLED: "off",
    SRS_DAEMON: "off",
    // It asks for its parent's pid about each second and leaves when that changes; one whose parent is pid 1 does not start.
    SRS_ASPROCESS: isInit ? "off" : "on",
    SRS_PID: join(slot.folder, "srs.pid"),
    SRS_LOG_TANK: "console",
    SRS_SRS_LOG_TANK: "console",
    // Would replace the file that it is told to read.
    SRS_CONFIG_FILE: "",
    // Its own reload would come without ours.
    SRS_INOTIFY_AUTO_RELOAD: "off",
  };
}

/** The same for an srs that is told by its file. */
function srsDirectives(slot: ServerSlot, { wantsHttp }: Pick<ProgramFacts, "wantsHttp">): Replacement[] {
  return [
    { path: ["listen"], args: [String(slot.rtmpPort)] },
    { path: ["pid"], args: [join(slot.folder, "srs.pid")] },
    { path: ["daemon"], args: ["off"] },
    { path: ["srs_log_tank"], args: ["console"] },
    { path: ["http_server", "enabled"], args: [wantsHttp ? "on" : "off"] },
    { path: ["http_server", "listen"], args: [String(slot.httpPort)] },
    { path: ["http_api", "listen"], args: [String(slot.apiPort)] },
  ];
}
