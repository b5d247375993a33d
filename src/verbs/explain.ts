// dolphin explain: which server of plan b has a stream, or would get it, and why.
import { fetchExplanation } from "../master/control/client.js";
import { explanationText } from "../master/control/text.js";
import { exitCodes } from "../base/exit-codes.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import { complain, type AddVerb } from "./verb.js";

interface ExplainFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addExplain: AddVerb = (program, end) => {
  const command = program
    .command("explain <stream>")
    .description("plan b: which server has a stream, or would get it, and why ([vhost/]app/stream)");
  addSocket(command.option("--json", "as JSON")).action(async (stream: string, flags: ExplainFlags) => end(await explain(stream, flags)));
};

async function explain(stream: string, { socket, json }: ExplainFlags): Promise<number> {
  const key = streamKey(stream);
  if (key === null) {
    complain(`${stream} names no stream: write [vhost/]app/stream, as in live/livestream`);
    return exitCodes.usage;
  }
  return ask(async () => {
    const explanation = await fetchExplanation(socket ?? (await onlyRunning()).path, key);
    return json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation);
  });
}

/** A key as the box has it, of the default vhost where none is named; null: a stream has at least an app and a name. */
function streamKey(text: string): string | null {
  const names = text.split("/");
  if (names.length < 2 || names.includes("")) return null;
  return names.length === 2 ? `__defaultVhost__/${text}` : text;
}
