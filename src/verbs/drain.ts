// dolphin drain and undrain: whether a server of plan b gets new connections.
import { drain } from "../master/control/client.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

export const addDrain: AddVerb = (program, end) => {
  const command = program.command("drain <server>").description("plan b: give a server no new connections");
  addSocket(command).action(async (server: string, flags: SocketFlag) => end(await setDraining(server, true, flags)));
};

export const addUndrain: AddVerb = (program, end) => {
  const command = program.command("undrain <server>").description("plan b: give it connections again");
  addSocket(command).action(async (server: string, flags: SocketFlag) => end(await setDraining(server, false, flags)));
};

function setDraining(server: string, isDraining: boolean, { socket }: SocketFlag): Promise<number> {
  return ask(async () => {
    await drain(socket ?? (await onlyRunning()).path, server, isDraining);
    return "";
  });
}
