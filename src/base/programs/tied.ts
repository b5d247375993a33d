// A program that is not ours, for as long as we want it: started by its words and never through a shell, as the leader of a process group
// of its own, and ended with us whichever way we end. Three bonds: the kernel ends it with the thread that started it (setpriv), a guard
// beside us (orphan-guard.ts) ends its whole group, and we end what a leader that is gone has left behind. What it prints comes as lines
// (output-lines.ts).
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { DolphinError, errnoOf, messageOf } from "../errors.js";
import type { OrphanGuard } from "./orphan-guard.js";
import { OutputLines } from "./output-lines.js";

export interface TiedOptions {
  readonly argv: readonly string[];
  /** What stands in its environment beside ours. */
  readonly env?: Readonly<Record<string, string>>;
  /** Where it is started; null: where we are. */
  readonly cwd?: string | null;
  readonly guard: OrphanGuard;
  /** Open files that it writes to in place of telling us; null: its lines come here. */
  readonly outputs?: readonly [stdout: number | null, stderr: number | null];
  line(text: string): void;
  /** So many lines were left out. */
  dropped(lines: number): void;
  /** It is gone, and its last line was told. `cause`: `exit 1`, `killed by SIGTERM`. */
  gone(cause: string): void;
}

export interface Tied {
  readonly pid: number;
  /** TERM is a request to the leader, which passes it on in its own order; all else is for everything that it has started. */
  kill(signal: NodeJS.Signals): void;
}

/** How long a dead leader's output may stay open in what it left behind. */
const outputWithinMs = 500;
/** util-linux: lets the kernel kill a program together with the process that started it. */
const setpriv = "/usr/bin/setpriv";

/** Starts one. Throws CHILD_START where the system cannot; a file that is no program shows in its end. */
export function runTied(options: TiedOptions): Tied {
  const { argv, env = {}, cwd = null, guard, outputs = [null, null] } = options;
  const [command = "", ...args] = [...tieToParent(), ...argv];
  const where = cwd === null ? {} : { cwd };
  const stdio: StdioOptions = ["ignore", outputs[0] ?? "pipe", outputs[1] ?? "pipe"];
  const child = spawn(command, args, { ...where, env: { ...process.env, ...env }, stdio, detached: true });
  const { pid } = child;
  // A name that does not exist is told by an event; whoever asked gets an exception.
  child.once("error", () => undefined);
  if (pid === undefined) throw new DolphinError("CHILD_START", `cannot run ${argv[0] ?? ""}`);
  guard.add(pid);
  readOutput(child, options);
  whenGone(child, pid, (cause) => {
    guard.remove(pid);
    options.gone(cause);
  });
  return { pid, kill: (signal) => killIfThere(signal === "SIGTERM" ? pid : -pid, signal) };
}

/** The end of a process in words. */
export function causeOf(code: number | null, signal: string | null): string {
  return signal === null ? `exit ${code ?? "unknown"}` : `killed by ${signal}`;
}

function tieToParent(): readonly string[] {
  try {
    accessSync(setpriv, constants.X_OK);
    return [setpriv, "--pdeathsig", "KILL", "--"];
  } catch {
    return []; // no util-linux here; the guard has to do
  }
}

function readOutput(child: ChildProcess, options: TiedOptions): void {
  for (const stream of [child.stdout, child.stderr]) {
    const lines = new OutputLines({
      nowMs: () => performance.now(),
      line: (text) => options.line(text),
      dropped: (count) => options.dropped(count),
    });
    stream?.on("data", (bytes: Buffer) => lines.push(bytes));
    stream?.once("close", () => lines.end());
    stream?.on("error", () => undefined); // it ended; its exit tells
  }
}

/** Once the leader is gone, whatever is left of its group goes too; its end is told when its last line was read. */
function whenGone(child: ChildProcess, pid: number, gone: (cause: string) => void): void {
  child.once("exit", () => {
    killIfThere(-pid, "SIGKILL");
    setTimeout(() => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    }, outputWithinMs).unref();
  });
  child.once("close", (code, signal) => gone(causeOf(code, signal)));
}

function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (thrown) {
    // ESRCH: it went by itself in this very moment. EPERM: the system has given its number to somebody else's process.
    const errno = errnoOf(thrown) ?? "";
    if (errno !== "ESRCH" && errno !== "EPERM") throw new Error(`cannot send ${signal}: ${messageOf(thrown)}`, { cause: thrown });
  }
}
