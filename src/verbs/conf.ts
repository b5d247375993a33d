// dolphin conf: a configuration file to start from.
import { defaultConf } from "../conf/default-conf.js";
import type { AddVerb } from "./verb.js";

export const addConf: AddVerb = (program) => {
  program
    .command("conf")
    .description("print the configuration that a bare `dolphin` runs with")
    .action(() => void process.stdout.write(defaultConf));
};
