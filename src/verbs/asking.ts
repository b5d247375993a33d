// What the verbs that ask a running box have in common: which box is asked, and what stands there when none answers.
import type { Command } from "commander";
import { messageOf } from "../base/errors.js";
import { canonicalHost, defaultVhost } from "../base/host-name.js";
import { shellWord } from "../base/printable.js";
import { findRunning } from "../master/control/client.js";
import { controlFolder, listControlSockets } from "../master/control/socket-path.js";
import type { BoxStatus } from "../master/control/status.js";
import { exitCodes } from "../base/exit-codes.js";
import { commandName, complain } from "./verb.js";

/** The option that `addSocket` adds. */
export interface SocketFlag {
  readonly socket?: string;
}

/** The option that names a box by its control socket. */
export function addSocket(command: Command): Command {
  return command.option("--socket <path>", "its control socket, where several run");
}

/** Prints what a running box answered, or why there is no answer. Gives the exit code. */
export async function ask(question: () => Promise<string>): Promise<number> {
  try {
    process.stdout.write(await question());
    return exitCodes.ok;
  } catch (thrown) {
    complain(messageOf(thrown));
    return exitCodes.unavailable;
  }
}

/** A box that runs, and its control socket. */
export interface RunningBox {
  readonly path: string;
  readonly status: BoxStatus;
}

/** The box of this user that runs here. Throws a sentence for people when there is not exactly one. */
export async function onlyRunning(): Promise<RunningBox> {
  const running = await soleRunning();
  if (running !== null) return running;
  const where = controlFolder(process.env);
  throw new Error(
    `no dolphin of this user runs here: none answers in ${where}. Start one with \`${commandName()}\`, or name its control socket with --socket.`,
  );
}

/** The same where there may be none. */
export async function soleRunning(): Promise<RunningBox | null> {
  const running = await findRunning(listControlSockets(process.env));
  if (running.length < 2) return running[0] ?? null;
  const typed = [commandName(), ...process.argv.slice(2)].map(shellWord).join(" ");
  const list = running.map(({ path, status }) => `  ${typed} --socket ${shellWord(path)}    pid ${status.pid}, plan ${status.plan}`);
  throw new Error(`several run here; name one:\n${list.join("\n")}`);
}

/** A key as the box has it, of the default vhost where none is named; null: a stream has at least an app and a name. */
export function streamKey(text: string): string | null {
  const names = text.split("/");
  if (names.length < 2 || names.includes("")) return null;
  const [vhost = "", ...stream] = names.length === 2 ? [defaultVhost, ...names] : names;
  return [canonicalHost(vhost), ...stream].join("/");
}
