// ENTRY POINT of `dolphin publish`, which is a process of its own and no part of a box: a tape, the RTMP client that the relays use, and
// the signals that end it.
import { asDolphinError, type DolphinError } from "../base/errors.js";
import { exitCodes } from "../base/exit-codes.js";
import { systemTimers } from "../base/timers.js";
import { until } from "../base/until.js";
import { Publisher } from "../publisher/publisher.js";
import { Tape } from "../publisher/tape.js";
import { parseTarget, type Target } from "../publisher/target.js";
import { deliveryMs } from "../wire/farewell.js";
import { RtmpClient } from "../wire/client.js";

export interface PublishRequest {
  readonly path: string;
  readonly url: string;
  /** Whether it ends with the file. */
  readonly isOnce: boolean;
  /** What starts a server here. */
  readonly command: string;
  /** The server has accepted, for the first time. */
  readonly onStarted: () => void;
  /** What happens later on, in sentences for people. */
  readonly tell: (sentence: string) => void;
  /** Why it came to nothing, or to its end. */
  readonly refused: (sentence: string) => void;
}

/** Publishes until the file is over, a signal comes, or it cannot go on. Gives the exit code. */
export async function runPublisher({ path, url, isOnce, command, onStarted, tell, refused }: PublishRequest): Promise<number> {
  const openTape = (): Tape => new Tape({ path, isOnce, note: tell });
  let target: Target;
  try {
    target = parseTarget(url);
    openTape().close(); // before a server is asked
  } catch (thrown) {
    return giveUp(asDolphinError(thrown));
  }
  let publisher: Publisher;
  const error = await new Promise<DolphinError | null>((resolve) => {
    publisher = new Publisher({
      openTape,
      connect: (handler) =>
        new RtmpClient(
          { ...target, purpose: "publish", args: null },
          { ...handler, onMessage: () => undefined, onStreamEnd: () => undefined },
        ),
      timers: systemTimers,
      onStarted: (isAgain) => (isAgain ? tell(`publishes to ${url} again, from the file's beginning`) : onStarted()),
      onLost: ({ code, message }) => tell(`lost ${url}: ${message} (${code}); it is asked again until it accepts`),
      onEnd: resolve,
    });
    for (const signal of endSignals()) process.once(signal, () => publisher.close());
  });
  await until(() => publisher.isGone, deliveryMs); // what is under way would be lost with the process
  return error === null ? exitCodes.ok : giveUp(error);

  function giveUp({ code, message }: DolphinError): number {
    const isAboutServer = code.startsWith("RELAY_") || code === "RTMP_BUSY";
    const remedy = code === "RELAY_CONNECT" ? `; \`${command}\` starts a server here, a URL names another` : "";
    refused(isAboutServer ? `${code}: cannot publish to ${url}: ${message}${remedy}` : `${code}: ${message}`);
    if (isAboutServer) return exitCodes.unavailable;
    if (code === "FLV_FILE") return exitCodes.noInput;
    return code === "INTERNAL" ? exitCodes.internal : exitCodes.usage;
  }
}

/** Where the output is no terminal, the one that it was started from may close. */
function endSignals(): NodeJS.Signals[] {
  return process.stdout.isTTY ? ["SIGINT", "SIGTERM", "SIGHUP"] : ["SIGINT", "SIGTERM"];
}
