// dolphin check: would a start with the same flags succeed? Everything that would stop it is told at once: the configuration, and
// what the machine has to give. -t looks at the configuration alone and answers as SRS does.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printable } from "../base/printable.js";
import type { Config } from "../conf/meaning/config.js";
import { formatProblem } from "../conf/grammar/problem.js";
import { preflight, type Finding } from "../master/preflight.js";
import { exitCodes } from "../base/exit-codes.js";
import { checkServers } from "../box/plan-b/server-check.js";
import { addRunFlags, readConfig, requestOf, type RunFlags, type RunRequest } from "./run-flags.js";
import type { AddVerb } from "./verb.js";
import { enterWorkDir } from "./work-dir.js";

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
    const findings = await findAll(config, request.cwd);
    for (const { severity, sentence } of findings) say(`${severity}: ${sentence}`);
    errors += findings.filter(({ severity }) => severity === "error").length;
  }
  say(errors === 0 ? "dolphin would start" : `dolphin would not start: ${errors === 1 ? "one error" : `${errors} errors`}`);
  return errors === 0 ? exitCodes.ok : exitCodes.config;
}

/** A `work_dir` that is missing is told, and for what else there is to tell taken as one that has just been made: empty. */
async function findAll(config: Config, cwd: string): Promise<Finding[]> {
  const findings = enterWorkDir(config);
  const empty = findings.length === 0 ? null : mkdtempSync(join(tmpdir(), "dolphin-check-"));
  if (empty !== null) process.chdir(empty);
  findings.push(...(await preflight(config)), ...(await checkServers(config, cwd)));
  if (empty !== null) rmSync(empty, { recursive: true });
  return findings;
}

function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}
