// Programs that tests and benches start: output kept and read by lines, an ending that can be awaited, a bounded stop,
// and nothing left running: what is still alive when this process ends, however it ends, is killed by pid.
import { spawn, type ChildProcess } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { within } from "./wait.js";

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Descriptors of ours that it has as 3, 4, … */
  readonly fds?: readonly number[];
  /** Every line of standard output, or of standard error, as it comes. */
  readonly onLine?: (line: string, from: "stdout" | "stderr") => void;
}

/** The folder with package.json, from wherever the compiled file stands. */
export const projectRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

const alive = new Set<ChildProcess>();

/** A started program. `stop` may be called twice; it never throws because the program is already gone. */
export class Child {
  readonly pid: number;
  /** Resolves once the program has ended and all of its output was read; never rejects. */
  readonly ended: Promise<Ending>;
  ending: Ending | null = null;
  readonly name: string;
  private readonly process: ChildProcess;
  private readonly lines: string[] = [];

  constructor(name: string, process: ChildProcess, onLine: StartOptions["onLine"]) {
    this.name = name;
    this.process = process;
    this.pid = process.pid ?? 0;
    alive.add(process);
    for (const from of ["stdout", "stderr"] as const) {
      const stream = process[from];
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        if (this.lines.length < 20_000) this.lines.push(line);
        onLine?.(line, from);
      });
    }
    this.ended = new Promise((resolve) => {
      process.once("error", (error) => {
        this.lines.push(error.message);
        resolve(this.settle(127, null));
      });
      process.once("close", (code, signal) => resolve(this.settle(code, signal)));
    });
  }

  /** Everything that it wrote so far, both streams in the order of arrival. */
  output(): string {
    return this.lines.join("\n");
  }

  /** Sends the signal, and KILL when it has not ended after `timeoutMs`. */
  async stop(signal: NodeJS.Signals = "SIGTERM", timeoutMs = 5000): Promise<Ending> {
    if (this.ending === null) this.process.kill(signal);
    try {
      return await within(this.ended, timeoutMs, "");
    } catch {
      this.process.kill("SIGKILL");
      return this.ended;
    }
  }

  write(text: string): void {
    this.process.stdin?.write(text);
  }

  private settle(code: number | null, signal: NodeJS.Signals | null): Ending {
    alive.delete(this.process);
    this.ending ??= { code, signal };
    return this.ending;
  }
}

/** Starts a program without a shell. A program that cannot be started ends with code 127. */
export function start(command: string, args: readonly string[], options: StartOptions = {}): Child {
  const process_ = spawn(command, [...args], {
    stdio: ["pipe", "pipe", "pipe", ...(options.fds ?? [])],
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  process_.stdin?.on("error", () => undefined); // it ended while we wrote; its ending tells
  return new Child(command.split("/").at(-1) ?? command, process_, options.onLine);
}

/** Runs a program to its end and returns its standard output. Throws with all output when it fails or takes too long. */
export async function run(command: string, args: readonly string[], timeoutMs: number, cwd?: string): Promise<string> {
  const out: string[] = [];
  const onLine = (line: string, from: string): void => void (from === "stdout" && out.push(line));
  const child = start(command, args, cwd === undefined ? { onLine } : { onLine, cwd });
  try {
    const { code } = await within(child.ended, timeoutMs, `${child.name} ${args.join(" ")} to end`);
    if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}:\n${child.output().slice(-2000)}`);
  } finally {
    await child.stop("SIGKILL");
  }
  return out.join("\n");
}

/** Whether a process runs; a zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (thrown) {
    return thrown instanceof Error && "code" in thrown && thrown.code === "EPERM";
  }
}

function findRoot(from: string): string {
  if (existsSync(join(from, "package.json"))) return from;
  const above = dirname(from);
  if (above === from) throw new Error("no package.json above the tests");
  return findRoot(above);
}

process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => process.exit(1));
