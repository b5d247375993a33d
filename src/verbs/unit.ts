// dolphin unit: systemd units for a start with the same flags from the same folder.
import { userInfo } from "node:os";
import { fileURLToPath } from "node:url";
import { printable } from "../base/printable.js";
import { formatProblem } from "../conf/grammar/problem.js";
import { countCores } from "../master/host/cores.js";
import { loadNativeSockets } from "../master/sockets/native-socket.js";
import { publicNames } from "../master/processes/plan.js";
import { serviceText, socketText } from "../master/host/unit-text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addRunFlags, readConfig, requestOf, type RunFlags } from "./run-flags.js";
import type { AddVerb } from "./verb.js";

interface UnitFlags extends RunFlags {
  readonly socket?: boolean;
}

export const addUnit: AddVerb = (program, end) => {
  const verb = program.command("unit").description("print a systemd unit that starts with the same flags");
  addRunFlags(verb)
    .option("--socket", "the .socket unit beside it: a restart then refuses no connection")
    .action(async ({ socket, ...flags }: UnitFlags) => end(await unit(flags, socket === true)));
};

async function unit(flags: RunFlags, isSocket: boolean): Promise<number> {
  const { config, source } = readConfig(requestOf(flags));
  for (const problem of source.loaded.problems) process.stderr.write(`${printable(formatProblem(problem))}\n`);
  if (config === null) return exitCodes.config;
  if (isSocket) {
    process.stdout.write(socketText(config, publicNames(config, countCores()).length));
    return exitCodes.ok;
  }
  const facts = {
    node: process.execPath,
    bin: fileURLToPath(new URL("../../../bin/dolphin.js", import.meta.url)),
    words: process.argv.slice(process.argv.indexOf("unit") + 1),
    folder: process.cwd(),
    env: srsVariables(),
    user: userInfo().username,
    hasNativeCalls: (await loadNativeSockets()) !== null,
  };
  process.stdout.write(serviceText(config, facts));
  return exitCodes.ok;
}

function srsVariables(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value]) => (name.startsWith("SRS_") && value !== undefined ? [[name, value]] : [])),
  );
}
