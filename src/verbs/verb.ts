// What a verb of the command line is. Each has a file here: a function that tells commander its name and options, and one from
// those options to an exit code. main.ts has the list of them.
import { basename, delimiter, dirname } from "node:path";
import type { Command } from "commander";

/** Adds a verb to the command line; its action calls `end` with the exit code, 0 where it does not. */
export type AddVerb = (program: Command, end: (code: number) => void) => void;

/** What to type for this dolphin: its name where the PATH leads to it, else the path by which it was called. */
export function commandName(): string {
  const [, script = ""] = process.argv;
  const name = basename(script);
  return name === "dolphin" && (process.env["PATH"] ?? "").split(delimiter).includes(dirname(script)) ? name : script;
}

/** Says why a verb cannot do what it was asked to. */
export function complain(sentence: string): void {
  process.stderr.write(`dolphin: ${sentence}\n`);
}
