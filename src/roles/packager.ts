// ENTRY POINT of a packager: the process that writes streams to disk. What it shares with the other children of the master is in
// worker/process.ts.
import type { PackagerSetup } from "../ipc/messages.js";
import { onTerminate } from "../worker/signals.js";

const { Packager } = await import("../packager/packager.js");
const { runChild } = await import("../worker/process.js");

await runChild<PackagerSetup>({
  role: "packager",
  onTerminate,
  setupIn: (message) => (message.type === "configure-packager" ? message.setup : null),
  start: (setup, log) => Promise.resolve(Packager.start(setup, log)),
  load: () => [],
});
