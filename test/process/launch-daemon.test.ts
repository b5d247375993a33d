// daemon on, work_dir, and where neither has an effect: who waits for whom, what is where, and what remains.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isRunning, projectRoot, start } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { launch, runToItsEnd } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { waitUntilGone } from "../helpers/processes.js";
import { RawPeer } from "../helpers/raw-peer.js";
import { eventually, within } from "../helpers/wait.js";

const vhost = "vhost __defaultVhost__ { }";

interface Place {
  readonly folder: string;
  readonly file: string;
  readonly port: number;
}

/** A folder with a file that says what SRS's files say: nothing of a daemon, and the pid and log in objs. */
async function place(t: TestContext, more: string): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
  // One hook, for a daemon is found by what is in the folder.
  t.after(async () => {
    for (const pid of [pidIn(folder), pidIn(folder, "run/objs/srs.pid")]) {
      if (pid === null) continue;
      process.kill(pid, "SIGKILL");
      await waitUntilGone([pid], 3000);
    }
    rmSync(folder, { recursive: true, force: true });
  });
  const port = await freePort();
  writeFileSync(
    join(folder, "x.conf"),
    `listen 127.0.0.1:${port};\npid ./objs/srs.pid; srs_log_tank file; srs_log_file ./objs/srs.log;\ndisable_daemon_for_docker off;\n${more}\n${vhost}\n`,
  );
  return { folder, file: "x.conf", port };
}

/** The process that the pid file names, if it runs. */
function pidIn(folder: string, file = "objs/srs.pid"): number | null {
  if (!existsSync(join(folder, file))) return null;
  const pid = Number(readFileSync(join(folder, file), "utf8"));
  return pid > 0 && isRunning(pid) ? pid : null;
}

function linesOf(folder: string, file = "objs/srs.log"): LogLine[] {
  const lines = readFileSync(join(folder, file), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as LogLine);
}

function sessionOf(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(text.slice(text.lastIndexOf(")") + 2).split(" ")[3]);
}

async function stop(folder: string, pid: number, file?: string): Promise<void> {
  process.kill(pid, "SIGTERM");
  await waitUntilGone([pid], 8000);
  const bad = linesOf(folder, file).filter(({ level }) => level !== "info" && level !== "debug");
  assert.deepEqual(bad, []);
  assert.equal(linesOf(folder, file).at(-1)?.event, "dolphin.stopped");
}

for (const plan of ["a", "b"]) {
  void test(`plan ${plan}: without a word about it a file detaches, and the launcher ends with 0 when everything serves`, async (t) => {
    const { folder, file, port } = await place(t, `dolphin { cores 1; plan ${plan}; }`);
    const { code, stdout, stderr } = await runToItsEnd(t, ["-c", file], { folder });
    const pid = pidIn(folder);
    assert.ok(pid !== null, "the pid file names a process that runs");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout.join("\n"), new RegExp(`^dolphin \\S+ serves in the background, pid ${pid}, log ${folder}/objs/srs\\.log$`));
    assert.equal(sessionOf(pid), pid, "it has a session of its own");
    assert.equal(readlinkSync(`/proc/${pid}/fd/0`), "/dev/null");
    (await RawPeer.open(port)).close();
    await stop(folder, pid);
  });
}

void test("a launcher ends with the exit code of the start that failed, and says why", async (t) => {
  const { folder, file, port } = await place(t, "dolphin { cores 1; }");
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
  t.after(() => void other.close());
  const { code, stdout, stderr } = await runToItsEnd(t, ["-c", file], { folder });
  assert.deepEqual([code, stdout], [98, []]);
  assert.match(
    stderr,
    new RegExp(`^dolphin: 127\\.0\\.0\\.1:${port} is in use by process ${process.pid} \\(.+\\): stop it, or take another port$`),
  );
  assert.equal(pidIn(folder), null);
});

void test("problems of the file are told once, and errors keep anything from being started", async (t) => {
  const warned = await place(t, "dolphin { cores 1; } vhost __defaultVhost__ { }");
  const first = await runToItsEnd(t, ["-c", warned.file], warned);
  assert.equal(first.code, 0, first.output);
  assert.equal(first.stderr.split("\n").filter((line) => line.includes("CONF_DUPLICATE")).length, 1, first.stderr);
  await stop(warned.folder, pidIn(warned.folder) ?? 0);
  const wrong = await place(t, "nonsense on;");
  const second = await runToItsEnd(t, ["-c", wrong.file], wrong);
  assert.equal(second.code, 78, second.output);
  assert.equal(existsSync(join(wrong.folder, "objs")), false);
});

void test("who stops a launcher stops what it has started", async (t) => {
  // A server that never answers, so that the launcher has something to wait for.
  const { folder, file } = await place(t, "dolphin { cores 1; plan b; server sleep 600; }");
  const launcher = launch(t, ["-c", file], { folder });
  const pid = await eventually(() => pidIn(folder), { what: "the master to have its pid file", everyMs: 20 });
  await eventually(() => linesOf(folder).some(({ event }) => event === "child.ready"), { what: "a proxy to be ready", everyMs: 20 });
  assert.equal(launcher.ending, null, "it waits until the server serves");
  launcher.stop("SIGTERM", 8000).catch(() => undefined);
  assert.deepEqual(await within(launcher.ended, 8000, "the launcher to end"), { code: 0, signal: null });
  assert.equal(isRunning(pid), false);
  assert.equal(linesOf(folder).at(-1)?.event, "dolphin.stopped");
});

void test("a daemon outlives the terminal that it was started from, and has none of it open", async (t) => {
  if (!existsSync("/usr/bin/script")) return t.skip("no script(1) to make a terminal with");
  const { folder, file, port } = await place(t, "dolphin { cores 1; }");
  const command = `${process.execPath} ${join(projectRoot, "bin/dolphin.js")} -c ${file}`;
  const terminal = start("/usr/bin/script", ["-qec", command, "/dev/null"], { cwd: folder, env: { XDG_RUNTIME_DIR: folder } });
  t.after(async () => void (await terminal.stop("SIGKILL")));
  assert.deepEqual(await within(terminal.ended, 15_000, () => `the launcher to end:\n${terminal.output()}`), { code: 0, signal: null });
  const pid = pidIn(folder);
  assert.ok(pid !== null, terminal.output());
  assert.match(terminal.output(), new RegExp(`stop {5}kill ${pid}`));
  assert.deepEqual(
    [0, 1, 2].map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`)),
    ["/dev/null", "/dev/null", join(folder, "objs/srs.log")],
  );
  (await RawPeer.open(port)).close();
  await stop(folder, pid);
});

void test("a box in the foreground outlives its terminal as well, which had told how to ask it and how to stop it", async (t) => {
  if (!existsSync("/usr/bin/script")) return t.skip("no script(1) to make a terminal with");
  const { folder, file } = await place(t, "daemon off; dolphin { cores 1; }");
  const program = join(projectRoot, "bin/dolphin.js");
  const options = { cwd: folder, env: { XDG_RUNTIME_DIR: folder } };
  const terminal = start("/usr/bin/script", ["-qec", `${program} -c ${file}`, "/dev/null"], options);
  t.after(async () => void (await terminal.stop("SIGKILL")));
  const [, pid] = await eventually(() => /stop {5}Ctrl-C, or kill (\d+); once more/.exec(terminal.output()), { what: "the welcome" });
  assert.ok(terminal.output().includes(`look     ${program} status`), terminal.output());
  await terminal.stop("SIGKILL"); // which hangs up
  await eventually(() => linesOf(folder).find((line) => line.event === "reload.unchanged" && line.reason === "SIGHUP"), { what: "a HUP" });
  assert.equal((await runToItsEnd(t, ["status", "--pid"], { folder })).output, pid);
  await stop(folder, Number(pid));
});

for (const [why, conf, env] of [
  ["in a container", "in_docker on; disable_daemon_for_docker on;", {}],
  ["where the service manager waits for a message", "disable_daemon_for_docker off;", { NOTIFY_SOCKET: "@nobody" }],
] as const) {
  void test(`daemon on stays in the foreground ${why}, and says so in one line`, async (t) => {
    const text = `listen 1935; daemon on; srs_log_tank console; ${conf} ${vhost}`;
    const dolphin = await Dolphin.start(t, { cores: 1, conf: text, env });
    const skipped = dolphin.logLines(({ event }) => event === "daemon.skipped");
    assert.deepEqual([skipped.length, skipped[0]?.level], [1, "info"]);
    await dolphin.stop();
  });
}

void test("--daemon and --no-daemon win over the file", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 1,
    conf: `listen 1935; daemon on; disable_daemon_for_docker off; srs_log_tank console; ${vhost}`,
    args: ["--no-daemon"],
  });
  await dolphin.stop();
  const { folder, file } = await place(t, "daemon off; dolphin { cores 1; }");
  const { code } = await runToItsEnd(t, ["--daemon", "-c", file], { folder });
  const pid = pidIn(folder);
  assert.deepEqual([code, pid === null], [0, false]);
  await stop(folder, pid ?? 0);
});

void test("work_dir is where the pid file, the log and the control socket are; the file and its includes are where it was typed", async (t) => {
  const { folder, file } = await place(t, "work_dir ./run; include more.conf;");
  mkdirSync(join(folder, "run"));
  writeFileSync(join(folder, "more.conf"), "dolphin { cores 1; control_socket ./box.sock; }");
  const { code, output } = await runToItsEnd(t, ["-c", file], { folder });
  assert.equal(code, 0, output);
  const pid = pidIn(folder, "run/objs/srs.pid");
  assert.ok(pid !== null);
  assert.ok(output.includes(`log ${folder}/run/objs/srs.log`), output);
  assert.equal(readlinkSync(`/proc/${pid}/cwd`), join(folder, "run"));
  const status = await runToItsEnd(t, ["status", "--json", "--socket", join(folder, "run/box.sock")], { folder });
  assert.equal((JSON.parse(status.output) as { configFile: string }).configFile, join(folder, "x.conf"));
  await stop(folder, pid, "run/objs/srs.log");
});

void test("a work_dir that is not there refuses the start", async (t) => {
  const { folder, file } = await place(t, "work_dir ./gone;");
  const { code, stderr } = await runToItsEnd(t, ["-c", file], { folder });
  assert.equal(code, 78);
  assert.match(stderr, /cannot change to the work_dir \.\/gone: ENOENT/);
});
