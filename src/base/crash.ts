// What every process does with an error that nothing caught: it is logged with its stack, and the process ends.
import { messageOf } from "./errors.js";
import type { Log } from "./log.js";
import { exitCodes } from "./exit-codes.js";

/** From now on a crash is logged, to the log that `currentLog` returns then, and ends the process with code 70. */
export function logCrashes(currentLog: () => Log): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    process.on(event, (thrown: unknown) => {
      const err = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
      currentLog().fatal({ event: "process.crashed", err }, messageOf(thrown));
      process.exit(exitCodes.internal);
    });
  }
}
