// A box of which the log is what matters: it goes where the configuration says, so that the files can be moved away under it.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { fetchStatus } from "../../src/master/control/client.js";
import { projectRoot, start, type Child } from "./child.js";
import type { Cleanup, Status } from "./dolphin.js";
import { freePort } from "./ports.js";
import { waitUntilGone } from "./processes.js";
import { player } from "./rtmp-client.js";
import { eventually, within } from "./wait.js";

const entry = join(projectRoot, "bin/dolphin.js");

/** A box on two cores whose log is given by its configuration, in which LOG stands for a file in a folder of its own. */
export class LoggingBox {
  readonly file: string;
  readonly printed: string[] = [];
  private readonly port: number;
  readonly folder: string;
  private readonly child: Child;
  /** By process name. */
  pids: Readonly<Record<string, number>> = {};

  private constructor(port: number, folder: string, conf: string) {
    this.port = port;
    this.folder = folder;
    this.file = join(folder, "srs.log");
    // In a container the log would go to the console.
    const tank = conf.includes("srs_log_tank") ? "" : "srs_log_tank file;";
    const own = `daemon off; pid off; ${tank} listen 127.0.0.1:${port}; vhost __defaultVhost__ { }`;
    writeFileSync(join(folder, "box.conf"), `${own}\n${conf.replace("LOG", this.file)}`);
    this.child = start(process.execPath, [entry, "-c", join(folder, "box.conf"), "--cores", "2"], {
      cwd: folder,
      env: { XDG_RUNTIME_DIR: folder },
      onLine: (line) => this.printed.push(line),
    });
  }

  /** Starts it and waits until all of it serves. It is stopped and its folder removed after the test at the latest. */
  static async start(t: Cleanup, conf: string): Promise<LoggingBox> {
    const box = new LoggingBox(await freePort(), mkdtempSync(join(tmpdir(), "dolphin-test-")), conf);
    t.after(async () => {
      await box.child.stop("SIGTERM");
      rmSync(box.folder, { recursive: true, force: true });
    });
    const serves = async (): Promise<boolean> => {
      const { processes } = await box.status();
      box.pids = Object.fromEntries(processes.map(({ name, pid }) => [name, pid ?? 0]));
      return processes.every(({ state }) => state === "up");
    };
    await eventually(serves, { timeoutMs: 15_000, what: "a box that serves" });
    return box;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.child.pid, signal);
  }

  async stop(): Promise<void> {
    assert.deepEqual(await this.child.stop("SIGTERM", 10_000), { code: 0, signal: null });
    await waitUntilGone(Object.values(this.pids), 3000);
  }

  /** A viewer of a stream that nobody publishes, who leaves at once: a line when it begins and one when it ends. */
  async visit(stream: string): Promise<void> {
    const viewer = await player(`rtmp://127.0.0.1:${this.port}/live/${stream}`);
    viewer.close();
    await viewer.ended;
  }

  /** Somebody who speaks no RTMP: a line of level warn. */
  async bother(): Promise<void> {
    const socket = connect(this.port, "127.0.0.1").on("error", () => undefined);
    socket.end("GET / HTTP/1.1\r\n\r\n").resume();
    await within(once(socket, "close"), 5000, "the connection to be closed");
  }

  /** The log and everything that was rotated away, by name. */
  files(): string[] {
    return readdirSync(this.folder).filter((name) => name.startsWith("srs.log"));
  }

  /** All lines of all files; every one of them must be whole. */
  lines(): string[] {
    return this.files().flatMap((name) => {
      const bytes = readFileSync(join(this.folder, name));
      const text = (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString();
      assert.ok(text === "" || text.endsWith("\n"), `${name} ends within a line`);
      return text.split("\n").slice(0, -1);
    });
  }

  private async status(): Promise<Status> {
    return (await fetchStatus(join(this.folder, "dolphin", `127.0.0.1-${this.port}.sock`))) as Status;
  }
}
