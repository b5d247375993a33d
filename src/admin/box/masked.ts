// What people may look at without what nobody may see, the configuration in force and programs: secrets by their names, and what stands
// before the @ of a URL or behind its question mark. Pure.
import type { Config } from "../../conf/meaning/config.js";
import type { ProgramReport } from "../../ipc/lists.js";

const mask = "…";
const secretNames = /pass(word|wd)?|token|secret|key$|credential/i;

/** A copy that can be shown, its names written as directives are: `max_connections`. */
export function maskedConfig(config: Config): Readonly<Record<string, unknown>> {
  return shown(config) as Record<string, unknown>;
}

/** The same of a program: its words name servers and keys of other people. */
export function maskedProgram(program: ProgramReport): ProgramReport {
  const { argv, input, output, lastLine } = program;
  return {
    ...program,
    argv: argv.map(maskedText),
    input: maskedText(input),
    output: maskedText(output),
    lastLine: maskedText(lastLine),
  };
}

function shown(value: unknown): unknown {
  if (typeof value === "string") return withoutCredentials(value);
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [asDirective(name), isSecret(name, member) ? mask : shown(member)]),
  );
}

function asDirective(name: string): string {
  return name.replaceAll(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function isSecret(name: string, value: unknown): boolean {
  return typeof value === "string" && value !== "" && secretNames.test(name);
}

/** A text in which URLs may stand, such as the words of a program or a line that it printed, without what nobody may see. */
export function maskedText(text: string): string {
  return text.replaceAll(/[a-z][a-z0-9+.-]*:\/\/[^\s'"<>|]+/gi, withoutCredentials);
}

function withoutCredentials(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  const bare = text.replace(/^([^:]+:\/\/)[^/?#]*@/, `$1${mask}@`).replace(/\?.*$/s, `?${mask}`);
  // The name of a stream at somebody else's server is the key to it.
  return bare.replace(/^(rtmps?:\/\/(?!127\.|localhost[:/]|\[::1\])[^/]+\/.*\/)[^/?]+(\?.*)?$/i, `$1${mask}`);
}
