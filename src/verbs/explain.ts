// dolphin explain: where a stream is: the processes that have it, and of plan b the server that has it or would get it, and why.
import { fetchExplanation } from "../master/control/client.js";
import { explanationText, whereaboutsText } from "../master/control/text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, streamKey, type SocketFlag } from "./asking.js";
import { complain, type AddVerb } from "./verb.js";

interface ExplainFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addExplain: AddVerb = (program, end) => {
  const command = program
    .command("explain <stream>")
    .description("where a stream ([vhost/]app/stream) comes in and who serves it; of plan b which server would get it, and why");
  addSocket(command.option("--json", "as JSON")).action(async (stream: string, flags: ExplainFlags) => end(await explain(stream, flags)));
};

async function explain(stream: string, { socket, json }: ExplainFlags): Promise<number> {
  const key = streamKey(stream);
  if (key === null) {
    complain(`${stream} names no stream: write [vhost/]app/stream, as in live/livestream`);
    return exitCodes.usage;
  }
  return ask(async () => {
    const told = await fetchExplanation(socket ?? (await onlyRunning()).path, key);
    if (json === true) return `${JSON.stringify(told, null, 2)}\n`;
    return "processes" in told ? whereaboutsText(told) : explanationText(told);
  });
}
