// conf/dolphin.init, with the settings that a distribution's administrator would make.
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isRunning, projectRoot, start } from "../helpers/child.js";
import type { LogLine } from "../helpers/dolphin.js";
import { freePort } from "../helpers/ports.js";
import { handshakeAnswered } from "../helpers/rtmp-connection.js";
import { eventually, within } from "../helpers/wait.js";

void test("the verbs of the init script do what they do in SRS's, and say so", async (t) => {
  const service = await install(t);
  assert.deepEqual(await service.call("status"), [3, "dolphin: does not run"]);
  assert.deepEqual(await service.call("reload"), [7, "dolphin: does not run"]);
  assert.deepEqual(await service.call("stop"), [0, "dolphin: does not run"]);

  assert.equal((await service.call("start"))[0], 0);
  assert.equal(await handshakeAnswered("127.0.0.1", service.port), true, "it serves when start is back");
  const pid = service.pid();
  assert.deepEqual(await service.call("status"), [0, `dolphin: runs, pid ${pid}`]);
  assert.deepEqual(await service.call("start"), [0, `dolphin: runs already, pid ${pid}`]);

  assert.equal((await service.call("reload"))[0], 0);
  await service.logged("reload.unchanged");
  assert.equal((await service.call("rotate"))[0], 0);
  await service.logged("log.reopened");

  assert.equal((await service.call("restart"))[0], 0);
  assert.notEqual(service.pid(), pid);
  assert.equal(isRunning(pid), false);
  assert.equal(await handshakeAnswered("127.0.0.1", service.port), true);

  const second = service.pid();
  assert.deepEqual(await service.call("stop"), [0, "dolphin: stopped"]);
  assert.equal(isRunning(second), false);
  assert.deepEqual(await service.call("status"), [3, "dolphin: does not run"]);
});

void test("grace ends it once everybody has left", async (t) => {
  const service = await install(t, "grace_start_wait 100; grace_final_wait 100;");
  assert.equal((await service.call("start"))[0], 0);
  const pid = service.pid();
  assert.equal((await service.call("grace"))[0], 0);
  await eventually(() => !isRunning(pid), { what: "it to end" });
  await service.logged("dolphin.draining");
});

void test("a configuration that is wrong keeps the service from starting with 78, and from being stopped by a restart", async (t) => {
  const service = await install(t);
  assert.equal((await service.call("start"))[0], 0);
  const pid = service.pid();
  writeFileSync(service.conf, "listen 1935; vhost __defaultVhost__ { play { gop_cash on; } }");
  const [code, said] = await service.call("restart");
  assert.notEqual(code, 0);
  assert.match(said, /gop_cash/);
  assert.equal(isRunning(pid), true);
  await service.call("stop");
  assert.equal((await service.call("start"))[0], 78);
});

void test("a pid file that names another program does not make it one that runs", async (t) => {
  const service = await install(t);
  const other = start("sleep", ["60"]);
  t.after(async () => void (await other.stop("SIGKILL")));
  writeFileSync(service.pidFile, String(other.pid));
  assert.equal((await service.call("status"))[0], 1);
  assert.equal((await service.call("stop"))[0], 0);
  assert.equal(isRunning(other.pid), true);
});

void test("the init script has one usage line and exit code 2 for anything else", async (t) => {
  const service = await install(t);
  for (const verb of ["", "begin"]) {
    const [code, said] = await service.call(verb);
    assert.equal(code, 2);
    assert.match(said, /^usage: .*\{start\|stop\|status\|restart\|reload\|rotate\|grace\}$/);
  }
});

interface Service {
  readonly port: number;
  readonly conf: string;
  readonly pidFile: string;
  pid(): number;
  /** Runs the script with a verb, to its exit code and what it said. */
  call(verb: string): Promise<[number | null, string]>;
  logged(event: string): Promise<LogLine>;
}

async function install(t: TestContext, conf = ""): Promise<Service> {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-init-"));
  const port = await freePort();
  const [command, confFile, pidFile, logFile] = ["run-dolphin", "live.conf", "live.pid", "live.log"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
    string,
  ];
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${projectRoot}/bin/dolphin.js" "$@"\n`);
  chmodSync(command, 0o755);
  writeFileSync(
    confFile,
    `listen 127.0.0.1:${port}; disable_daemon_for_docker off; ${conf} dolphin { cores 1; } vhost __defaultVhost__ { }`,
  );
  const env = {
    XDG_RUNTIME_DIR: folder,
    DOLPHIN: command,
    DOLPHIN_CONF: confFile,
    DOLPHIN_PIDFILE: pidFile,
    DOLPHIN_LOGFILE: logFile,
    DOLPHIN_STOP_WAIT: "10",
  };
  const pid = (): number => Number(readFileSync(pidFile, "utf8"));
  const call = async (verb: string): Promise<[number | null, string]> => {
    const script = start("/bin/sh", [join(projectRoot, "conf/dolphin.init"), verb], { cwd: folder, env });
    const { code } = await within(script.ended, 20_000, () => `${verb} to be done:\n${script.output()}`);
    return [code, script.output()];
  };
  t.after(async () => {
    await call("stop");
    rmSync(folder, { recursive: true, force: true });
  });
  const logged = (event: string): Promise<LogLine> =>
    eventually(
      () =>
        readFileSync(logFile, "utf8")
          .split("\n")
          .filter((line) => line !== "")
          .map((line) => JSON.parse(line) as LogLine)
          .find((line) => line.event === event),
      { what: `${event} in the log` },
    );
  return { port, conf: confFile, pidFile, pid, call, logged };
}
