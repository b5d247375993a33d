// dolphin reload and restart: changes to a running box that wait until they are done, and tell what came of them.
import type { Reloaded } from "../master/status.js";
import { reload, restart } from "../master/control-client.js";
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
  const command = program.command("restart").description("replace the processes that serve one by one, without disconnecting anybody");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => end(await change(restart, flags, exitCodes.gaveUp)));
};

async function change(
  carryOut: (path: string) => Promise<Reloaded>,
  { socket, json }: ReloadFlags,
  exitCodeOfRefusal: number,
): Promise<number> {
  let isRefused = false;
  const code = await ask(async () => {
    const reloaded = await carryOut(socket ?? (await onlyRunning()).path);
    isRefused = reloaded.outcome === "refused";
    return json === true ? `${JSON.stringify(reloaded, null, 2)}\n` : reloadedText(reloaded);
  });
  return isRefused ? exitCodeOfRefusal : code;
}
