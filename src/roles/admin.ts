// ENTRY POINT of the admin: the process that answers operators, so that no question of theirs is felt by a viewer. What it shares with
// the other children of the master is in worker/process.ts.
import type { AdminSetup } from "../ipc/messages.js";
import { onTerminate } from "../worker/signals.js";

const { Admin } = await import("../admin/admin.js");
const { runChild } = await import("../worker/process.js");

await runChild<AdminSetup>({
  role: "admin",
  onTerminate,
  setupIn: (message) => (message.type === "configure-admin" ? message.setup : null),
  start: (setup, log) => Admin.start(setup, log),
  load: () => [],
});
