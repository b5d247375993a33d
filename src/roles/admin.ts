// ENTRY POINT of the admin: the process that answers operators, so that no question of theirs is felt by a viewer. What it shares with
// the other children of the master is in worker/process.ts.
import { setPriority } from "node:os";
import type { AdminSetup } from "../ipc/messages.js";
import { onTerminate } from "../worker/signals.js";

const niceness = 5;

// Where there is not enough CPU for all, viewers come first.
try {
  setPriority(niceness);
} catch {
  // A system that does not allow it: it is a wish.
}

const { Admin } = await import("../admin/admin.js");
const { runChild } = await import("../worker/process.js");

await runChild<AdminSetup>({
  role: "admin",
  onTerminate,
  setupIn: (message) => (message.type === "configure-admin" ? message.setup : null),
  start: (setup, log) => Admin.start(setup, log),
  load: () => [],
});
