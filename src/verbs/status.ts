// dolphin status: the processes and streams of a running box.
import { fetchStatus } from "../master/control/client.js";
import { statusText } from "../master/control/text.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface StatusFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addStatus: AddVerb = (program, end) => {
  const command = program.command("status").description("show the processes and streams of the dolphin that runs here");
  addSocket(command.option("--json", "as JSON")).action(async (flags: StatusFlags) => end(await status(flags)));
};

function status({ socket, json }: StatusFlags): Promise<number> {
  return ask(async () => {
    const box = socket === undefined ? (await onlyRunning()).status : await fetchStatus(socket);
    return json === true ? `${JSON.stringify(box, null, 2)}\n` : statusText(box);
  });
}
