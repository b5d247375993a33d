// daemon on: the process that was started, the launcher, starts the one that serves in a session of its own, waits until that
// serves or has failed, tells what a person needs, and ends. Whoever waits for the launcher knows the outcome by its exit code,
// and finds the pid file written by then (systemd's Type=forking).
//
//   launcher ──spawn, DOLPHIN_LAUNCHED──► master      session of its own, no terminal
//      │◄──────── refused SENTENCE ───────────┤
//      │◄──────── ready BOX ──────────────────┤
//   exit 0, or the master's exit code         └──► serves on
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, openSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isatty } from "node:tty";
import type { Config } from "../../conf/meaning/config.js";
import type { Listener } from "../../ipc/listener.js";

/** What is known of a box at the moment when everything serves. */
export interface ReadyBox {
  readonly version: string;
  /** Of the master. */
  readonly pid: number;
  readonly plan: "a" | "b" | "single";
  /** Public workers. */
  readonly workers: number;
  readonly endpoints: readonly Pick<Listener, "protocol" | "endpoint">[];
}

/** What the master tells its launcher. */
type News = { readonly type: "ready"; readonly box: ReadyBox } | { readonly type: "refused"; readonly sentence: string };

/** By it a process knows that it has a launcher. */
const mark = "DOLPHIN_LAUNCHED";

/** Why a process stays in the foreground though the configuration says `daemon on`; null: it does not. */
export function reasonToStay({ container }: Pick<Config, "container">, isContainer: boolean, env: NodeJS.ProcessEnv): string | null {
  if (container.staysInForeground && (container.isGiven || isContainer)) return "this is a container (disable_daemon_for_docker on)";
  if ((env["NOTIFY_SOCKET"] ?? "") !== "") return "the service manager waits for a message and not for an exit (Type=notify)";
  if (env["LISTEN_PID"] === String(process.pid)) return "the service manager gave its sockets to this process";
  return null;
}

export interface LaunchEvents {
  ready(box: ReadyBox): void;
  refused(sentence: string): void;
}

/**
 * Starts the master in the background with this process's own command line. Resolves to the launcher's exit code. Who stops
 * the launcher stops the master.
 */
export function launchDaemon(config: Pick<Config, "log" | "workDir">, events: LaunchEvents): Promise<number> {
  const [, script = "", ...words] = process.argv;
  const master = spawn(process.execPath, [...process.execArgv, script, ...words], {
    detached: true,
    stdio: ["ignore", outputOf(1, config), outputOf(2, config), "ipc"],
    env: { ...process.env, [mark]: "1" },
  });
  for (const signal of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) process.on(signal, () => void master.kill(signal));
  return new Promise((end, reject) => {
    master.once("error", reject);
    master.on("message", (news: News) => {
      if (news.type === "refused") return events.refused(news.sentence);
      events.ready(news.box);
      return end(0);
    });
    // Not at its exit: what it said last may still be on the way then.
    master.once("close", (code, signal) => {
      if (signal !== null) events.refused(`the process in the background was ended by ${signal}`);
      end(code ?? 1);
    });
  });
}

/**
 * Where a daemon's output goes: never to a terminal, which would end it or block it when it closes or is held. With the log in
 * a file nothing else is held open, so that whoever reads the launcher's output to its end does not wait for the daemon; what
 * Node itself writes when it crashes goes to that file.
 */
function outputOf(fd: 1 | 2, { log, workDir }: Pick<Config, "log" | "workDir">): "ignore" | number {
  if (log.file === null) return isatty(fd) ? "ignore" : fd;
  if (fd === 1) return "ignore";
  try {
    const path = resolve(workDir, log.file);
    if (!existsSync(dirname(path))) mkdirSync(dirname(path)); // but not a work_dir that is missing
    return openSync(path, "a");
  } catch {
    return "ignore"; // the master will tell
  }
}

/** The launcher of this process; null where nobody waits for it. To be asked once. */
export function findLauncher(): Launcher | null {
  const isLaunched = process.env[mark] !== undefined && process.send !== undefined;
  delete process.env[mark]; // what this process starts has no launcher
  return isLaunched ? new Launcher() : null;
}

/** Who waits for this process to serve. He may have been killed meanwhile; nothing changes then. */
export class Launcher {
  private last: Promise<void> = Promise.resolve();

  /** Lets him go; he ends with 0. */
  ready(box: ReadyBox): void {
    this.tell({ type: "ready", box });
  }

  refused(sentence: string): void {
    this.tell({ type: "refused", sentence });
  }

  /** Resolves when he has been told everything. */
  close(): Promise<void> {
    return this.last;
  }

  private tell(news: News): void {
    if (!process.connected) return;
    this.last = new Promise((told) => process.send?.(news, undefined, undefined, () => told()));
  }
}
