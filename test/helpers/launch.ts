// Starts of the command that end by themselves: in a folder of their own, with both outputs and the exit code.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot, start, type Child } from "./child.js";
import type { Cleanup } from "./dolphin.js";
import { within } from "./wait.js";

/** A folder that is removed with all that is in it after the test. */
export function temporaryFolder(t: Cleanup): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface LaunchOptions {
  /** Where it starts, and where its control socket is; a new one when left out. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Run {
  readonly code: number | null;
  /** Both outputs in the order of arrival. */
  readonly output: string;
  readonly stdout: readonly string[];
  readonly stderr: string;
}

/** Runs the command until it ends by itself. */
export async function runToItsEnd(t: Cleanup, args: readonly string[], options: LaunchOptions = {}): Promise<Run> {
  const lines: Record<string, string[]> = { stdout: [], stderr: [] };
  const child = launch(t, args, options, (line, from) => void lines[from]?.push(line));
  const { code } = await within(child.ended, 10_000, () => `dolphin ${args.join(" ")} to end:\n${child.output()}`);
  return { code, output: child.output(), stdout: lines["stdout"] ?? [], stderr: (lines["stderr"] ?? []).join("\n") };
}

/** Starts the command; it is stopped after the test at the latest. */
export function launch(
  t: Cleanup,
  args: readonly string[],
  { folder = temporaryFolder(t), env = {} }: LaunchOptions = {},
  onLine: (line: string, from: string) => void = () => undefined,
): Child {
  const child = start(process.execPath, [join(projectRoot, "bin/dolphin.js"), ...args], {
    cwd: folder,
    env: { XDG_RUNTIME_DIR: folder, ...env },
    onLine,
  });
  t.after(async () => void (await child.stop("SIGTERM", 6000)));
  return child;
}
