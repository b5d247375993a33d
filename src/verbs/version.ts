// dolphin version: what -v and --version print, for whoever looks for a verb.
import { version } from "../base/version.js";
import type { AddVerb } from "./verb.js";

export const addVersion: AddVerb = (program) => {
  program
    .command("version")
    .description("print the version")
    .action(() => void process.stdout.write(`${version}\n`));
};
