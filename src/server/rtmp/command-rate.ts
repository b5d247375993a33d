// How many commands one connection may send: a flood of them is work without an end for one who means harm.
import { DolphinError } from "../../base/errors.js";

/** Commands that one connection may send in a second. */
export const maxCommandsPerSecond = 100;

/** The count of one connection. */
export interface CommandRate {
  commands: number;
  sinceMs: number;
}

/** Counts a command at `nowMs`. Throws RTMP_FLOOD above {@link maxCommandsPerSecond}. */
export function countCommand(rate: CommandRate, nowMs: number): void {
  if (nowMs - rate.sinceMs > 1000) {
    rate.commands = 0;
    rate.sinceMs = nowMs;
  }
  if (++rate.commands > maxCommandsPerSecond)
    throw new DolphinError("RTMP_FLOOD", `more than ${maxCommandsPerSecond} commands in a second`);
}
