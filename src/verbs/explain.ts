// dolphin explain: which server of plan b has a stream, or would get it, and why.
import { fetchExplanation } from "../master/control-client.js";
import { explanationText } from "../master/text.js";
import { addSocket, ask, onlyRunning, type SocketFlag } from "./asking.js";
import type { AddVerb } from "./verb.js";

interface ExplainFlags extends SocketFlag {
  readonly json?: boolean;
}

export const addExplain: AddVerb = (program, end) => {
  const command = program
    .command("explain <stream>")
    .description("plan b: which server has a stream, or would get it, and why ([vhost/]app/stream)");
  addSocket(command.option("--json", "as JSON")).action(async (stream: string, flags: ExplainFlags) => end(await explain(stream, flags)));
};

function explain(stream: string, { socket, json }: ExplainFlags): Promise<number> {
  return ask(async () => {
    const explanation = await fetchExplanation(socket ?? (await onlyRunning()).path, streamKey(stream));
    return json === true ? `${JSON.stringify(explanation, null, 2)}\n` : explanationText(explanation);
  });
}

/** A key as the box has it; without a vhost it is one of the default vhost. */
function streamKey(text: string): string {
  const names = text.split("/");
  return names.length <= 2 ? `__defaultVhost__/${text}` : text;
}
