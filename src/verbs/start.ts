// No verb at all: start a box from a file and flags. The box itself is roles/master.ts.
import { printable } from "../base/printable.js";
import { version } from "../base/version.js";
import { formatProblem } from "../conf/problem.js";
import { Signals } from "../master/signals.js";
import { welcome } from "../master/text.js";
import { exitCodes } from "../roles/exit-codes.js";
import { addRunFlags, readConfig, requestOf, type RunFlags, type RunRequest } from "./run-flags.js";
import { testConf } from "./test-conf.js";
import type { AddVerb } from "./verb.js";

interface StartFlags extends RunFlags {
  readonly test?: boolean;
}

export const addStart: AddVerb = (program, end) => {
  addRunFlags(program)
    .option("-t, --test", "test the configuration, answer as SRS does, and end")
    .action(async ({ test, ...flags }: StartFlags) => end(test === true ? testConf(requestOf(flags)) : await start(requestOf(flags))));
};

/** Starts a box and runs it until it has ended. Gives the exit code. */
export async function start(request: RunRequest): Promise<number> {
  const signals = new Signals();
  // A terminal that was closed, or a reader of the log that is gone, ends no stream.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
  const { config, source } = readConfig(request);
  for (const problem of source.loaded.problems) process.stderr.write(`${printable(formatProblem(problem))}\n`);
  if (config === null) return exitCodes.config;
  // Loaded only here, so that the other verbs do not wait for a whole server.
  const { runMaster } = await import("../roles/master.js");
  return runMaster(config, {
    version,
    signals,
    source,
    ready(box) {
      if (process.stdout.isTTY) process.stdout.write(`\n${welcome(box)}\n`);
    },
  });
}
