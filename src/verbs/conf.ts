// dolphin conf: a configuration file to start from, the manual of all directives, and the same for programs.
import { Option } from "commander";
import { defaultConf } from "../conf/default-conf.js";
import { fullConf } from "../conf/meaning/full-conf.js";
import { confSchema } from "../conf/meaning/schema.js";
import type { AddVerb } from "./verb.js";

interface ConfFlags {
  readonly full?: boolean;
  readonly schema?: boolean;
}

export const addConf: AddVerb = (program) => {
  program
    .command("conf")
    .description("print the configuration that a bare `dolphin` runs with")
    .option("--full", "every directive with its default, as a file that can be run")
    .addOption(new Option("--schema", "every directive as JSON").conflicts("full"))
    .action(({ full, schema }: ConfFlags) => {
      const text = schema === true ? `${JSON.stringify(confSchema(), null, 2)}\n` : full === true ? fullConf() : defaultConf;
      process.stdout.write(text);
    });
};
