import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Config, Endpoint } from "../../../src/conf/meaning/config.js";
import { applyFlags } from "../../../src/conf/flags.js";
import { defaultConfig } from "../../../src/conf/load.js";
import { findImpossible, preflight } from "../../../src/master/preflight.js";
import { portOwner } from "../../../src/master/sockets/port-owner.js";
import { projectRoot, start } from "../../helpers/child.js";
import { freePort } from "../../helpers/ports.js";
import { eventually } from "../../helpers/wait.js";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A box whose files are below a folder. */
function box(folder: string, listen: Endpoint, more: Parameters<typeof applyFlags>[1] = {}): Config {
  return applyFlags(defaultConfig(), {
    listen: [listen],
    http: "off",
    maxConnections: 100,
    pidFile: join(folder, "run/srs.pid"),
    logFile: join(folder, "log/srs.log"),
    controlSocket: join(folder, "x.sock"),
    ...more,
  });
}

/** A port that another process has. */
async function listening(t: TestContext): Promise<{ endpoint: Endpoint; pid: number }> {
  const port = await freePort();
  const child = start(process.execPath, [join(projectRoot, "test/fixtures/echo-server.js"), String(port)]);
  t.after(async () => void (await child.stop("SIGTERM")));
  await eventually(() => portOwner({ host: "127.0.0.1", port }) !== null, { what: "somebody to listen" });
  return { endpoint: { host: "127.0.0.1", port }, pid: child.pid };
}

test("preflight: a box that can start has no findings, and nothing is made", async (t) => {
  const folder = folderOf(t);
  assert.deepEqual(await preflight(box(folder, { host: "127.0.0.1", port: 0 })), []);
  assert.deepEqual(readdirSync(folder), []);
});

test("preflight: a port that is in use is told with who has it", async (t) => {
  const { endpoint, pid } = await listening(t);
  const [found, ...others] = await preflight(box(folderOf(t), endpoint));
  assert.equal(found?.severity, "error");
  assert.match(found.sentence, new RegExp(`^127\\.0\\.0\\.1:${endpoint.port} is in use by process ${pid} \\(\\S+\\): stop it, or`));
  assert.deepEqual(others, []);
});

test("preflight: a folder that is a file is told for each file that should be in it", async (t) => {
  const folder = folderOf(t);
  writeFileSync(join(folder, "file"), "");
  const paths = {
    pidFile: join(folder, "file/srs.pid"),
    logFile: join(folder, "file/a/srs.log"),
    controlSocket: join(folder, "file/x.sock"),
  };
  const found = await preflight(box(folder, { host: "127.0.0.1", port: 0 }, paths));
  assert.deepEqual(
    found.map(({ sentence }) => sentence),
    [
      `the log ${paths.logFile} cannot be written: ${folder}/file is not a folder; correct that, or srs_log_file`,
      `the pid file ${paths.pidFile} cannot be written: ${folder}/file is not a folder; correct that, or pid`,
      `the control socket ${paths.controlSocket} cannot be written: ${folder}/file is not a folder; correct that, or control_socket`,
    ],
  );
});

test("preflight: a file that is a folder, and a socket of too long a path", async (t) => {
  const folder = folderOf(t);
  const controlSocket = join(folder, "x".repeat(108));
  const found = await preflight(box(folder, { host: "127.0.0.1", port: 0 }, { logFile: folder, controlSocket }));
  assert.match(found[0]?.sentence ?? "", /longer than 107 bytes/);
  assert.match(found[1]?.sentence ?? "", /the log .* is a folder/);
  assert.equal(found.length, 2);
});

test("preflight: what can never be is found without the machine", () => {
  const { maxConnections, ...plain } = defaultConfig();
  assert.equal(maxConnections, null);
  assert.match(findImpossible({ ...plain, maxConnections: 2 ** 40 })[0]?.sentence ?? "", /max_connections .* open files/);
  const foreign = applyFlags(defaultConfig(), { server: "objs/srs", plan: "a", maxConnections: 10 });
  assert.match(findImpossible(foreign)[0]?.sentence ?? "", /needs plan b/);
  const long = applyFlags(defaultConfig(), { controlSocket: "x".repeat(108), maxConnections: 10 });
  assert.match(findImpossible(long)[0]?.sentence ?? "", /control socket's path is longer than 107 bytes/);
});

test("preflight: RTMP and HTTP on one address are told with both directives", () => {
  const at = (host: string): Endpoint => ({ host, port: 1935 });
  for (const [rtmp, http] of [
    ["0.0.0.0", "0.0.0.0"],
    ["10.0.0.1", "0.0.0.0"],
    ["0.0.0.0", "::"],
    ["::", "127.0.0.1"],
    ["a.test", "a.test"],
  ] as const) {
    const [found] = findImpossible(applyFlags(defaultConfig(), { listen: [at(rtmp)], http: at(http), maxConnections: 10 }));
    assert.match(found?.sentence ?? "", /^listen \(--listen\) has \S+:1935 and http_server\.listen \(--http\) /, `${rtmp} ${http}`);
  }
  for (const [rtmp, http] of [
    ["10.0.0.1", "10.0.0.2"],
    ["::1", "127.0.0.1"],
    ["::1", "0.0.0.0"],
    ["a.test", "b.test"],
  ] as const)
    assert.deepEqual(findImpossible(applyFlags(defaultConfig(), { listen: [at(rtmp)], http: at(http), maxConnections: 10 })), []);
});
