// What of a child's life operators follow: that it died and of what, that it serves again, that it was given up.
import type { BoxEvent } from "../../ipc/events.js";
import { lastCause } from "../processes/child.js";
import type { Change } from "../processes/supervisor.js";

/** Null for what is of no interest. */
export function changeEvent({ spec, child, lastPid, ending, delayMs }: Change): BoxEvent | null {
  const { name } = spec;
  const about = { process: name, pid: lastPid };
  const reason = lastCause(child) ?? ending ?? "";
  if (child.state === "failed")
    return {
      event: "child.failed",
      ...about,
      level: "error",
      code: "CHILD_GAVE_UP",
      reason,
      msg: `${name} died too often (${reason}) and is not started again`,
    };
  if (ending !== null && child.state === "down") return { event: "child.left", ...about, msg: `${name} has left` };
  if (ending !== null) {
    const again = delayMs === null || delayMs === 0 ? "" : `, and is started again in ${delayMs / 1000} s`;
    return { event: "child.exited", ...about, level: "warn", code: "CHILD_EXITED", reason, msg: `${name} died: ${reason}${again}` };
  }
  if (child.state === "up") return { event: "child.ready", ...about, msg: `${name} serves` };
  if (child.state === "stopping" && child.doom !== null)
    return { event: "child.hung", ...about, level: "warn", code: "CHILD_HUNG", reason: child.doom, msg: `${name} ${child.doom}` };
  return null;
}
