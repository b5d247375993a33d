// ENTRY POINT of a server process: an edge, an origin of its own, or the one server of plan single. What it shares with
// the other children of the master is in worker/process.ts.
import type { ServerSetup } from "../ipc/messages.js";
import { onTerminate } from "../worker/signals.js";

const { hooksOf, Server } = await import("../server/server.js");
const { runChild } = await import("../worker/process.js");
const { rehearse } = await import("../worker/rehearsal.js");
const { defaultConfig } = await import("../conf/load.js");

await runChild<ServerSetup>({
  role: "server",
  onTerminate,
  setupIn: (message) => (message.type === "configure" ? message.setup : null),
  start: (setup, log, send, carrier, locator) => {
    const hooks = hooksOf(setup, log, (notes) => send({ type: "dues", notes }));
    return Server.start(setup, log, { carrier, hooks, locator, tell: (event) => send({ type: "event", event }) });
  },
  load: ({ players, publishers }) => [
    [players, "player"],
    [publishers, "publisher"],
  ],
  warmUp: (isWanted) => rehearse({ config: defaultConfig(), isWanted }),
});
