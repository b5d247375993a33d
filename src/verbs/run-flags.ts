// The flags of a start, for the verbs that read a configuration as a start would: their names for commander, and the way from
// them and a file to one Config.
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { InvalidArgumentError, Option, type Command } from "commander";
import { messageOf } from "../base/errors.js";
import type { Config, Endpoint, PolicyName } from "../conf/meaning/config.js";
import { policyNames } from "../conf/directives/dolphin.js";
import { formatEndpoint, overlaps, parseListen } from "../conf/meaning/endpoint.js";
import { applyFlags, type Flags } from "../conf/flags.js";
import { loadConfig, type Loaded } from "../conf/load.js";
import { haveRested, loadQuiet } from "../conf/load-quiet.js";
import { isContainer } from "../master/host/container.js";
import type { ConfOrigin } from "../box/reloads.js";

/** What a start is asked for, whichever way the command line is written. */
export interface RunRequest {
  /** Where it was typed: paths of flags begin there, and so does every path that the file includes. */
  readonly cwd: string;
  readonly file: string | undefined;
  /** The environment is the configuration. */
  readonly isEnvOnly: boolean;
  readonly flags: Flags;
}

/** The flags as commander gives them. */
export interface RunFlags {
  readonly config?: string;
  readonly envOnly?: boolean;
  readonly daemon?: boolean;
  readonly cores?: number | "auto";
  readonly listen?: readonly Endpoint[];
  readonly http?: Endpoint | "off";
  readonly api?: Endpoint | "off";
  readonly plan?: "a" | "b" | "single";
  readonly originProcess?: "master" | "child";
  readonly server?: string;
  readonly serverConf?: string;
  readonly balance?: PolicyName;
  readonly logLevel?: Config["log"]["level"];
}

/** How long a file must not have changed for a reload to take it as whole. */
const quietMs = 200;

const plans = ["a", "b", "single"];
const levels = ["trace", "debug", "info", "warn", "error", "silent"];

export function addRunFlags(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration file, in SRS's grammar (default: what `dolphin conf` prints)")
    .option("-e, --env-only", "no file: environment variables of SRS's names are the configuration")
    .option("--daemon", "detach from the terminal once everything serves, whatever the file says")
    .option("--no-daemon", "stay in the foreground, whatever the file says")
    .option("--cores <n>", "worker processes: a number, or auto for what the CPU set and the cgroup allow", parseCores)
    .option("--listen <[ip:]port...>", "RTMP addresses", collectListen)
    .option("--http <[ip:]port>", "HTTP-FLV address, or off", parseHttp)
    .option("--api <[ip:]port>", "the HTTP API of SRS, or off", parseHttp)
    .addOption(new Option("--plan <plan>", "a: an origin and edges; b: proxies before servers; single: one server process").choices(plans))
    .addOption(new Option("--origin-process <where>", "where the origin of plan a runs").choices(["master", "child"]))
    .option(
      "--server <what>",
      "plan b's server: builtin, the path of an srs, or a command with {rtmp_port} {http_port} {slot} {dir} {conf}",
    )
    .option("--server-conf <file>", "its configuration: a template with the same names, or the file of an srs")
    .addOption(new Option("--balance <policy>", "how plan b chooses a server").choices([...policyNames]))
    .addOption(new Option("--log-level <level>", "least level of log lines").choices(levels));
}

/** The request that the flags stand for. */
export function requestOf({ config, envOnly = false, ...flags }: RunFlags): RunRequest {
  return { cwd: process.cwd(), file: config, isEnvOnly: envOnly, flags };
}

/** The file of a start. `SRS_CONFIG_FILE` replaces what `-c` names. */
export function configFile({ file }: RunRequest, env: NodeJS.ProcessEnv): string | undefined {
  return env["SRS_CONFIG_FILE"] || file;
}

/** Whether no file is read at all: `-e`, or `SRS_ENV_ONLY`. */
export function isEnvOnly(request: RunRequest, env: NodeJS.ProcessEnv): boolean {
  return request.isEnvOnly || (env["SRS_ENV_ONLY"] ?? "") !== "";
}

/** The configuration of a start: null when it holds an error, which is among the problems of `source.loaded`. */
export function readConfig(request: RunRequest): { readonly config: Config | null; readonly source: ConfOrigin } {
  const { cwd } = request;
  const file = configFile(request, process.env) ?? null;
  const files = new Set<string>();
  const readFile = (path: string): string => {
    files.add(path);
    return readFileSync(path, "utf8");
  };
  const read = (): Loaded => {
    files.clear();
    const circumstances = { isEnvOnly: isEnvOnly(request, process.env), env: process.env, isContainer: isContainer() };
    const loaded = loadConfig({ file, cwd, flags: request.flags, read: readFile, ...circumstances });
    return { ...loaded, config: loaded.config === null ? null : fromWorkDir(loaded.config, cwd) };
  };
  const loaded = read();
  const flags = pathsFrom(cwd, request.flags, loaded.config?.workDir ?? cwd);
  return {
    config: loaded.config === null ? null : applyFlags(loaded.config, flags),
    source: {
      loaded,
      flags,
      read: () =>
        loadQuiet(
          read,
          file ?? "-e",
          () => sleep(quietMs),
          () => haveRested(files),
        ),
    },
  };
}

/** The file's own path, as it is reached from `work_dir`. */
function fromWorkDir(config: Config, cwd: string): Config {
  return config.file === null || isHere(cwd, config.workDir) ? config : { ...config, file: resolve(cwd, config.file) };
}

/** The paths of flags likewise; those in the file begin in `work_dir` anyway. */
function pathsFrom(cwd: string, flags: Flags, workDir: string): Flags {
  if (isHere(cwd, workDir)) return flags;
  const { server, serverConf } = flags;
  const [program = "", ...words] = server?.split(/\s+/) ?? [];
  return {
    ...flags,
    server: program.includes("/") ? [resolve(cwd, program), ...words].join(" ") : server,
    serverConf: serverConf === undefined ? undefined : resolve(cwd, serverConf),
  };
}

function isHere(cwd: string, workDir: string): boolean {
  return resolve(cwd, workDir) === cwd;
}

const maxCores = 1024;

function parseCores(text: string): number | "auto" {
  if (text === "auto") return text;
  const cores = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (cores < 1 || cores > maxCores) throw new InvalidArgumentError(`write auto, or a number from 1 to ${maxCores}.`);
  return cores;
}

function parseAddress(text: string): Endpoint {
  try {
    return parseListen(text);
  } catch (thrown) {
    throw new InvalidArgumentError(`${messageOf(thrown)}.`);
  }
}

function collectListen(text: string, before: readonly Endpoint[] = []): Endpoint[] {
  const endpoint = parseAddress(text);
  const other = before.find((one) => overlaps(one, endpoint));
  if (other !== undefined) throw new InvalidArgumentError(`it is listened on already, by ${formatEndpoint(other)}: write one of them.`);
  return [...before, endpoint];
}

function parseHttp(text: string): Endpoint | "off" {
  return text === "off" ? text : parseAddress(text);
}
