// A running dolphin of some build, started for one measurement. It writes its log into a file, as operators have it, so that it
// never waits for whoever reads; the bench reads that when nothing is measured.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning, run, start, type Child } from "../../test/helpers/child.js";
import { freePort } from "../../test/helpers/ports.js";
import { eventually } from "../../test/helpers/wait.js";
import type { Build } from "./build.js";

/** How a box is started. */
export interface Shape {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One line of its log. */
export interface LogLine {
  readonly time: string;
  readonly event?: string;
  readonly [field: string]: unknown;
}

const readyTimeoutMs = 20_000;
const stopTimeoutMs = 10_000;
const goneTimeoutMs = 3000;

/** `stop` ends it with everything that belongs to it. */
export class Box {
  readonly build: Build;
  readonly rtmpPort: number;
  readonly httpPort: number;
  /** By process name, as of the start. */
  pids: Readonly<Record<string, number>> = {};
  private readonly folder: string;
  private readonly logPath: string;
  private readonly child: Child;

  private constructor(build: Build, folder: string, child: Child, rtmpPort: number, httpPort: number) {
    this.build = build;
    this.folder = folder;
    this.logPath = join(folder, "log");
    this.child = child;
    this.rtmpPort = rtmpPort;
    this.httpPort = httpPort;
  }

  /** Resolves when all of it serves. */
  static async start(build: Build, { args, env = {} }: Shape): Promise<Box> {
    const [rtmpPort, httpPort] = [await freePort(), await freePort()];
    const folder = mkdtempSync(join(tmpdir(), "dolphin-bench-"));
    const log = openSync(join(folder, "log"), "a");
    const words = ["--listen", `127.0.0.1:${rtmpPort}`, "--http", `127.0.0.1:${httpPort}`, ...args];
    const command = ["/bin/sh", "-c", 'exec "$@" >&3 2>&3 3>&-', "sh", process.execPath, build.program, ...words];
    const child = start(command[0] ?? "", command.slice(1), {
      cwd: folder,
      env: { XDG_RUNTIME_DIR: folder, SRS_AUTO_RELOAD_FOR_DOCKER: "off", ...env },
      fds: [log],
    });
    closeSync(log);
    const box = new Box(build, folder, child, rtmpPort, httpPort);
    try {
      const ready = await eventually(() => box.isEnded() || box.readyLine(), {
        timeoutMs: readyTimeoutMs,
        everyMs: 25,
        what: "dolphin.ready",
      });
      if (ready === true) throw new Error("it ended");
      box.pids = ready["pids"] as Record<string, number>;
      return box;
    } catch (thrown) {
      const said = box.tail();
      await box.stop();
      throw new Error(`${build.name} ${words.join(" ")} does not start: ${said}`, { cause: thrown });
    }
  }

  pidOf(name: string): number {
    const pid = this.pids[name];
    if (pid === undefined) throw new Error(`there is no process ${name}, but ${Object.keys(this.pids).join(", ")}`);
    return pid;
  }

  /** What one of the build's verbs prints, asked of this box. */
  ask(...words: readonly string[]): Promise<string> {
    const socket = String(this.readyLine()?.["controlSocket"]);
    return run(process.execPath, [this.build.program, ...words, "--socket", socket], 20_000);
  }

  /** The log so far; lines that are no JSON are left out. */
  logLines(): LogLine[] {
    return readFileSync(this.logPath, "utf8")
      .split("\n")
      .flatMap((line) => {
        try {
          return [JSON.parse(line) as LogLine];
        } catch {
          return []; // the last one may be half written
        }
      });
  }

  async stop(): Promise<void> {
    const seen = new Set(this.logLines().flatMap((line) => [line["pid"], line["childPid"]].filter((pid) => typeof pid === "number")));
    const master = this.readyLine()?.["pids"] as Readonly<Record<string, number>> | undefined;
    // After an upgrade the master is no child of ours.
    if (master?.["master"] !== undefined && isRunning(master["master"])) process.kill(master["master"], "SIGTERM");
    await this.child.stop("SIGTERM", stopTimeoutMs);
    const left = (): number[] => [...seen].filter((pid) => isRunning(pid) && this.isOurs(pid));
    await eventually(() => left().length === 0, { timeoutMs: goneTimeoutMs }).catch(() => undefined);
    for (const pid of left()) process.kill(pid, "SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  private isEnded(): boolean {
    return this.child.ending !== null;
  }

  /** Of the start, or of the last upgrade. */
  private readyLine(): LogLine | undefined {
    return this.logLines().findLast(({ event }) => event === "dolphin.ready");
  }

  /** The number of a process that has ended may be somebody else's. */
  private isOurs(pid: number): boolean {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`XDG_RUNTIME_DIR=${this.folder}\0`);
    } catch {
      return false; // it ended while we looked
    }
  }

  private tail(): string {
    return readFileSync(this.logPath, "utf8").slice(-2000);
  }
}
