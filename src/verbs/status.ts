// dolphin status: the processes and streams of a running box, or the pid of one of its processes.
import { Option } from "commander";
import { fetchStatus } from "../master/control/client.js";
import { statusText } from "../master/control/text.js";
import type { BoxStatus } from "../master/control/status.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface StatusFlags extends SocketFlag {
  readonly json?: boolean;
  /** True: of the master. */
  readonly pid?: string | true;
}

export const addStatus: AddVerb = (program, end) => {
  const command = program.command("status").description("show the processes and streams of the dolphin that runs here");
  addSocket(command.option("--json", "as JSON"))
    .addOption(new Option("--pid [process]", "only the pid of a process, the master's where none is named").conflicts("json"))
    .action(async (flags: StatusFlags) => end(await status(flags)));
};

function status({ socket, json, pid }: StatusFlags): Promise<number> {
  return ask(async () => {
    const box = socket === undefined ? (await onlyRunning()).status : await fetchStatus(socket);
    if (pid !== undefined) return `${pidOf(box, pid === true ? "master" : pid)}\n`;
    return json === true ? `${JSON.stringify(box, null, 2)}\n` : statusText(box);
  });
}

/** Throws a sentence for people where no such process runs. */
function pidOf({ processes }: BoxStatus, name: string): number {
  const running = processes.filter((one) => one.pid !== null);
  const pid = running.find((one) => one.name === name)?.pid ?? null;
  if (pid === null) throw new Error(`no process ${name} runs, only ${running.map((one) => one.name).join(", ")}`);
  return pid;
}
