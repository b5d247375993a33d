// The way from a file to a Config, and the only one: read → parse → rewrite old spellings → check → build → freeze.
// Whoever starts a process loads once, prints every problem with formatProblem, and hands the Config down.
import { readFileSync } from "node:fs";
import { DolphinError, messageOf } from "../base/errors.js";
import { build } from "./build.js";
import { check } from "./check.js";
import type { Config } from "./config.js";
import { defaultConf } from "./default-conf.js";
import { deepFreeze } from "./freeze.js";
import { type Directive, parse, type ReadFile } from "./parser.js";
import { errorAt, type Problem, sortProblems } from "./problem.js";
import { rewrite } from "./rewrites.js";
import { rootBlock } from "./tree.js";

export interface ConfSource {
  /** The path, as it is shown in messages and as Config.file. */
  readonly file: string;
  /** The text, where the caller has it already. */
  readonly text?: string;
  /** Reads the file and what it includes; from the disk when left out. */
  readonly read?: ReadFile;
}

export interface Loaded {
  /** Deeply frozen; null if and only if one of the problems is an error. */
  readonly config: Config | null;
  /** The tree in today's spelling, for {@link changesBetween}; empty where the text could not be parsed. */
  readonly directives: readonly Directive[];
  /** In the order of the text. */
  readonly problems: readonly Problem[];
}

/**
 * Loads a configuration file. Never throws: a file that cannot be read is the problem CONF_FILE. A text that cannot be
 * parsed is not checked any further, since one missing semicolon would bring up a dozen consequences.
 */
export function loadConfig(source: ConfSource): Loaded {
  return load(source, source.file);
}

/** The configuration of a bare `dolphin`, without a file. */
export function defaultConfig(): Config {
  const { config, problems } = load({ file: "dolphin.conf", text: defaultConf }, null);
  if (config === null) throw new DolphinError("CONF_VALUE", `the built-in configuration is wrong: ${problems[0]?.message ?? ""}`);
  return config;
}

function load(source: ConfSource, configFile: string | null): Loaded {
  const read = source.read ?? readText;
  const start = { file: source.file, line: 1, column: 1 };
  let text: string;
  try {
    text = source.text ?? read(source.file);
  } catch (error) {
    return refused([errorAt(start, "CONF_FILE", `cannot read the file: ${messageOf(error)}`)]);
  }
  const parsed = parse(text, source.file, read);
  if (parsed.problems.length > 0) return refused(parsed.problems);
  if (parsed.directives.length === 0) return refused([errorAt(start, "CONF_SYNTAX", "the file is empty")]);
  const { directives, problems: renamed } = rewrite(parsed.directives);
  const problems = sortProblems([...renamed, ...check(directives, source.file)]);
  if (problems.some((problem) => problem.severity === "error")) return { config: null, directives, problems };
  return { config: deepFreeze(build(rootBlock(directives), configFile)), directives, problems };
}

function refused(problems: readonly Problem[]): Loaded {
  return { config: null, directives: [], problems: sortProblems(problems) };
}

function readText(path: string): string {
  return readFileSync(path, "utf8");
}
