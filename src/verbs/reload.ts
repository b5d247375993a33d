// dolphin reload, restart and upgrade: changes to a running box that wait until they are done, and tell what came of them.
import { realpathSync } from "node:fs";
import type { Reloaded } from "../master/control/status.js";
import { fetchStatus, reload, restart, upgrade } from "../master/control/client.js";
import { reloadedText } from "../master/control/text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface ReloadFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addReload: AddVerb = (program, end) => {
  const command = program.command("reload").description("read the configuration again; tell what changed, or why nothing did");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => end(await change(reload, flags, { exitCode: exitCodes.config, after: leavingText })));
};

export const addRestart: AddVerb = (program, end) => {
  const command = program
    .command("restart")
    .description(
      "replace the processes that serve the public addresses one by one (plan b: the proxies); connections go over to the new ones, " +
        "or stay at the old ones until they end",
    );
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => {
      const whenRefused = "it went no further; what was replaced before stays so";
      end(await change(restart, flags, { exitCode: exitCodes.gaveUp, whenRefused, after: leavingText }));
    });
};

export const addUpgrade: AddVerb = (program, end) => {
  const command = program
    .command("upgrade")
    .description("have the dolphin that is called here take the place of the running one, with every connection, or else change nothing");
  addSocket(command)
    .option("--json", "as JSON")
    .action(async (flags: ReloadFlags) => {
      const [, script = ""] = process.argv;
      const self = { execPath: process.execPath, script: realpathSync(script) };
      end(await change((path) => upgrade(path, self), flags, { exitCode: exitCodes.gaveUp, after: servingText }));
    });
};

/** Where connections do not go over: which processes were replaced and are still there for their sake. */
async function leavingText(path: string): Promise<string> {
  const { processes, uncarried } = await fetchStatus(path);
  const leaving = processes.filter(({ state, connections }) => state === "draining" && connections > 0);
  if (uncarried === null || leaving.length === 0) return "";
  const list = leaving.map(({ name, connections }) => `${name} (${connections})`).join(", ");
  return `  connections stay at the old processes until they end, or until drain_timeout (${uncarried}): ${list}\n`;
}

/** Who serves behind a control socket now. */
async function servingText(path: string): Promise<string> {
  const { version, pid } = await fetchStatus(path);
  return `dolphin ${version} serves, pid ${pid}\n`;
}

interface Telling {
  /** Of a refusal, and its first line where that is another one than a reload's. */
  readonly exitCode: number;
  readonly whenRefused?: string;
  /** What else to tell of a change that was made. */
  readonly after?: (path: string) => Promise<string>;
}

async function change(
  carryOut: (path: string) => Promise<Reloaded>,
  { socket, json }: ReloadFlags,
  { exitCode, whenRefused, after }: Telling,
): Promise<number> {
  let isRefused = false;
  const code = await ask(async () => {
    const path = socket ?? (await onlyRunning()).path;
    const reloaded = await carryOut(path);
    isRefused = reloaded.outcome === "refused";
    if (json === true) return `${JSON.stringify(reloaded, null, 2)}\n`;
    return reloadedText(reloaded, whenRefused) + (isRefused ? "" : ((await after?.(path)) ?? ""));
  });
  return isRefused ? exitCode : code;
}
