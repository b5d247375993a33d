// The way from a file to a Config, and the only one. Whoever starts a process loads once, prints every problem with
// formatProblem, and hands the Config down.
//
//   a file, or default-conf.ts ─▶ grammar/parser.ts ─▶ grammar/rewrites.ts ─▶ directives/environment.ts ─┬─▶ meaning/check.ts ─▶ problems
//                                                                                                        └─▶ building/build.ts ─▶ Config
//   words of the command line ─▶ the verb, or short-flags.ts ─▶ flags.ts: flags over that Config
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { DolphinError, messageOf } from "../base/errors.js";
import { build } from "./building/build.js";
import { check } from "./meaning/check.js";
import { builtin, type Config } from "./meaning/config.js";
import { defaultConf } from "./default-conf.js";
import type { Flags } from "./flags.js";
import { applyEnvironment, emptyConf, type Environment } from "./directives/environment.js";
import { deepFreeze } from "./meaning/freeze.js";
import { shorten } from "./grammar/lexer.js";
import { type BlankFile, type Directive, parse, type ReadFile } from "./grammar/parser.js";
import { treeInForce } from "./meaning/in-force.js";
import { errorAt, type Problem, sortProblems, warningAt } from "./grammar/problem.js";
import { rewrite } from "./grammar/rewrites.js";
import { blockIn, isGiven, rootBlock, valueOf } from "./meaning/tree.js";

export interface ConfSource {
  /** The path, as it is shown in messages and as Config.file; null: the built-in configuration. */
  readonly file: string | null;
  /** `-e`: no file is read, the environment alone is the configuration. */
  readonly isEnvOnly?: boolean;
  /** The variables that override the file; none when left out. */
  readonly env?: Environment;
  /** The text of the file, where the caller has it already. */
  readonly text?: string;
  /** Reads the file and what it includes; from the disk when left out. */
  readonly read?: ReadFile;
  /** Where relative paths of the file and of what it includes begin, though the process may have gone elsewhere since. */
  readonly cwd?: string;
  /** Whether this is a container, where the log goes to the console unless the file says otherwise. */
  readonly isContainer?: boolean;
  /** What the command line decides, as far as it says what a file must hold: an srs behind the proxies serves what we do not. */
  readonly flags?: Pick<Flags, "listen" | "plan" | "server" | "serverConf">;
}

export interface Loaded {
  /** Deeply frozen; null if and only if one of the problems is an error. */
  readonly config: Config | null;
  /** The tree in today's spelling, for {@link changesBetween}; empty where the text could not be parsed. */
  readonly directives: readonly Directive[];
  /** In the order of the text. */
  readonly problems: readonly Problem[];
  /** Included files without any text. */
  readonly blank: readonly BlankFile[];
  readonly isContainer: boolean;
}

/**
 * Loads a configuration. Never throws: a file that cannot be read is the problem CONF_FILE. A text that cannot be
 * parsed is not checked any further, since one missing semicolon would bring up a dozen consequences.
 */
export function loadConfig(source: ConfSource): Loaded {
  const { cwd, env = {}, isContainer = false, isEnvOnly = false, flags = {} } = source;
  const file = isEnvOnly ? null : source.file;
  const name = file ?? (isEnvOnly ? "-e" : "dolphin.conf");
  const start = { file: name, line: 1, column: 1 };
  const readFile = source.read ?? readText;
  const read: ReadFile = (path) => readFile(cwd === undefined ? path : resolve(cwd, path));
  let text: string;
  try {
    text = file === null ? (isEnvOnly ? emptyConf : defaultConf) : (source.text ?? read(file));
  } catch (error) {
    return refused([errorAt(start, "CONF_FILE", `cannot read the file: ${messageOf(error)}`)]);
  }
  const parsed = parse(text, name, read);
  if (parsed.problems.length > 0) return refused(parsed.problems);
  if (parsed.directives.length === 0) return refused([errorAt(start, "CONF_SYNTAX", "the file is empty")]);
  const rewritten = rewrite(parsed.directives);
  const { directives, problems: ofVariables } = applyEnvironment(rewritten.directives, env);
  const { blank } = parsed;
  const checked = check(directives, name, { isForSrs: isForSrs(directives, flags), listen: flags.listen });
  const found = [...blank.map(toldEmpty), ...rewritten.problems, ...ofVariables, ...checked];
  const problems = sortProblems(found);
  const isRefused = problems.some((problem) => problem.severity === "error");
  const config = isRefused ? null : deepFreeze(build(rootBlock(directives), { file, isContainer, isBuiltIn: file === null && !isEnvOnly }));
  return { config, directives, problems, blank, isContainer };
}

/** The configuration of a bare `dolphin`, without a file and an environment. */
export function defaultConfig(): Config {
  const { config, problems } = loadConfig({ file: null });
  if (config === null) throw new DolphinError("CONF_VALUE", `the built-in configuration is wrong: ${problems[0]?.message ?? ""}`);
  return config;
}

/**
 * What a box that runs under `running` can run under when its file says `wanted`, which must hold no error: everything but what
 * needs a restart.
 */
export function loadInForce(running: Loaded, wanted: Loaded): Loaded {
  if (wanted.config === null) return wanted;
  const directives = treeInForce(running.directives, wanted.directives);
  return {
    ...wanted,
    directives,
    config: deepFreeze(
      build(rootBlock(directives), { file: wanted.config.file, isContainer: wanted.isContainer, isBuiltIn: wanted.config.api.mayLack }),
    ),
  };
}

/** Whether plan b's servers are an unmodified srs that reads this very file. */
function isForSrs(directives: readonly Directive[], { plan, server, serverConf }: NonNullable<ConfSource["flags"]>): boolean {
  const block = blockIn(rootBlock(directives), "dolphin");
  const words = server === undefined ? valueOf(block, "server") : server.split(/\s+/).filter((word) => word !== "");
  const [word = builtin, ...more] = words; // several are a command
  const isPlanB = plan === undefined ? server !== undefined || !isGiven(block, "plan") || valueOf(block, "plan") === "b" : plan === "b";
  return isPlanB && word !== builtin && more.length === 0 && serverConf === undefined && !isGiven(block, "server_conf");
}

function toldEmpty(at: BlankFile): Problem {
  return warningAt(at, "CONF_FILE", `${shorten(at.path)} is empty: nothing comes from it`);
}

function refused(problems: readonly Problem[]): Loaded {
  return { config: null, directives: [], problems: sortProblems(problems), blank: [], isContainer: false };
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}
