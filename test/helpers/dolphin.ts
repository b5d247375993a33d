// The real command under test: starts bin/dolphin.js on free ports with a runtime folder of its own, reads its JSON log
// lines, and at the end holds it to leaving nothing behind: no unexpected line, no process, no socket.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fetchStatus } from "../../src/master/control/client.js";
import { isRunning, projectRoot, run, start, type Child, type Ending } from "./child.js";
import { freePort } from "./ports.js";
import { eventually, within } from "./wait.js";

/** One line of the log, with the fields that tests look at. */
export interface LogLine {
  readonly level: string;
  readonly time: string;
  readonly event?: string;
  readonly code?: string;
  readonly reason?: string;
  readonly child?: string;
  readonly peer?: string;
  readonly conn?: string | number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** What a box tells of itself, as far as tests look at it. */
export interface Status {
  readonly serverId: string;
  readonly processes: readonly {
    readonly name: string;
    readonly duty: "origin" | "edge" | "server" | "admin" | null;
    readonly pid: number | null;
    readonly state: string;
    readonly restarts: number;
    readonly lastDeath: { readonly cause: string } | null;
    readonly isStale: boolean;
    readonly connections: number;
    readonly players: number;
    readonly publishers: number;
    readonly memoryBytes: number | null;
  }[];
  readonly programs: readonly {
    readonly kind: string;
    readonly name: string;
    readonly stream: string;
    readonly pid: number | null;
    readonly restarts: number;
  }[];
  readonly streams: readonly {
    readonly vhost: string;
    readonly app: string;
    readonly stream: string;
    readonly state: string;
    readonly source: { readonly process: string; readonly peer: string } | null;
    readonly players: number;
    readonly playersOf: Readonly<Record<string, number>>;
    readonly edges: number;
    readonly video: string;
    readonly audio: string;
  }[];
  /** What has become of connections; null where they are not carried. */
  readonly carried: { readonly kept: number; readonly carried: number; readonly cut: number } | null;
  /** Plan b. */
  readonly balance?: {
    readonly software: string;
    readonly policy: string;
    readonly routing: string;
    readonly servers: readonly {
      readonly name: string;
      readonly rtmp: { readonly port: number };
      readonly http: { readonly port: number } | null;
      readonly api: { readonly endpoint: { readonly port: number }; readonly isPublic: boolean } | null;
      readonly isUp: boolean;
      readonly upSinceMs: number;
      readonly connections: number;
      readonly bytesPerSecond: number;
      readonly weight: number;
    }[];
    readonly carried: readonly {
      readonly proxy: string;
      readonly backend: string;
      readonly connections: number;
      readonly total: number;
      readonly bytesIn: number;
      readonly bytesOut: number;
    }[];
    readonly leases: readonly { readonly key: string; readonly backend: string; readonly proxy: string }[];
  };
}

export interface DolphinOptions {
  readonly cores?: number;
  /** A configuration file's text; listen addresses and processes are still given by flags, and it stays in the foreground. */
  readonly conf?: string | ((rtmpPort: number, httpPort: number, apiPort: number) => string);
  readonly args?: readonly string[];
  /** Serves the API on a port of its own, and says nothing of it where the file shall; off where it is left out. */
  readonly api?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly readyTimeoutMs?: number;
  /** What to wait for, where not everything will ever serve. */
  readonly readyWhen?: (line: LogLine) => boolean;
  /** Listening sockets that it is given as a service manager does; it must be told to listen on their addresses. */
  readonly sockets?: readonly { readonly fd: number; readonly name: string }[];
  /** The whole command line from the first word on, in place of `--cores --listen --http` and `args`. */
  readonly words?: (rtmpPort: number, httpPort: number) => readonly string[];
  /** The program to start; this build's when left out. */
  readonly program?: string;
}

const thisProgram = join(projectRoot, "bin/dolphin.js");

type WriteConf = (text: string, write?: (path: string, text: string) => void) => void;

/** What `t.after` of node:test is to a helper. */
export interface Cleanup {
  after(hook: () => void | Promise<void>): void;
}

export interface LogRules {
  /** Lines of level warn that this test provokes; every other one fails it. */
  readonly allow?: (line: LogLine) => boolean;
}

/** The text, which logs to the console as a process in the foreground, unless it says otherwise. No line moves. */
function inForeground(conf: string): string {
  const wanted = { daemon: "off", srs_log_tank: "console", pid: "off" };
  const missing = Object.entries(wanted).filter(([name]) => !new RegExp(`(^|[\\s;])${name}\\s`).test(conf));
  return `${missing.map(([name, value]) => `${name} ${value}; `).join("")}${conf}`;
}

/** A running box. */
export class Dolphin {
  /** The master's; of its successor after an upgrade. */
  pid: number;
  readonly rtmpPort: number;
  readonly httpPort: number;
  /** 0 where `api` was left out. */
  readonly apiPort: number;
  /** By process name, as of the start or the last upgrade; a restarted child has another pid. */
  pids: Readonly<Record<string, number>> = {};
  private readonly child: Child;
  /** Writes its file anew, in place or as `write` does, and tells it nothing. */
  readonly writeConf: WriteConf;
  private readonly entries: LogLine[] = [];
  private readonly strayLines: string[] = [];
  private readonly seenPids = new Set<number>();
  private waiters: (() => void)[] = [];

  private constructor(child: Child, ports: Pick<Dolphin, "rtmpPort" | "httpPort" | "apiPort">, writeConf: WriteConf) {
    this.child = child;
    this.writeConf = writeConf;
    this.rtmpPort = ports.rtmpPort;
    this.httpPort = ports.httpPort;
    this.apiPort = ports.apiPort;
    this.pid = child.pid;
    this.seenPids.add(child.pid);
  }

  /** Starts it and waits for its `dolphin.ready`. It is stopped and its folder removed after the test at the latest. */
  static async start(t: Cleanup, options: DolphinOptions = {}): Promise<Dolphin> {
    const { cores = 2, conf, args = [], env = {}, readyTimeoutMs = 15_000, readyWhen, program = thisProgram } = options;
    const [rtmpPort, httpPort] = [await freePort(), await freePort()];
    const apiPort = options.api === undefined ? 0 : await freePort();
    const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
    const apiWords = options.api === false ? [] : ["--api", options.api === true ? `127.0.0.1:${apiPort}` : "off"];
    const usual = ["--cores", String(cores), "--listen", `127.0.0.1:${rtmpPort}`, "--http", `127.0.0.1:${httpPort}`, ...apiWords, ...args];
    const words = [...(options.words?.(rtmpPort, httpPort) ?? usual)];
    let writeConf: WriteConf = () => assert.fail("the box was started without a file");
    if (conf !== undefined) {
      const path = join(folder, "dolphin.conf");
      writeConf = (text, write = writeFileSync) => write(path, inForeground(text));
      writeConf(typeof conf === "string" ? conf : conf(rtmpPort, httpPort, apiPort));
      words.push("-c", path);
    }
    let read = (_line: string): void => undefined;
    const { sockets = [] } = options;
    const listenEnv = { LISTEN_FDS: String(sockets.length), LISTEN_FDNAMES: sockets.map(({ name }) => name).join(":") };
    // Only the process itself knows its number before it runs; exec keeps it.
    const prefix = sockets.length === 0 ? [] : ["/bin/sh", "-c", 'export LISTEN_PID=$$; exec "$@"', "sh"];
    const [command = "", ...rest] = [...prefix, process.execPath, program, ...words];
    const child = start(command, rest, {
      cwd: folder,
      // In a container a changed file would be read by itself, beside what a test asks for.
      env: {
        XDG_RUNTIME_DIR: folder,
        SRS_AUTO_RELOAD_FOR_DOCKER: "off",
        SRS_DOLPHIN_WARM_UP: "off",
        ...(sockets.length === 0 ? {} : listenEnv),
        ...env,
      },
      fds: sockets.map(({ fd }) => fd),
      onLine: (line) => read(line),
    });
    const dolphin = new Dolphin(child, { rtmpPort, httpPort, apiPort }, writeConf);
    read = (line) => dolphin.read(line);
    t.after(async () => {
      await dolphin.kill();
      rmSync(folder, { recursive: true, force: true });
    });
    void child.ended.then(() => dolphin.wake());
    if (readyWhen !== undefined) {
      await dolphin.waitFor("child.ready", { where: readyWhen, timeoutMs: readyTimeoutMs });
      return dolphin;
    }
    await dolphin.waitFor("dolphin.ready", { timeoutMs: readyTimeoutMs });
    return dolphin;
  }

  rtmpUrl(stream: string): string {
    return `rtmp://127.0.0.1:${this.rtmpPort}/live/${stream}`;
  }

  flvUrl(stream: string): string {
    return `http://127.0.0.1:${this.httpPort}/live/${stream}.flv`;
  }

  apiUrl(path: string): string {
    return `http://127.0.0.1:${this.apiPort}${path}`;
  }

  /** Throws for a name that no process had: the number 0 would be the group of whoever runs the test. */
  pidOf(name: string): number {
    return this.pids[name] ?? assert.fail(`there is no ${name} among ${Object.keys(this.pids).join(", ")}`);
  }

  /** The log lines so far that fulfil the condition. */
  logLines(wanted: (line: LogLine) => boolean = () => true): LogLine[] {
    return this.entries.filter(wanted);
  }

  /** The first line with this event (and condition), from the beginning of the log or from line `from` on. */
  async waitFor(event: string, options: { where?: (line: LogLine) => boolean; timeoutMs?: number; from?: number } = {}): Promise<LogLine> {
    const { where = () => true, timeoutMs = 10_000, from = 0 } = options;
    const look = async (): Promise<LogLine> => {
      for (;;) {
        const found = this.entries.find((line, at) => at >= from && line.event === event && where(line));
        if (found !== undefined) return found;
        if (this.child.ending !== null)
          throw new Error(`dolphin ended (${JSON.stringify(this.child.ending)}) before ${event}:\n${this.tail()}`);
        await new Promise<void>((resolve) => this.waiters.push(resolve));
      }
    };
    return within(look(), timeoutMs, () => `the log event ${event}; the log so far:\n${this.tail()}`);
  }

  /** What it tells on its control socket: `dolphin status --json` prints the same, at the cost of a process a time. */
  async status(): Promise<Status> {
    return (await fetchStatus(this.controlSocket)) as Status;
  }

  /** What one of the command's verbs prints, asked of this box. */
  ask(...words: readonly string[]): Promise<string> {
    return run(process.execPath, [thisProgram, ...words, "--socket", this.controlSocket], 30_000);
  }

  get controlSocket(): string {
    return String(this.entries.find((line) => line.event === "dolphin.ready")?.["controlSocket"]);
  }

  /** The number of log lines so far, to wait for later ones only. */
  get logLength(): number {
    return this.entries.length;
  }

  /** Sockets that its processes have open now, as the system sees it; the status is as old as the last heartbeat. */
  openSockets(): number {
    const isSocket = (link: string): boolean => {
      try {
        return readlinkSync(link).startsWith("socket:");
      } catch {
        return false; // closed while we looked
      }
    };
    const links = Object.values(this.pids).flatMap((pid) => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`));
    return links.filter(isSocket).length;
  }

  /** Writes its file anew, tells it by HUP, and resolves to its answer, which must have this outcome. */
  async reload(conf: string, outcome: "applied" | "unchanged" | "refused" = "applied"): Promise<LogLine> {
    const from = this.logLength;
    this.writeConf(conf);
    this.signal("SIGHUP");
    return this.waitFor(`reload.${outcome}`, { from, timeoutMs: 20_000 });
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  get ended(): Promise<Ending> {
    return this.child.ended;
  }

  /** Asks it to stop, bounded, and then checks that it left clean. */
  async stop(rules: LogRules = {}): Promise<Ending> {
    if (this.pid !== this.child.pid) this.signal("SIGTERM"); // its successor, which is no child of ours
    const ending = await this.child.stop("SIGTERM", 10_000);
    assert.deepEqual(ending, { code: 0, signal: null }, `dolphin must end by itself when asked to:\n${this.tail()}`);
    await this.assertCleanLog(rules);
    return ending;
  }

  /** No line of level error, no unexpected warning, no line that is not JSON, no process left. */
  async assertCleanLog({ allow = () => false }: LogRules = {}): Promise<void> {
    // All are asked to stop at once: an edge that hears of it after its origin has lost it.
    const isLateToStop = ({ event, code }: LogLine): boolean => code === "RELAY_CLOSED" && (event === "pull.lost" || event === "push.lost");
    const stoppedAt = this.entries.findLastIndex(({ event }) => event === "dolphin.stopping");
    // A busy machine may leave a process without time for longer than its site believes in it.
    const isOfMachine = ({ event }: LogLine): boolean => event === "registry.woke";
    const isExpected = (line: LogLine, at: number): boolean =>
      allow(line) || isOfMachine(line) || (stoppedAt >= 0 && at > stoppedAt && isLateToStop(line));
    const bad = this.entries.filter(
      (line, at) => ["error", "fatal"].includes(line.level) || (line.level === "warn" && !isExpected(line, at)),
    );
    assert.deepEqual(bad, [], "unexpected lines in the log");
    assert.deepEqual(this.strayLines, [], "output that is not a log line");
    await eventually(() => [...this.seenPids].every((pid) => !isRunning(pid)), {
      timeoutMs: 3000,
      what: `the processes ${[...this.seenPids].filter((pid) => isRunning(pid)).join(", ")} to be gone`,
    });
  }

  /** Ends it and every process of it that is known, without any check. */
  async kill(): Promise<void> {
    if (isRunning(this.pid)) this.signal("SIGTERM");
    await eventually(() => !isRunning(this.pid), { timeoutMs: 3000 }).catch(() => undefined);
    for (const pid of this.seenPids) {
      if (isRunning(pid)) process.kill(pid, "SIGKILL");
    }
    await this.child.ended; // the end of its output, which whoever survived it would have held open
  }

  private read(line: string): void {
    try {
      const entry = JSON.parse(line) as LogLine;
      this.entries.push(entry);
      if (entry.event === "dolphin.ready") {
        this.pids = entry["pids"] as Record<string, number>;
        this.pid = this.pids["master"] ?? this.pid;
      }
      for (const pid of [entry["pid"], entry["childPid"]]) if (typeof pid === "number") this.seenPids.add(pid);
    } catch {
      this.strayLines.push(line);
    }
    this.wake();
  }

  private wake(): void {
    const { waiters } = this;
    this.waiters = [];
    for (const wake of waiters) wake();
  }

  private tail(): string {
    return this.child.output().slice(-4000);
  }
}
