// dolphin drain, undrain, kick, record and scale: single acts on a running box.
import { InvalidArgumentError } from "commander";
import { drain, kick, record, scale } from "../master/control/client.js";
import { reloadedText } from "../master/control/text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, streamKey, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface ActFlags extends SocketFlag {
  readonly json?: boolean;
}

const maxWorkers = 1024;

export const addDrain: AddVerb = (program, end) => {
  const command = program.command("drain <server>").description("plan b: give a server no new connections");
  addSocket(command).action(async (server: string, flags: SocketFlag) => end(await setDraining(server, true, flags)));
};

export const addUndrain: AddVerb = (program, end) => {
  const command = program.command("undrain <server>").description("plan b: give it connections again");
  addSocket(command).action(async (server: string, flags: SocketFlag) => end(await setDraining(server, false, flags)));
};

export const addKick: AddVerb = (program, end) => {
  const command = program
    .command("kick <client|stream>")
    .description("send a client away by its id (dolphin clients shows them), or everybody of a stream ([vhost/]app/stream)");
  addSocket(command.option("--json", "as JSON")).action(async (whom: string, flags: ActFlags) => end(await sendAway(whom, flags)));
};

export const addRecord: AddVerb = (program, end) => {
  const command = program
    .command("record")
    .argument("<what>", "start or stop", (text: string) => {
      if (text !== "start" && text !== "stop") throw new InvalidArgumentError("write start or stop.");
      return text;
    })
    .argument("<stream>", "[vhost/]app/stream")
    .description("record a stream that is published, or not any more, whatever dvr_apply says, until the opposite is said");
  addSocket(command).action(async (what: string, stream: string, flags: SocketFlag) => end(await setRecorded(what, stream, flags)));
};

export const addScale: AddVerb = (program, end) => {
  const command = program
    .command("scale")
    .argument("<workers>", "how many", workersIn)
    .description("have so many processes serve the public addresses, until the next start; nobody's connection notices");
  addSocket(command.option("--json", "as JSON")).action(async (workers: number, flags: ActFlags) => end(await setWorkers(workers, flags)));
};

function setDraining(server: string, isDraining: boolean, { socket }: SocketFlag): Promise<number> {
  return ask(async () => {
    await drain(socket ?? (await onlyRunning()).path, server, isDraining);
    return "";
  });
}

function setRecorded(what: string, stream: string, { socket }: SocketFlag): Promise<number> {
  return ask(async () => {
    await record(socket ?? (await onlyRunning()).path, streamKey(stream) ?? stream, what === "start");
    return `${stream} is ${what === "start" ? "recorded" : "not recorded any more"}\n`;
  });
}

function sendAway(text: string, { socket, json }: ActFlags): Promise<number> {
  return ask(async () => {
    const stream = streamKey(text);
    const count = await kick(socket ?? (await onlyRunning()).path, stream === null ? { client: text } : { stream });
    return json === true ? `${JSON.stringify({ count })}\n` : `${count === 1 ? "1 client was" : `${count} clients were`} sent away\n`;
  });
}

async function setWorkers(workers: number, { socket, json }: ActFlags): Promise<number> {
  let isRefused = false;
  const code = await ask(async () => {
    const scaled = await scale(socket ?? (await onlyRunning()).path, workers);
    isRefused = scaled.outcome === "refused";
    return json === true ? `${JSON.stringify(scaled, null, 2)}\n` : reloadedText(scaled);
  });
  return isRefused ? exitCodes.gaveUp : code;
}

function workersIn(text: string): number {
  const workers = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  if (workers < 1 || workers > maxWorkers) throw new InvalidArgumentError(`write a number from 1 to ${maxWorkers}.`);
  return workers;
}
