// The log lines of children's lives. The master's lines carry its own pid as `pid`; the child's stands in `childPid`.
import type { Log } from "../../base/log.js";
import { lastCause } from "./child.js";
import type { Change } from "./supervisor.js";

/** Writes the lines that a change of state is worth. */
export function logChange(log: Log, change: Change): void {
  const { spec, child, lastPid, ending, delayMs } = change;
  const durMs = Math.round(change.lastedMs);
  const fields = { child: spec.name, childPid: lastPid };
  const cause = lastCause(child);
  if (ending !== null) {
    const isWanted = child.state !== "down";
    const again = delayMs === null ? "" : delayMs === 0 ? ", restarting" : `, restarting in ${delayMs / 1000} s`;
    if (isWanted)
      log.warn(
        { event: "child.exited", ...fields, code: "CHILD_EXITED", reason: cause, durMs },
        `${spec.name}: ${cause ?? "ended"}${again}`,
      );
    else log.info({ event: "child.exited", ...fields, reason: ending, durMs }, `${spec.name} left: ${ending}`);
  }
  switch (child.state) {
    case "starting":
      log.info({ event: "child.started", ...fields }, `${spec.name} started`);
      return;
    case "up":
      log.info({ event: "child.ready", ...fields, durMs }, `${spec.name} serves`);
      return;
    case "stopping":
      if (child.doom !== null)
        log.warn({ event: "child.hung", ...fields, code: "CHILD_HUNG", reason: child.doom }, `${spec.name} ${child.doom}`);
      return;
    case "failed":
      log.error(
        { event: "child.failed", ...fields, code: "CHILD_GAVE_UP", reason: cause },
        `${spec.name} died too often and is not started again`,
      );
      return;
    case "down":
    case "waiting":
      return;
  }
}
