// dolphin check: would a start with the same flags succeed? Everything that would stop it is told at once: the configuration, and
// what the machine has to give. -t looks at the configuration alone and answers as SRS does.
import { messageOf } from "../base/errors.js";
import { printable } from "../base/printable.js";
import { formatProblem } from "../conf/problem.js";
import { preflight, refusal, type Finding } from "../master/preflight.js";
import { exitCodes } from "../roles/exit-codes.js";
import { checkServers } from "../roles/server-check.js";
import { addRunFlags, readConfig, requestOf, type RunFlags, type RunRequest } from "./run-flags.js";
import type { AddVerb } from "./verb.js";

export const addCheck: AddVerb = (program, end) => {
  const verb = program.command("check").description("tell everything that would stop a start with the same flags; starts nothing");
  addRunFlags(verb).action(async (flags: RunFlags) => end(await check(requestOf(flags))));
};

/** Gives 0, or 78 when a start would fail. */
async function check(request: RunRequest): Promise<number> {
  const { config, source } = readConfig(request);
  for (const problem of source.loaded.problems) say(`${problem.severity}: ${formatProblem(problem)}`);
  let errors = source.loaded.problems.filter(({ severity }) => severity === "error").length;
  if (config !== null) {
    const findings = enter(config.workDir);
    if (findings.length === 0) findings.push(...(await preflight(config)), ...(await checkServers(config)));
    for (const { severity, sentence } of findings) say(`${severity}: ${sentence}`);
    errors += findings.filter(({ severity }) => severity === "error").length;
  }
  say(errors === 0 ? "dolphin would start" : `dolphin would not start: ${errors === 1 ? "one error" : `${errors} errors`}`);
  return errors === 0 ? exitCodes.ok : exitCodes.config;
}

/** Relative paths of the configuration begin in its `work_dir`. */
function enter(workDir: string): Finding[] {
  try {
    process.chdir(workDir);
    return [];
  } catch (thrown) {
    return [refusal(`cannot change to the work_dir ${workDir}: ${messageOf(thrown)}; make it, or correct work_dir`)];
  }
}

function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}
