// ENTRY POINT of a packager: the process that writes streams to disk. What it shares with the other children of the master is in
// worker/process.ts.
import type { HooksOptions } from "../hooks/hooks.js";
import type { PackagerSetup } from "../ipc/messages.js";
import { onTerminate } from "../worker/signals.js";

const { Hooks } = await import("../hooks/hooks.js");
const { Packager } = await import("../packager/packager.js");
const { runChild } = await import("../worker/process.js");

process.on("SIGXFSZ", () => undefined); // a file that may not grow fails, as on a full disk, and nothing else ends

await runChild<PackagerSetup>({
  role: "packager",
  onTerminate,
  setupIn: (message) => (message.type === "configure-packager" ? message.setup : null),
  start: (setup, log, send) => {
    const tell: HooksOptions["tell"] = (notes) => send({ type: "dues", notes });
    const hooks = new Hooks({ identity: setup.identity, settings: setup.config.dolphin.hooks, log, tell });
    return Promise.resolve(Packager.start(setup, log, hooks));
  },
  load: () => [],
});
