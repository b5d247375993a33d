// The command line: from words to a configuration and a verb, and from what a verb returns to an exit code. What the verbs do
// is elsewhere: roles/master.ts runs a box, master/control-client.ts asks one.
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { messageOf } from "./base/errors.js";
import { version } from "./base/version.js";
import { policyNames, type Config, type Endpoint, type PolicyName } from "./conf/config.js";
import { defaultConf } from "./conf/default-conf.js";
import { parseListen } from "./conf/endpoint.js";
import { applyFlags, type Flags } from "./conf/flags.js";
import { defaultConfig, loadConfig } from "./conf/load.js";
import { readOldCommandLine } from "./conf/old-command-line.js";
import { formatProblem } from "./conf/problem.js";
import { drain, fetchExplanation, fetchStatus, findRunning } from "./master/control-client.js";
import { listControlSockets } from "./master/control-path.js";
import { Signals } from "./master/signals.js";
import type { BoxStatus } from "./master/status.js";
import { explanationText, printable, statusText, welcome } from "./master/text.js";
import { exitCodes } from "./roles/exit-codes.js";

const examples = `
Examples:
  dolphin                                    RTMP on 1935, HTTP-FLV on 8080, every core
  dolphin --cores 4 --listen 1935            four edges around one origin
  dolphin --listen 127.0.0.1:1935 --http off RTMP on the loopback only
  dolphin -c conf/edge.conf                  what the file says, in SRS's words; flags win over it
  dolphin --server objs/srs -c conf/srs.conf proxies before an unmodified srs for each core (plan b)
  dolphin status                             from another terminal: processes and streams
  dolphin explain live/livestream            which server has a stream, or would get it, and why (plan b)
  dolphin drain server-2                     no new connections for a server (plan b)
  dolphin conf > my.conf                     a file to start from

Publish and watch:
  ffmpeg -re -i FILE -c copy -f flv rtmp://HOST/live/livestream
  ffplay rtmp://HOST/live/livestream
  ffplay http://HOST:8080/live/livestream.flv

Signals: TERM, INT and QUIT stop within a bound, the second one at once.
Exit codes: 0 stopped, 64 usage, 69 nobody to ask, 70 internal, 71 cannot fork, 73 cannot make the pid file or control
socket, 75 gave up (try again), 77 no permission for the port, 78 configuration, 98 address in use.`;

interface RunFlags {
  readonly config?: string;
  readonly cores?: number | "auto";
  readonly listen?: readonly Endpoint[];
  readonly http?: Endpoint | "off";
  readonly plan?: "a" | "b" | "single";
  readonly originProcess?: "master" | "child";
  readonly server?: string;
  readonly serverConf?: string;
  readonly balance?: PolicyName;
  readonly logLevel?: Config["log"]["level"];
}

interface AskFlags {
  readonly json?: boolean;
  readonly socket?: string;
}

/** Runs one command line and ends the process with its exit code. */
export async function main(words: readonly string[]): Promise<void> {
  process.exit(await run(words));
}

async function run(words: readonly string[]): Promise<number> {
  let code: number = exitCodes.ok;
  const old = readOldCommandLine(words);
  if (old !== null) {
    if (!("complaint" in old)) return serve(old.file, old.flags);
    complain(`${old.complaint}\n(dolphin --help tells more)`);
    return exitCodes.usage;
  }
  const program = new Command("dolphin")
    .description("A live-streaming server that uses every core: publish by RTMP, watch by RTMP and HTTP-FLV.")
    .exitOverride()
    .enablePositionalOptions()
    .showHelpAfterError("(dolphin --help tells more)")
    .version(version, "-v, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .option("-c, --config <file>", "configuration file, in SRS's grammar (default: what `dolphin conf` prints)")
    .option("--cores <n>", "worker processes: a number, or auto for what the CPU set and the cgroup allow", parseCores)
    .option("--listen <[ip:]port...>", "RTMP addresses", collectListen)
    .option("--http <[ip:]port>", "HTTP-FLV address, or off", parseHttp)
    .addOption(
      new Option("--plan <plan>", "a: an origin and edges; b: proxies before servers; single: one server process").choices([
        "a",
        "b",
        "single",
      ]),
    )
    .addOption(new Option("--origin-process <where>", "where the origin of plan a runs").choices(["master", "child"]))
    .option(
      "--server <what>",
      "plan b's server: builtin, the path of an srs, or a command with {rtmp_port} {http_port} {slot} {dir} {conf}",
    )
    .option("--server-conf <file>", "its configuration: a template with the same names, or the file of an srs")
    .addOption(new Option("--balance <policy>", "how plan b chooses a server").choices([...policyNames]))
    .addOption(new Option("--log-level <level>", "least level of log lines").choices(["trace", "debug", "info", "warn", "error", "silent"]))
    .addHelpText("after", examples)
    .action(async ({ config, ...flags }: RunFlags) => {
      code = await serve(config, flags);
    });
  program
    .command("status")
    .description("show the processes and streams of the dolphin that runs here")
    .option("--json", "as JSON")
    .option("--socket <path>", "its control socket, where several run")
    .action(async ({ socket, json }: AskFlags) => {
      code = await ask(async () => {
        const { status } = socket === undefined ? await onlyRunning() : { status: await fetchStatus(socket) };
        return json === true ? `${JSON.stringify(status, null, 2)}\n` : statusText(status);
      });
    });
  program
    .command("explain <stream>")
    .description("plan b: which server has a stream, or would get it, and why ([vhost/]app/stream)")
    .option("--json", "as JSON")
    .option("--socket <path>", "its control socket, where several run")
    .action(async (stream: string, { socket, json }: AskFlags) => {
      code = await ask(async () => {
        const explanation = await fetchExplanation(socket ?? (await onlyRunning()).path, streamKey(stream));
        return json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation);
      });
    });
  for (const verb of ["drain", "undrain"] as const) {
    program
      .command(`${verb} <server>`)
      .description(`plan b: ${verb === "drain" ? "give a server no new connections" : "give it connections again"}`)
      .option("--socket <path>", "its control socket, where several run")
      .action(async (server: string, { socket }: AskFlags) => {
        code = await ask(async () => {
          await drain(socket ?? (await onlyRunning()).path, server, verb === "drain");
          return "";
        });
      });
  }
  program
    .command("conf")
    .description("print the configuration that a bare `dolphin` runs with")
    .action(() => void process.stdout.write(defaultConf));
  try {
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    complain(messageOf(thrown));
    return exitCodes.internal;
  }
}

async function serve(file: string | undefined, flags: Flags): Promise<number> {
  const signals = new Signals();
  // A terminal that was closed, or a reader of the log that is gone, ends no stream.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
  const config = readConfig(file, flags);
  if (config === null) return exitCodes.config;
  // Loaded only here, so that the other verbs do not wait for a whole server.
  const { runMaster } = await import("./roles/master.js");
  return runMaster(config, {
    version,
    signals,
    ready(box) {
      if (process.stdout.isTTY) process.stdout.write(`\n${welcome(box)}\n`);
    },
  });
}

function readConfig(file: string | undefined, flags: Flags): Config | null {
  if (file === undefined) return applyFlags(defaultConfig(), flags);
  const { config, problems } = loadConfig({ file });
  for (const problem of problems) process.stderr.write(`${printable(formatProblem(problem))}\n`);
  return config === null ? null : applyFlags(config, flags);
}

/** Prints what a running box answered, or why there is no answer. */
async function ask(question: () => Promise<string>): Promise<number> {
  try {
    process.stdout.write(await question());
    return exitCodes.ok;
  } catch (thrown) {
    complain(messageOf(thrown));
    return exitCodes.unavailable;
  }
}

/** A key as the box has it; without a vhost it is one of the default vhost. */
function streamKey(text: string): string {
  const names = text.split("/");
  return names.length <= 2 ? `__defaultVhost__/${text}` : text;
}

/** Throws a sentence for people when there is not exactly one. */
async function onlyRunning(): Promise<{ readonly path: string; readonly status: BoxStatus }> {
  const running = await findRunning(listControlSockets(process.env));
  const [first, ...others] = running;
  if (first === undefined) {
    throw new Error("no dolphin of this user runs here. Start one with `dolphin`, or name its control socket with --socket.");
  }
  if (others.length === 0) return first;
  const list = running.map(({ path, status }) => `  dolphin status --socket ${path}    pid ${status.pid}, plan ${status.plan}`);
  throw new Error(`several run here; name one:\n${list.join("\n")}`);
}

function complain(sentence: string): void {
  process.stderr.write(`dolphin: ${sentence}\n`);
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

function collectListen(text: string, before: readonly Endpoint[] | undefined): Endpoint[] {
  return [...(before ?? []), parseAddress(text)];
}

function parseHttp(text: string): Endpoint | "off" {
  return text === "off" ? text : parseAddress(text);
}
