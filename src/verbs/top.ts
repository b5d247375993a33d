// dolphin top: the processes and streams of a running box, drawn anew every second until Ctrl-C; where the output is no terminal, once.
import { fetchStatus } from "../master/control/client.js";
import { statusText } from "../master/control/text.js";
import { messageOf } from "../base/errors.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, onlyRunning, type SocketFlag } from "./asking.js";
import { complain, type AddVerb } from "./verb.js";

interface TopFlags extends SocketFlag {
  readonly json?: boolean;
  /** Seconds. */
  readonly delay: string;
}

/** A box that was replaced, or starts again, is waited for so long. */
const patienceMs = 10_000;
const home = "\u001b[H";
const clearLine = "\u001b[K";
const clearBelow = "\u001b[J";
const otherScreen = "\u001b[?1049h\u001b[?25l";
const firstScreen = "\u001b[?25h\u001b[?1049l";

export const addTop: AddVerb = (program, end) => {
  const command = program
    .command("top")
    .description("the processes and streams, live; Ctrl-C ends it")
    .option("-d, --delay <seconds>", "between two looks", "1");
  addSocket(command.option("--json", "a line of JSON each time")).action(async (flags: TopFlags) => end(await top(flags)));
};

async function top({ socket, json, delay }: TopFlags): Promise<number> {
  const isScreen = process.stdout.isTTY && json !== true;
  const delayMs = Math.max(0.2, Number(delay) || 1) * 1000;
  let lastMs = Date.now();
  let hasShown = false;
  if (isScreen) {
    process.stdout.write(otherScreen);
    const leave = (): void => {
      process.stdout.write(firstScreen);
      process.exit(exitCodes.ok);
    };
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, leave);
  }
  for (;;) {
    const dueMs = Date.now() + delayMs;
    try {
      const box = await fetchStatus(socket ?? (await onlyRunning()).path);
      if (json === true) process.stdout.write(`${JSON.stringify(box)}\n`);
      else process.stdout.write(isScreen ? screenOf(statusText(box)) : statusText(box));
      if (!process.stdout.isTTY && json !== true) return exitCodes.ok;
      lastMs = Date.now();
      hasShown = true;
    } catch (thrown) {
      if (!hasShown || Date.now() - lastMs > patienceMs) {
        if (isScreen) process.stdout.write(firstScreen);
        complain(messageOf(thrown));
        return exitCodes.unavailable;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - Date.now())));
  }
}

/** As much as there is room for, over what stood there. */
function screenOf(text: string): string {
  const { rows, columns } = process.stdout;
  const lines = text
    .trimEnd()
    .split("\n")
    .slice(0, rows - 1);
  return `${home}${lines.map((line) => `${line.slice(0, columns)}${clearLine}`).join("\n")}\n${clearBelow}`;
}
