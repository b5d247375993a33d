// Chooses between the pumps: splice where the system has it, node's sockets elsewhere.
import type { Log } from "../../base/log.js";
import type { Carrier } from "../../ipc/carried.js";
import { PlainPump } from "./plain-pump.js";
import type { Pump } from "./pump.js";
import { SplicePump } from "./splice-pump.js";

/** Makes the best pump that works here, or the one that is named. Never fails: the plain one works everywhere. */
export async function createPump(log: Log, kind: "auto" | "plain" = "auto", carrier: Carrier | null = null): Promise<Pump> {
  const spare = new PlainPump();
  if (kind === "plain") return spare;
  return (await SplicePump.start(spare, log, carrier)) ?? spare;
}
