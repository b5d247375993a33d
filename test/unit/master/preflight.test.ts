import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Config, Endpoint } from "../../../src/conf/meaning/config.js";
import { applyFlags } from "../../../src/conf/flags.js";
import { defaultConfig } from "../../../src/conf/load.js";
import { findImpossible, portSentence, preflight } from "../../../src/master/preflight.js";
import { listeningInodes, portOwner } from "../../../src/master/sockets/port-owner.js";

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

async function listening(t: TestContext): Promise<Endpoint> {
  const server: Server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const address = server.address();
  return { host: "127.0.0.1", port: typeof address === "object" && address !== null ? address.port : 0 };
}

test("preflight: a box that can start has no findings, and nothing is made", async (t) => {
  const folder = folderOf(t);
  assert.deepEqual(await preflight(box(folder, { host: "127.0.0.1", port: 0 })), []);
  assert.deepEqual(readdirSync(folder), []);
});

test("preflight: a port that is in use is told with who has it", async (t) => {
  const taken = await listening(t);
  const [found, ...others] = await preflight(box(folderOf(t), taken));
  assert.equal(found?.severity, "error");
  assert.match(found.sentence, new RegExp(`^127\\.0\\.0\\.1:${taken.port} is in use by process ${process.pid} \\(\\S+\\): stop it, or`));
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

for (const [code, sentence] of [
  ["EADDRINUSE", /^\[::\]:80 is in use by process 7 \(nginx\): stop it, or take another port$/],
  ["EACCES", /needs a privilege, for ports below \d+ are the system's: take a higher one, or give CAP_NET_BIND_SERVICE/],
  ["EADDRNOTAVAIL", /is no address of this machine: correct listen/],
  ["EMFILE", /cannot be listened on: it failed; correct listen/],
] as const) {
  test(`preflight: ${code} has its own sentence`, () => {
    const cause = Object.assign(new Error("it failed"), { code });
    assert.match(
      portSentence({ host: "::", port: 80 }, cause, () => "process 7 (nginx)"),
      sentence,
    );
  });
}

test("preflight: an owner that the system does not tell is another program", () => {
  const cause = Object.assign(new Error("x"), { code: "EADDRINUSE" });
  assert.match(
    portSentence({ host: "0.0.0.0", port: 80 }, cause, () => null),
    /in use by another program/,
  );
});

test("port owner: only listening sockets of the port count", () => {
  const table = [
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
    "   0: 0100007F:078F 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0",
    "   1: 0100007F:078F 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1",
    "   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0",
  ].join("\n");
  assert.deepEqual(listeningInodes(table, 1935), ["4711"]);
  assert.deepEqual(listeningInodes(table, 80), ["4713"]);
  assert.deepEqual(listeningInodes(table, 8080), []);
});

test("port owner: a port that nobody has is nobody's", async (t) => {
  const { port } = await listening(t);
  assert.match(portOwner(port) ?? "", new RegExp(`^process ${process.pid} `));
  assert.equal(listeningInodes("", port).length, 0);
});
