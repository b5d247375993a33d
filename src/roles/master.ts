// ENTRY POINT of the master: opens the log, has the box composed (box/box.ts), and waits for its end.
import { logCrashes } from "../base/crash.js";
import { messageOf } from "../base/errors.js";
import { exitCodeOf, exitCodes } from "../base/exit-codes.js";
import { createLog, type Log } from "../base/log.js";
import { openBox, type BoxOptions } from "../box/box.js";
import type { Config } from "../conf/meaning/config.js";
import { collectAlone } from "../worker/collector.js";

export interface MasterOptions extends BoxOptions {
  /** Told why it does not start; the log has it, too. */
  refused(sentence: string): void;
  /** Why `daemon on` is not followed; null: it is, or is not said. */
  readonly stays: string | null;
}

/** Runs a box until it is stopped or gives up. Resolves to the exit code; throws nothing. */
export async function runMaster(config: Config, options: MasterOptions): Promise<number> {
  process.title = "dolphin: master";
  collectAlone();
  let log: Log;
  try {
    log = createLog({ role: "master", child: null, ...config.log });
  } catch (thrown) {
    options.refused(`cannot write the log ${config.log.file ?? ""}: ${messageOf(thrown)}`);
    return exitCodes.cannotCreate;
  }
  logCrashes(() => log);
  if (options.stays !== null)
    log.info({ event: "daemon.skipped", reason: options.stays }, "daemon on is not followed: it stays in the foreground");
  try {
    const box = await openBox(config, options, log);
    return await box.ended;
  } catch (thrown) {
    const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : undefined;
    log.error({ event: "dolphin.refused", code }, messageOf(thrown));
    options.refused(messageOf(thrown));
    return exitCodeOf(thrown);
  }
}
