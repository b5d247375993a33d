// dolphin check: everything that would stop a start, at once, and nothing left behind.
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { Dolphin } from "../helpers/dolphin.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { fakeSrs } from "../helpers/planb.js";
import { freePort } from "../helpers/ports.js";

const vhost = "vhost __defaultVhost__ { }";

void test("a start that would succeed is told so with 0, and leaves no file", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "x.conf"), `listen 127.0.0.1:${await freePort()}; max_connections 100; ${vhost}`);
  const { code, stdout, stderr } = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  assert.deepEqual([code, stdout, stderr], [0, ["dolphin would start"], ""]);
  assert.deepEqual(readdirSync(folder), ["x.conf"]);
});

void test("all that is wrong with a machine is told at once, beside the warnings of the file", async (t) => {
  const folder = temporaryFolder(t);
  const pidFile = join(folder, "srs.pid");
  const running = await Dolphin.start(t, { cores: 1, conf: `listen 1935; max_connections 100; pid ${pidFile}; ${vhost}` });
  mkdirSync(join(folder, "objs"));
  writeFileSync(join(folder, "objs/log"), "");
  const text = `listen 127.0.0.1:${running.rtmpPort}; max_connections 10000000; pid ${pidFile}; srs_log_tank file; srs_log_file objs/log/srs.log;
dolphin { cores 1; server ./gone/srs; plan b; } ${vhost} ${vhost}`;
  writeFileSync(join(folder, "x.conf"), text);
  const { code, stdout } = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  assert.equal(code, 78);
  const expected = [
    /^warning: x\.conf:2:\d+: CONF_DUPLICATE/,
    /^error: max_connections 10000000 needs \d+ open files/,
    /^error: the log objs\/log\/srs\.log cannot be written: .*objs\/log is not a folder/,
    new RegExp(`^error: the pid file ${pidFile} belongs to process ${running.pid}, which is running: stop it first`),
    new RegExp(`^error: 127\\.0\\.0\\.1:${running.rtmpPort} is in use by process \\d+ \\(.+\\): stop it, or take another port`),
    /^error: the server \.\/gone\/srs is not there or may not be run: correct server, or install it/,
    /^dolphin would not start: 5 errors$/,
  ];
  assert.equal(stdout.length, expected.length, stdout.join("\n"));
  for (const [at, pattern] of expected.entries()) assert.match(stdout[at] ?? "", pattern);
  await running.stop();
});

void test("a work_dir that is missing is one finding among the others, of check and of -t, and nothing is made there", async (t) => {
  const folder = temporaryFolder(t);
  const port = await freePort();
  const other = createServer().listen(port, "127.0.0.1");
  t.after(() => void other.close());
  writeFileSync(
    join(folder, "x.conf"),
    `work_dir ./gone; listen 127.0.0.1:${port}; max_connections 10000000; srs_log_tank file; srs_log_file objs/srs.log; ${vhost}`,
  );
  const missing = /cannot change to the work_dir \.\/gone: ENOENT.*; make it, or correct work_dir$/;
  const tooMany = /max_connections 10000000 needs/;
  const checked = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  const tested = await runToItsEnd(t, ["-t", "-c", "x.conf"], { folder });
  assert.deepEqual([checked.code, tested.code], [78, 255]);
  const told: readonly (readonly [readonly string[], readonly RegExp[]])[] = [
    [checked.stdout, [missing, tooMany, /is in use by/, /^dolphin would not start: 3 errors$/]],
    [tested.stdout, [missing, tooMany, /^invalid config: 2 errors are told above/, /test is failed$/]],
  ];
  for (const [lines, patterns] of told) {
    assert.equal(lines.length, patterns.length, lines.join("\n"));
    for (const [at, pattern] of patterns.entries()) assert.match(lines[at] ?? "", pattern);
  }
  assert.deepEqual(readdirSync(folder), ["x.conf"]);
});

void test("an instance is found by its control socket as well", async (t) => {
  const folder = temporaryFolder(t);
  const controlSocket = join(folder, "x.sock");
  const conf = `max_connections 100; dolphin { cores 1; control_socket ${controlSocket}; } ${vhost}`;
  const running = await Dolphin.start(t, { cores: 1, conf: `listen 1935; ${conf}` });
  writeFileSync(join(folder, "x.conf"), `listen 127.0.0.1:${await freePort()}; ${conf}`);
  const { code, stdout } = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  assert.equal(code, 78);
  assert.match(stdout[0] ?? "", new RegExp(`another dolphin, process ${running.pid}, answers on ${controlSocket}`));
  await running.stop();
});

void test("errors of a file are told without looking any further", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "x.conf"), `listen 1935; nonsense on; ${vhost}`);
  const { code, stdout } = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  assert.equal(code, 78);
  assert.match(stdout[0] ?? "", /^error: x\.conf:1:14: CONF_UNKNOWN: "nonsense" is not known/);
  assert.equal(stdout.at(-1), "dolphin would not start: one error");
});

void test("a real srs is asked about the file that it will get", async (t) => {
  const folder = temporaryFolder(t);
  const check = async (text: string): Promise<string[]> => {
    writeFileSync(join(folder, "x.conf"), `listen 127.0.0.1:${await freePort()}; max_connections 100; pid off; ${vhost}`);
    writeFileSync(join(folder, "srs.conf"), text);
    const words = ["check", "-c", "x.conf", "--server", fakeSrs, "--server-conf", "srs.conf"];
    return [...(await runToItsEnd(t, words, { folder })).stdout];
  };
  assert.deepEqual(await check(`listen 1935; ${vhost}`), ["dolphin would start"]);
  const [refused] = await check(`listen 1935; max_connections nonsense; ${vhost}`);
  assert.match(
    refused ?? "",
    /^error: the server's own test \(.*fake-srs\.js -t\) refuses its configuration -c srs\.conf: .*ERROR.*invalid config/,
  );
});

void test("the program of a command must be there and may be looked for in the PATH", async (t) => {
  const folder = temporaryFolder(t);
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "my-server"), "#!/bin/sh\n");
  writeFileSync(join(folder, "x.conf"), `listen 127.0.0.1:${await freePort()}; max_connections 100; pid off; ${vhost}`);
  const check = (): ReturnType<typeof runToItsEnd> =>
    runToItsEnd(t, ["check", "-c", "x.conf", "--server", "my-server {rtmp_port}"], { folder, env: { PATH: `${bin}:/bin` } });
  const notYet = await check();
  assert.match(notYet.stdout[0] ?? "", /the server my-server is not there or may not be run/);
  chmodSync(join(bin, "my-server"), 0o755);
  assert.deepEqual((await check()).stdout, ["dolphin would start"]);
});
