// dolphin publish: a file as a publisher, in real time and over and over, to a box here or to any RTMP server. The first picture
// needs no encoder: with --demo the file is one that comes along.
import { fileURLToPath } from "node:url";
import { messageOf } from "../../base/errors.js";
import { exitCodes } from "../../base/exit-codes.js";
import { printable } from "../../base/printable.js";
import { fetchStatus } from "../../master/control/client.js";
import type { BoxStatus } from "../../master/control/status.js";
import { publishUrl, watchLines } from "../../master/control/text.js";
import { addSocket, soleRunning, type SocketFlag } from "../asking.js";
import { commandName, complain, type AddVerb } from "../verb.js";

interface PublishFlags extends SocketFlag {
  readonly demo?: boolean;
  readonly once?: boolean;
}

export const addPublish: AddVerb = (program, end) => {
  const command = program
    .command("publish [file] [url]")
    .usage("[options] FILE [URL]\n       dolphin publish [options] --demo [URL]")
    .description("publish an FLV file in real time, over and over: to rtmp://HOST/APP/STREAM, or to the dolphin that runs here")
    .option("--demo", "a clip that comes along: a clock and a tone")
    .option("--once", "end with the file");
  addSocket(command).action(async (file: string | undefined, url: string | undefined, flags: PublishFlags) => {
    end(await publish(flags.demo === true ? [demoPath, file, url] : [file, url], flags));
  });
};

const demoPath = fileURLToPath(new URL("../../../../conf/demo.flv", import.meta.url));

async function publish([path, given, more]: readonly (string | undefined)[], { demo, once, socket }: PublishFlags): Promise<number> {
  if (path === undefined || isUrl(path)) return misused("name a file before the URL, or write --demo for the clip that comes along");
  if (more !== undefined) return misused(`--demo has a file of its own: leave out ${given}`);
  if (given !== undefined && socket !== undefined) return misused("both --socket and a URL say where to: leave out one");
  let box: BoxStatus | null = null;
  try {
    if (socket !== undefined) box = await fetchStatus(socket);
    else if (given === undefined) box = (await soleRunning())?.status ?? null;
  } catch (thrown) {
    complain(messageOf(thrown));
    return exitCodes.unavailable;
  }
  const url = given ?? publishUrl(box);
  // Loaded only here, so that the other verbs do not wait for it.
  const { runPublisher } = await import("../../roles/publisher.js");
  return runPublisher({
    path,
    url,
    isOnce: once === true,
    command: commandName(),
    onStarted() {
      tell(`publishes ${demo === true ? "the demo clip" : path} to ${url}${once === true ? "" : ", over and over"}; Ctrl-C ends it`);
      if (box !== null) process.stdout.write(`${watchLines(box).join("\n")}\n`);
    },
    tell,
    refused: (sentence) => complain(printable(sentence)),
  });
}

function isUrl(word: string): boolean {
  return /^[a-z]+:\/\//i.test(word);
}

function tell(sentence: string): void {
  process.stdout.write(`${printable(sentence)}\n`);
}

function misused(sentence: string): number {
  complain(printable(sentence));
  return exitCodes.usage;
}
