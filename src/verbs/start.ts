// No verb at all: start a box from a file and flags. The box itself is roles/master.ts.
import { version } from "../base/version.js";
import type { Flags } from "../conf/flags.js";
import { Signals } from "../master/signals.js";
import { welcome } from "../master/text.js";
import { exitCodes } from "../roles/exit-codes.js";
import { addRunFlags, readConfig, type RunFlags } from "./run-flags.js";
import type { AddVerb } from "./verb.js";

export const addStart: AddVerb = (program, end) => {
  addRunFlags(program).action(async ({ config, ...flags }: RunFlags) => end(await start(config, flags)));
};

/** Starts a box and runs it until it has ended. Gives the exit code. */
export async function start(file: string | undefined, flags: Flags): Promise<number> {
  const signals = new Signals();
  // A terminal that was closed, or a reader of the log that is gone, ends no stream.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => undefined);
  const config = readConfig(file, flags);
  if (config === null) return exitCodes.config;
  // Loaded only here, so that the other verbs do not wait for a whole server.
  const { runMaster } = await import("../roles/master.js");
  return runMaster(config, {
    version,
    signals,
    ready(box) {
      if (process.stdout.isTTY) process.stdout.write(`\n${welcome(box)}\n`);
    },
  });
}
