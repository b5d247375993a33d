// dolphin events and logs: what happens in a running box, as it happens. Events come from the box itself; lines of the log from the file
// that it writes, also when that is rotated.
import { createReadStream, statSync, watch } from "node:fs";
import { createInterface } from "node:readline";
import type { TakenEvent } from "../ipc/events.js";
import { fetchStatus, readEvents } from "../master/control/client.js";
import { eventText } from "../master/control/text.js";
import { printable } from "../base/printable.js";
import { messageOf } from "../base/errors.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import { complain, type AddVerb } from "./verb.js";

interface EventFlags extends SocketFlag {
  readonly json?: boolean;
  /** How many of the past. */
  readonly lines: string;
  readonly follow?: boolean;
}

/** A master that was replaced is found again on the same path. */
const comeBackMs = 500;
const maxTries = 20;

export const addEvents: AddVerb = (program, end) => {
  const command = program
    .command("events")
    .description("what happened and happens: publishes, deaths, replacements, reloads, refusals; until Ctrl-C")
    .option("-n, --lines <count>", "how many of the past", "20")
    .option("--no-follow", "the past only");
  addSocket(command.option("--json", "a line of JSON each")).action(async (flags: EventFlags) => end(await events(flags)));
};

export const addLogs: AddVerb = (program, end) => {
  const command = program
    .command("logs")
    .description("the last lines of the log, where it is a file; -f: and those that come")
    .option("-n, --lines <count>", "how many of the past", "20")
    .option("-f, --follow", "until Ctrl-C");
  addSocket(command.option("--json", "as they stand in the file")).action(async (flags: EventFlags) => end(await logs(flags)));
};

async function events({ socket, json, lines, follow = true }: EventFlags): Promise<number> {
  let path: string;
  try {
    path = socket ?? (await onlyRunning()).path;
  } catch (thrown) {
    complain(messageOf(thrown));
    return exitCodes.unavailable;
  }
  let after = 0;
  const show = (event: TakenEvent): void => {
    after = event.id;
    process.stdout.write(json === true ? `${JSON.stringify(event)}\n` : eventText(event));
  };
  for (let tries = 0; tries < maxTries; tries++) {
    try {
      await readEvents(path, { count: tries === 0 && after === 0 ? Number(lines) || 0 : 1000, after, isFollowing: follow }, show);
      if (!follow) return exitCodes.ok;
      tries = 0;
    } catch (thrown) {
      if (tries === maxTries - 1 || after === 0) {
        complain(messageOf(thrown));
        return exitCodes.unavailable;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, comeBackMs));
  }
  return exitCodes.unavailable;
}

async function logs({ socket, json, lines, follow }: EventFlags): Promise<number> {
  let file: string | null = null;
  const code = await ask(async () => {
    const box = await fetchStatus(socket ?? (await onlyRunning()).path);
    file = box.logFile;
    if (file === null) throw new Error("the log goes to the console of the box, or to whoever gathers it: journalctl, docker logs");
    const tail = await tailOf(file, Number(lines) || 0);
    return tail.map((line) => (json === true ? `${line}\n` : `${printable(line)}\n`)).join("");
  });
  if (file === null || follow !== true || code !== exitCodes.ok) return code;
  await followFile(file, (line) => process.stdout.write(`${json === true ? line : printable(line)}\n`));
  return exitCodes.ok;
}

/** The last lines, of at most a mebibyte. */
async function tailOf(file: string, count: number): Promise<string[]> {
  const { size } = statSync(file);
  const found: string[] = [];
  const start = Math.max(0, size - (1 << 20));
  for await (const line of createInterface({ input: createReadStream(file, { start }) })) {
    found.push(line);
    if (found.length > count) found.shift();
  }
  return count === 0 ? [] : found;
}

/** Calls `read` with every line that comes, for good. A file in the place of the one before is read from its beginning. */
function followFile(file: string, read: (line: string) => void): Promise<never> {
  let { ino, size: at } = statSync(file);
  let rest = "";
  let isReading = false;
  const look = (): void => {
    const now = statSync(file, { throwIfNoEntry: false });
    if (isReading || now === undefined) return;
    if (now.ino !== ino || now.size < at) [ino, at, rest] = [now.ino, 0, ""];
    if (now.size === at) return;
    isReading = true;
    const stream = createReadStream(file, { start: at, end: now.size - 1, encoding: "utf8" });
    at = now.size;
    stream.on("data", (part) => {
      const found = (rest + String(part)).split("\n");
      rest = found.pop() ?? "";
      for (const line of found) read(line);
    });
    stream.once("close", () => {
      isReading = false;
      look();
    });
  };
  watch(file, look).on("error", () => undefined);
  setInterval(look, 500); // the file that takes its place is another one, which is not watched
  return new Promise(() => undefined);
}
