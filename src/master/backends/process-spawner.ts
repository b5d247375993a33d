// Starts foreign servers: by their words, never through a shell, each as the leader of a process group of its own. They know
// nothing of us: they are asked to leave by SIGTERM, and whether they serve is found out by probe.ts.
import { spawn, type ChildProcess } from "node:child_process";
import { accessSync, constants, mkdirSync, writeFileSync } from "node:fs";
import { DolphinError, errnoOf, messageOf } from "../../base/errors.js";
import { causeOf } from "../processes/cluster-spawner.js";
import type { OrphanGuard } from "./orphan-guard.js";
import { OutputLines } from "./output-lines.js";
import type { ProcessSpec, Program } from "../processes/plan.js";
import { inUse, readListeningPorts } from "./slots.js";
import type { Running, RunningEvents, Spawner } from "../processes/supervisor.js";

export interface ProcessSpawnerOptions {
  readonly guard: OrphanGuard;
  /** A line that a server printed. */
  output(spec: ProcessSpec, line: string): void;
  outputDropped(spec: ProcessSpec, lines: number): void;
}

/** How long a dead leader's output may stay open in what it left behind. */
const outputWithinMs = 500;
/** util-linux: lets the kernel kill a program together with the process that started it. */
const setpriv = "/usr/bin/setpriv";

/** A spawner for the specs that have a program. */
export function processSpawner(options: ProcessSpawnerOptions): Spawner {
  const prefix = tieToParent();
  return {
    spawn(spec, events) {
      const program = spec.backend?.program ?? null;
      if (program === null) throw new Error(`${spec.name} is no foreign program`);
      checkPort(spec);
      return start(options, spec, program, prefix, events);
    },
  };
}

/** The first of two bonds; the orphan guard is the second, and reaches what the program starts itself. */
function tieToParent(): readonly string[] {
  try {
    accessSync(setpriv, constants.X_OK);
    return [setpriv, "--pdeathsig", "KILL", "--"];
  } catch {
    return []; // no util-linux here; the guard has to do
  }
}

/** A server that sets SO_REUSEPORT would share a port with somebody else and serve a part of the clients. */
function checkPort({ backend }: ProcessSpec): void {
  const port = backend?.rtmp.port ?? 0;
  if (readListeningPorts()?.has(port) === true) throw inUse(port);
}

function start(
  options: ProcessSpawnerOptions,
  spec: ProcessSpec,
  program: Program,
  prefix: readonly string[],
  events: RunningEvents,
): Running {
  const { argv, env, cwd } = program;
  writeFiles(program);
  const [command = "", ...args] = [...prefix, ...argv];
  const where = cwd === null ? {} : { cwd };
  const child = spawn(command, args, { ...where, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"], detached: true });
  const { pid } = child;
  // A name that does not exist is told by an event; whoever asked gets an exception.
  child.once("error", () => undefined);
  if (pid === undefined) throw new DolphinError("CHILD_START", `cannot run ${argv[0] ?? ""}`);
  options.guard.add(pid);
  readOutput(child, options, spec);
  whenGone(child, pid, (cause) => {
    options.guard.remove(pid);
    events.exit(cause);
  });
  return {
    pid,
    send: () => undefined, // it has no ears for us
    // TERM is a request that the leader passes on in its own order; all else is for everything that it started.
    kill: (signal) => killIfThere(signal === "SIGTERM" ? pid : -pid, signal),
  };
}

/** Writes the files that a program reads, below its scratch folder. Throws the system's error. */
export function writeFiles({ folder, files }: Program): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { path, text } of files) writeFileSync(path, text, { mode: 0o600 });
}

function readOutput(child: ChildProcess, options: ProcessSpawnerOptions, spec: ProcessSpec): void {
  for (const stream of [child.stdout, child.stderr]) {
    const lines = new OutputLines({
      nowMs: () => performance.now(),
      line: (text) => options.output(spec, text),
      dropped: (count) => options.outputDropped(spec, count),
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
