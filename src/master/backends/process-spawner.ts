// Starts foreign servers (base/programs/tied.ts). They know nothing of us: they are asked to leave by SIGTERM, and whether they serve is
// found out by probe.ts.
import { mkdirSync, writeFileSync } from "node:fs";
import type { OrphanGuard } from "../../base/programs/orphan-guard.js";
import { runTied } from "../../base/programs/tied.js";
import type { ProcessSpec, Program } from "../processes/plan.js";
import { inUse, readListeningPorts } from "./slots.js";
import type { Running, RunningEvents, Spawner } from "../processes/supervisor.js";

export interface ProcessSpawnerOptions {
  readonly guard: OrphanGuard;
  /** A line that a server printed. */
  output(spec: ProcessSpec, line: string): void;
  outputDropped(spec: ProcessSpec, lines: number): void;
}

/** A spawner for the specs that have a program. */
export function processSpawner(options: ProcessSpawnerOptions): Spawner {
  return {
    spawn(spec, events) {
      const program = spec.backend?.program ?? null;
      if (program === null) throw new Error(`${spec.name} is no foreign program`);
      checkPort(spec);
      return start(options, spec, program, events);
    },
  };
}

/** A server that sets SO_REUSEPORT would share a port with somebody else and serve a part of the clients. */
function checkPort({ backend }: ProcessSpec): void {
  const port = backend?.rtmp.port ?? 0;
  if (readListeningPorts()?.has(port) === true) throw inUse(port);
}

function start(options: ProcessSpawnerOptions, spec: ProcessSpec, program: Program, events: RunningEvents): Running {
  const { argv, env, cwd } = program;
  writeFiles(program);
  const tied = runTied({
    argv,
    env,
    cwd,
    guard: options.guard,
    line: (text) => options.output(spec, text),
    dropped: (count) => options.outputDropped(spec, count),
    gone: (cause) => events.exit(cause),
  });
  // It has no ears for us.
  return { pid: tied.pid, send: () => undefined, kill: (signal) => tied.kill(signal) };
}

/** Writes the files that a program reads, below its scratch folder. Throws the system's error. */
export function writeFiles({ folder, files }: Program): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const { path, text } of files) writeFileSync(path, text, { mode: 0o600 });
}
