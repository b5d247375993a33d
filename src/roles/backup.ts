// ENTRY POINT of `dolphin hls-backup`, which is a process of its own and no part of a box: a node beside one of two servers.
import { Backup, type BackupSettings } from "../backup/backup.js";
import { logCrashes } from "../base/crash.js";
import { DolphinError, asDolphinError } from "../base/errors.js";
import { exitCodeOf, exitCodes } from "../base/exit-codes.js";
import { createLog, flushLog } from "../base/log.js";

/** Serves until a signal comes. Gives the exit code. */
export async function runBackup(settings: BackupSettings): Promise<number> {
  process.on("SIGUSR1", () => undefined); // else it opens a debugger
  const log = createLog({ role: "backup", child: null, level: "info", format: "json", file: null });
  logCrashes(() => log);
  const ended = new Promise<string>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve(signal));
  });
  try {
    const backup = await Backup.start(settings, log);
    const { node, listen, hooks, peer } = settings;
    const fields = {
      event: "backup.ready",
      node,
      http: `${listen.host}:${listen.port}`,
      hooks: `${hooks.host}:${hooks.port}`,
      peer: peer.href,
    };
    log.info(fields, `node ${node} serves HLS on ${fields.http}, takes hooks on ${fields.hooks}, and its peer is ${peer.href}`);
    const signal = await ended;
    log.info({ event: "backup.stopping", reason: signal }, "asked to stop");
    await backup.close();
    return exitCodes.ok;
  } catch (thrown) {
    const { code, message } = asDolphinError(thrown);
    log.fatal({ event: "backup.failed", code }, message);
    return thrown instanceof DolphinError && code === "BACKUP_WRITE" ? exitCodes.cannotCreate : exitCodeOf(thrown);
  } finally {
    flushLog();
  }
}
