// What stands behind the proxies: our own server, a real srs, or any other command. An srs is recognised by what it says
// of itself; which ways it has of being told its ports depends on its age.
import { execFile } from "node:child_process";
import { resolve as fromRoot } from "node:path";
import { DolphinError } from "../../base/errors.js";
import { builtin } from "../../conf/meaning/config.js";

export type Software =
  | { readonly kind: "builtin" }
  /** `version` as it says, `7.0.18`; `major` its first number. */
  | { readonly kind: "srs"; readonly path: string; readonly version: string; readonly major: number }
  /** Words with `{rtmp_port}` and the like in them. */
  | { readonly kind: "command"; readonly argv: readonly string[] };

const answerTimeoutMs = 5000;
const maxAnswerBytes = 65_536;

/** Runs a program to its end and gives what it printed, whatever its exit code; throws the system's error when it cannot run. */
export type Ask = (path: string, flag: string) => Promise<string>;

/**
 * Finds out what `server` names: several words, or a word with a placeholder, are a command; a single one is asked who it is.
 * Throws CHILD_START when it cannot be run, is no srs, or is dolphin.
 */
export async function recognise(server: readonly string[], ask: Ask = askProgram): Promise<Software> {
  const [path = builtin, ...rest] = server;
  if (path === builtin && rest.length === 0) return { kind: "builtin" };
  if (rest.length > 0) return { kind: "command", argv: server };
  let said: string;
  try {
    said = `${await ask(path, "-v")}\n${await ask(path, "-g")}`;
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new DolphinError("CHILD_START", `cannot run the server ${path}: ${reason}`, { cause: thrown });
  }
  if (isDolphin(said)) throw new DolphinError("CHILD_START", `${path} is dolphin itself: write builtin for our own server`);
  const version = srsVersion(said);
  if (version === null) {
    const hint = 'write any other server as a command, such as "nginx -p {dir} -c {conf}", with its template as server_conf';
    throw new DolphinError("CHILD_START", `${path} is no srs, by what it prints for -v and -g; ${hint}`);
  }
  const program = path.includes("/") ? fromRoot(path) : path; // it is not started where it was asked
  return { kind: "srs", path: program, version, major: Number(version.split(".")[0]) };
}

/** Our own command answers in the same shape, so that scripts made for srs can ask it. */
function isDolphin(said: string): boolean {
  return /^\s*dolphin\/\d+\.\d+\.\d+\b/m.test(said);
}

/** The version in what an srs prints for `-v` (the number alone) and `-g` (`SRS/7.0.18(Hang)`); null for other programs. */
export function srsVersion(said: string): string | null {
  return /^\s*SRS\/(\d+\.\d+\.\d+)\b/m.exec(said)?.[1] ?? /^\s*(\d+\.\d+\.\d+)\s*$/m.exec(said)?.[1] ?? null;
}

function askProgram(path: string, flag: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(path, [flag], { timeout: answerTimeoutMs, maxBuffer: maxAnswerBytes, killSignal: "SIGKILL" }, (error, stdout, stderr) => {
      // A code is an answer too: nginx ends with 1 for a flag that it does not know. What could not be run has a name instead.
      if (error !== null && typeof error.code !== "number") reject(error);
      else resolve(`${stdout}\n${stderr}`);
    });
  });
}
