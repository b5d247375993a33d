// ENTRY POINT of a server process: an edge, an origin of its own, or the one server of plan single. It is told by the
// master what to be, serves, tells how it fares, and leaves when asked, on SIGTERM, or when the master is gone.
import type { FromChild, ServerSetup, ServerStats, ToChild } from "../ipc/messages.js";
import type { Server as RunningServer } from "../server/server.js";
import type { Heart as RunningHeart } from "./heart.js";

// Before anything is loaded: no signal may end this process by itself, nor SIGUSR1 open Node's inspector.
// SIGINT of a terminal goes to the master too, and the master decides.
let leave = (_reason: string): void => process.exit(0);
for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => undefined);
process.on("SIGTERM", () => leave("SIGTERM"));
// A terminal that was closed, or a reader of the log that is gone, ends no stream.
process.stdout.on("error", () => undefined);

const { messageOf } = await import("../base/errors.js");
const { createLog } = await import("../base/log.js");
const { channelToMaster } = await import("../ipc/channel.js");
const { Server } = await import("../server/server.js");
const { exitCodeOf, exitCodes } = await import("./exit-codes.js");
const { Heart } = await import("./heart.js");
const { dieWithParent } = await import("./parent-death.js");

const name = process.env["DOLPHIN_CHILD"] ?? "server";
process.title = `dolphin: ${name}`;
let log = createLog({ role: "server", child: name, level: "info", file: null });
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (thrown: unknown) => {
    log.fatal(
      { event: "process.crashed", err: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) },
      messageOf(thrown),
    );
    process.exit(exitCodes.internal);
  });
}

let server: RunningServer | null = null;
let heart: RunningHeart | null = null;

const master = channelToMaster(process, {
  message: (message) => hear(message),
  invalid: (error) => log.warn({ event: "message.dropped", code: error.code, err: error.message }),
});
await dieWithParent();
master.send({ type: "hello" });

function hear(message: ToChild): void {
  switch (message.type) {
    case "configure":
      void serve(message.setup);
      return;
    case "report":
      master.send({ type: "reported", id: message.id, streams: server?.streams() ?? [] });
      return;
    case "stop":
      leave(message.reason);
      return;
    case "configure-proxy":
    case "backends":
    case "leases":
    case "taken":
      return; // said to proxies only
  }
}

async function serve(setup: ServerSetup): Promise<void> {
  log = createLog({ role: "server", child: setup.name, level: setup.config.log.level, file: setup.config.log.file });
  try {
    server = await Server.start(setup, log);
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "CHILD_START";
    log.error({ event: "server.refused", code }, messageOf(thrown));
    const refused: FromChild = { type: "refused", code, message: messageOf(thrown) };
    master.send(refused, () => process.exit(exitCodeOf(thrown)));
    return;
  }
  leave = stop;
  heart = new Heart(() => server?.stats() ?? { connections: 0, players: 0, publishers: 0, bytesIn: 0, bytesOut: 0 }, beat);
  master.send({ type: "ready", endpoints: server.endpoints });
}

function beat(stats: ServerStats): void {
  const { players, publishers } = stats;
  const load = [counted(players, "player"), counted(publishers, "publisher")].filter((part) => part !== "");
  process.title = `dolphin: ${name}${load.length === 0 ? "" : ` (${load.join(", ")})`}`;
  master.send({ type: "heartbeat", stats });
}

function counted(count: number, noun: string): string {
  return count === 0 ? "" : `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function stop(reason: string): void {
  leave = () => undefined; // one stop is enough; what takes too long is ended by the master
  heart?.close();
  void server?.close(reason).finally(() => process.exit(exitCodes.ok));
}
