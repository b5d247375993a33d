// The name of a server over its restarts, which SRS's API calls `server`: what the configuration says, or a name that is made
// up once and kept in a file beside the pid file, `srs.pid` and `srs.id`, as SRS does.
import { randomInt } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { DolphinError, messageOf } from "../../base/errors.js";
import type { Config } from "../../conf/meaning/config.js";

const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
const madeUpLetters = 7;

/**
 * The id of this server. Call it when the pid file is ours: nobody else writes the id then. Throws CHILD_START when it
 * cannot be kept.
 */
export function serverIdOf({ serverId, pidFile }: Pick<Config, "serverId" | "pidFile">): string {
  if (serverId !== null) return serverId;
  const madeUp = `vid-${Array.from({ length: madeUpLetters }, () => letters.charAt(randomInt(letters.length))).join("")}`;
  if (pidFile === null) return madeUp;
  const file = idFileOf(pidFile);
  const kept = read(file);
  if (kept !== null) return kept;
  try {
    writeFileSync(file, `${madeUp}\n`);
  } catch (thrown) {
    throw new DolphinError("CHILD_START", `cannot keep the server's id in ${file}: ${messageOf(thrown)}; or write server_id`, {
      cause: thrown,
    });
  }
  return madeUp;
}

/** `.pid` at the end becomes `.id`. */
function idFileOf(pidFile: string): string {
  return `${pidFile.replace(/\.pid$/, "")}.id`;
}

/** What a file holds, if it is one word. */
function read(file: string): string | null {
  try {
    return /^[\x21-\x7e]{1,64}$/.exec(readFileSync(file, "utf8").trim())?.[0] ?? null;
  } catch {
    return null; // there is none yet; writing it will tell what is wrong
  }
}
