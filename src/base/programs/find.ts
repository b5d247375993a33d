// Whether a word names a program that can be run here.
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A path, or a name that is looked for in PATH. */
export function isProgram(word: string, path = process.env["PATH"] ?? ""): boolean {
  if (word.includes("/")) return canRun(word);
  return word !== "" && path.split(delimiter).some((folder) => folder !== "" && canRun(join(folder, word)));
}

function canRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
