// -t: is this configuration right? The answer is SRS's, on standard output: what is wrong first, then the two lines (or the one)
// that scripts look for, and SRS's exit codes. `dolphin check` looks at the machine as well.
import { printable } from "../base/printable.js";
import { formatProblem } from "../conf/grammar/problem.js";
import { findImpossible } from "../master/preflight.js";
import { exitCodes } from "../base/exit-codes.js";
import { configFile, isEnvOnly, readConfig, type RunRequest } from "./run-flags.js";
import { enterWorkDir } from "./work-dir.js";

/** Tests a configuration without opening anything. Gives 0 or 255. */
export function testConf(request: RunRequest): number {
  const file = isEnvOnly(request, process.env) ? null : configFile(request, process.env);
  if (file === undefined) return refuse("no config file: name one with -c");
  const name = file ?? "of the environment";
  const { config, source } = readConfig(request);
  const { problems } = source.loaded;
  const findings = config === null ? [] : [...enterWorkDir(config), ...findImpossible(config)];
  for (const problem of problems) say(formatProblem(problem));
  for (const { sentence } of findings) say(sentence);
  const errors = [...problems, ...findings].filter(({ severity }) => severity === "error").length;
  if (errors > 0) {
    refuse(`invalid config: ${errors === 1 ? "the error is" : `${errors} errors are`} told above`);
    say(`the config file ${name} test is failed`);
    return exitCodes.srsConfig;
  }
  say(`the config file ${name} syntax is ok`);
  say(`the config file ${name} test is successful`);
  return exitCodes.ok;
}

/** Says no in SRS's words. Gives its exit code. */
export function refuse(sentence: string): number {
  say(`${sentence} code=1023(ConfigInvalid)`);
  return exitCodes.srsConfig;
}

function say(line: string): void {
  process.stdout.write(`${printable(line)}\n`);
}
