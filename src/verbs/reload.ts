// dolphin reload, restart and upgrade: changes to a running box that wait until they are done, and tell what came of them.
import { realpathSync } from "node:fs";
import type { Reloaded } from "../master/status.js";
import { fetchStatus, reload, restart, upgrade } from "../master/control-client.js";
import { reloadedText } from "../master/text.js";
import { exitCodes } from "../roles/exit-codes.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface ReloadFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addReload: AddVerb = (program, end) => {
  const command = program.command("reload").description("read the configuration again; tell what changed, or why nothing did");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => end(await change(reload, flags, exitCodes.config)));
};

export const addRestart: AddVerb = (program, end) => {
  const command = program
    .command("restart")
    .description("replace the processes that serve the public addresses one by one (plan b: the proxies), without disconnecting anybody");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => end(await change(restart, flags, exitCodes.gaveUp)));
};

export const addUpgrade: AddVerb = (program, end) => {
  const command = program
    .command("upgrade")
    .description("have the dolphin that is called here take the place of the running one, without disconnecting anybody");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => {
      const [, script = ""] = process.argv;
      const self = { execPath: process.execPath, script: realpathSync(script) };
      end(await change((path) => upgrade(path, self), flags, exitCodes.gaveUp, servingText));
    });
};

/** Who serves behind a control socket now. */
async function servingText(path: string): Promise<string> {
  const { version, pid } = await fetchStatus(path);
  return `dolphin ${version} serves, pid ${pid}\n`;
}

/** `after` is what else to tell of a change that was made. */
async function change(
  carryOut: (path: string) => Promise<Reloaded>,
  { socket, json }: ReloadFlags,
  exitCodeOfRefusal: number,
  after: (path: string) => Promise<string> = () => Promise.resolve(""),
): Promise<number> {
  let isRefused = false;
  const code = await ask(async () => {
    const path = socket ?? (await onlyRunning()).path;
    const reloaded = await carryOut(path);
    isRefused = reloaded.outcome === "refused";
    if (json === true) return `${JSON.stringify(reloaded, null, 2)}\n`;
    return reloadedText(reloaded) + (isRefused ? "" : await after(path));
  });
  return isRefused ? exitCodeOfRefusal : code;
}
