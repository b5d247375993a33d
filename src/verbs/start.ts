// No verb at all: start a box from a file and flags. The box itself is box/box.ts.
import { resolve } from "node:path";
import { printable } from "../base/printable.js";
import { version } from "../base/version.js";
import type { Config } from "../conf/meaning/config.js";
import { formatProblem, type Problem } from "../conf/grammar/problem.js";
import { nearest } from "../conf/directives/suggest.js";
import { isContainer } from "../master/host/container.js";
import { findLauncher, launchDaemon, reasonToStay, type Launcher } from "../master/host/daemon.js";
import { Signals } from "../master/host/signals.js";
import { welcome } from "../master/control/text.js";
import { exitCodes } from "../base/exit-codes.js";
import type { MasterOptions } from "../roles/master.js";
import { Predecessor } from "../box/predecessor.js";
import { addRunFlags, readConfig, requestOf, type RunFlags, type RunRequest } from "./run-flags.js";
import { testConf } from "./test-conf.js";
import { commandName, complain, type AddVerb } from "./verb.js";
import { enterWorkDir } from "./work-dir.js";

interface StartFlags extends RunFlags {
  readonly test?: boolean;
}

export const addStart: AddVerb = (program, end) => {
  addRunFlags(program)
    .option("-t, --test", "test the configuration, answer as SRS does, and end")
    .allowExcessArguments() // a word that is no verb comes here
    .action(async ({ test, ...flags }: StartFlags) => {
      const [word] = program.args;
      if (word !== undefined) {
        const verbs = program.commands.map((verb) => verb.name());
        complain(noSuchVerb(word, verbs));
        return end(exitCodes.usage);
      }
      end(test === true ? testConf(requestOf(flags)) : await start(requestOf(flags)));
    });
};

/** What those probably meant who looked for a verb that is a signal or nothing at all. */
const otherWays: ReadonlyMap<string, string> = new Map([
  ["start", "`dolphin` alone starts, with -c FILE or other flags"],
  ["run", "`dolphin` alone starts, with -c FILE or other flags"],
  ["stop", "`kill $(dolphin status --pid)` ends a box, kill -QUIT when everybody has left"],
]);

function noSuchVerb(word: string, verbs: readonly string[]): string {
  const file = /[./]/.test(word) ? `a file is given by a flag: dolphin -c ${word}` : null;
  const similar = nearest(word, verbs);
  const meant = similar === null ? `they are ${verbs.join(", ")}` : `did you mean "${similar}"?`;
  return printable(`there is no verb "${word}": ${otherWays.get(word) ?? file ?? meant}`);
}

/** Starts a box and runs it until it has ended, or leaves it in the background. Gives the exit code. */
export async function start(request: RunRequest): Promise<number> {
  const predecessor = Predecessor.find(process.env);
  const launcher = predecessor === null ? findLauncher() : null;
  const { config, source } = readConfig(request);
  if (launcher === null || config === null) tell(source.loaded.problems); // the launcher has told them otherwise
  if (config === null) {
    predecessor?.refused(source.loaded.problems.map(formatProblem).join("; "));
    await predecessor?.close();
    return exitCodes.config;
  }
  if (predecessor !== null) return serve(config, { launcher, predecessor, source, stays: null, cwd: request.cwd });
  const stays = config.daemon ? reasonToStay(config, isContainer(), process.env) : null;
  if (config.daemon && stays === null && launcher === null) return launch(config);
  return serve(config, { launcher, predecessor, source, stays, cwd: request.cwd });
}

function tell(problems: readonly Problem[]): void {
  for (const problem of problems) process.stderr.write(`${printable(formatProblem(problem))}\n`);
}

/** What a person needs to know of a box that goes on without him. */
function launch(config: Config): Promise<number> {
  return launchDaemon(config, {
    refused: complain,
    ready(box) {
      const { file } = config.log;
      const isTerminal = process.stdout.isTTY;
      const log =
        file === null ? "nowhere: a daemon has no terminal; write srs_log_tank file, or daemon off" : resolve(config.workDir, file);
      if (isTerminal) process.stdout.write(`\n${welcome(box, { command: commandName(), stop: `kill ${box.pid}` })}  log      ${log}\n`);
      // Where the log goes to this very output, it has told already.
      else if (file !== null) process.stdout.write(`dolphin ${box.version} serves in the background, pid ${box.pid}, log ${log}\n`);
    },
  });
}

interface Circumstances extends Pick<MasterOptions, "source" | "stays" | "cwd" | "predecessor"> {
  readonly launcher: Launcher | null;
}

async function serve(config: Config, { launcher, predecessor, source, stays, cwd }: Circumstances): Promise<number> {
  const signals = new Signals();
  const waiting = launcher ?? predecessor;
  const refused = (sentence: string): void => (waiting === null ? complain(sentence) : waiting.refused(sentence));
  const code = await run();
  await waiting?.close();
  return code;

  async function run(): Promise<number> {
    const [misplaced] = enterWorkDir(config);
    if (misplaced !== undefined) {
      refused(misplaced.sentence);
      return exitCodes.config;
    }
    // Loaded only here, so that the other verbs do not wait for a whole server.
    const { runMaster } = await import("../roles/master.js");
    return runMaster(config, {
      version,
      signals,
      source,
      stays,
      cwd,
      predecessor,
      ready(box) {
        launcher?.ready(box);
        const how = { command: commandName(), stop: `Ctrl-C, or kill ${box.pid}` };
        if (waiting === null && process.stdout.isTTY) process.stdout.write(`\n${welcome(box, how)}\n`);
      },
      refused(sentence) {
        if (waiting !== null || config.log.file !== null) refused(sentence); // the console has the line of the log
      },
    });
  }
}
