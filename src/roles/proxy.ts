// ENTRY POINT of a proxy of plan b: accepts on the public addresses and hands each connection to a server. Like a server process
// it is told by the master what to be, tells how it fares, and leaves when asked, on SIGTERM, or when the master is gone.
import type { ProxySetup } from "../ipc/balance.js";
import type { FromChild, ToChild } from "../ipc/messages.js";
import type { Balancer as RunningBalancer, News } from "./balancer.js";
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
const { Balancer } = await import("./balancer.js");
const { exitCodeOf, exitCodes } = await import("./exit-codes.js");
const { Heart } = await import("./heart.js");
const { dieWithParent } = await import("./parent-death.js");

const name = process.env["DOLPHIN_CHILD"] ?? "proxy";
process.title = `dolphin: ${name}`;
let log = createLog({ role: "proxy", child: name, level: "info", file: null });
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (thrown: unknown) => {
    log.fatal(
      { event: "process.crashed", err: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) },
      messageOf(thrown),
    );
    process.exit(exitCodes.internal);
  });
}

let balancer: RunningBalancer | null = null;
let heart: RunningHeart | null = null;
/** What the master says while the proxy is still starting counts as well. */
const early: News[] = [];

const master = channelToMaster(process, {
  message: (message) => hear(message),
  invalid: (error) => log.warn({ event: "message.dropped", code: error.code, err: error.message }),
});
await dieWithParent();
master.send({ type: "hello" });

function hear(message: ToChild): void {
  switch (message.type) {
    case "configure-proxy":
      void serve(message.setup);
      return;
    case "backends":
    case "leases":
    case "taken":
      if (balancer === null) early.push(message);
      else balancer.hear(message);
      return;
    case "report":
      master.send({ type: "reported", id: message.id, streams: [] });
      return;
    case "stop":
      leave(message.reason);
      return;
    case "configure":
      return; // said to servers only
  }
}

async function serve(setup: ProxySetup): Promise<void> {
  log = createLog({ role: "proxy", child: setup.name, level: setup.config.log.level, file: setup.config.log.file });
  const started = await Balancer.create(setup, log, (message) => void master.send(message));
  balancer = started;
  for (const message of early.splice(0)) started.hear(message);
  try {
    await started.listen();
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "CHILD_START";
    log.error({ event: "proxy.refused", code }, messageOf(thrown));
    const refused: FromChild = { type: "refused", code, message: messageOf(thrown) };
    master.send(refused, () => process.exit(exitCodeOf(thrown)));
    return;
  }
  leave = stop;
  heart = new Heart(
    () => started.stats(),
    (stats) => {
      process.title = `dolphin: ${name}${stats.connections === 0 ? "" : ` (${stats.connections} connections)`}`;
      master.send({ type: "heartbeat", stats, carried: started.carried });
    },
  );
  master.send({ type: "ready", endpoints: started.endpoints });
}

function stop(reason: string): void {
  leave = () => undefined; // one stop is enough; what takes too long is ended by the master
  heart?.close();
  void balancer?.close(reason).finally(() => process.exit(exitCodes.ok));
}
