// How a box starts, and how it says that it cannot: the order of its processes, the exit codes, the pid file, the limit of
// connections, and every file of conf/ as it stands.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { waitForMore } from "../helpers/audience.js";
import { promptConf } from "../helpers/bystanders.js";
import { projectRoot, type Child } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { steadyPublisherAt } from "../helpers/edges.js";
import { watchFlv } from "../helpers/flv-reader.js";
import { launch, runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { RawPeer } from "../helpers/raw-peer.js";
import { player } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

void test("no edge starts before the origin serves, and a box is ready once, after all of its processes", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 3, args: ["--origin-process", "child"] });
  await dolphin.stop();
  const told = dolphin
    .logLines(({ event }) => ["child.started", "child.ready", "dolphin.ready"].includes(event ?? ""))
    .map(({ event, child }) => (child === undefined ? `${event}` : `${event} ${child}`));
  assert.deepEqual(told.slice(0, 2), ["child.started origin", "child.ready origin"]);
  assert.deepEqual(told.slice(2, 5).sort(), ["child.started edge-1", "child.started edge-2", "child.started edge-3"]);
  assert.deepEqual(told.slice(5, 8).sort(), ["child.ready edge-1", "child.ready edge-2", "child.ready edge-3"]);
  assert.deepEqual(told.slice(8), ["dolphin.ready"]);
});

void test("a box at its limit closes newcomers at once and tells so in one line each; who is in stays", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, conf: `max_connections 3; ${promptConf}` });
  const source = await steadyPublisherAt(t, dolphin, "edge-1", "full");
  const players = [await player(dolphin.rtmpUrl("full")), await player(dolphin.rtmpUrl("full"))];
  for (const one of players) {
    t.after(() => one.close());
    await one.waitForMedia(10);
  }
  for (const port of [dolphin.rtmpPort, dolphin.httpPort, dolphin.rtmpPort]) {
    const newcomer = await RawPeer.open(port);
    await newcomer.assertClosedWith(dolphin, ["RTMP_FULL"], 1000);
  }
  await waitForMore(players, 10);
  assert.equal(source.connection.endedBy, null);
  players[0]?.close();
  const flv = await eventually(() => watchFlv(dolphin.flvUrl("full")), { what: "a place for the next one" });
  t.after(() => flv.close());
  await flv.waitForMedia(10);
  await dolphin.stop({ allow: ({ code }) => code === "RTMP_FULL" });
});

void describe("a start that cannot be", { concurrency: 2 }, () => {
  void test("ends with 98 and names the address and the program that has the port, as check does", async (t) => {
    const port = await freePort();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    t.after(() => void other.close());
    for (const args of [
      ["--listen", `127.0.0.1:${port}`, "--http", "off", "--api", "off"],
      ["--listen", `127.0.0.1:${await freePort()}`, "--http", `127.0.0.1:${port}`, "--api", "off"],
    ]) {
      const { code, output } = await runToItsEnd(t, args);
      assert.equal(code, 98, output);
      const lines = output.split("\n").map((line) => JSON.parse(line) as LogLine);
      const refused = lines.filter(({ level }) => level === "error");
      assert.deepEqual(
        refused.map((line) => [line.event, line.code]),
        [["dolphin.refused", "CHILD_LISTEN"]],
      );
      assert.match(refused[0]?.msg ?? "", new RegExp(`^127\\.0\\.0\\.1:${port} is in use by process ${process.pid} \\(.+\\): stop it, or`));
      const checked = await runToItsEnd(t, ["check", ...args]);
      assert.ok(checked.stdout.includes(`error: ${refused[0]?.msg ?? ""}`), checked.output);
    }
  });

  void test("ends with 64 and points to the help for a flag that there is not", async (t) => {
    const { code, stderr } = await runToItsEnd(t, ["--coers", "2"]);
    assert.equal(code, 64);
    assert.match(stderr, /unknown option '--coers'/);
    assert.match(stderr, /--help/);
  });

  void test("ends with 78 and tells every error of the configuration with file, line and column", async (t) => {
    const file = join(temporaryFolder(t), "wrong.conf");
    writeFileSync(file, "listen 1935;\nmax_conections 10;\nvhost __defaultVhost__ {\n    play { gop_cash on; }\n}\n  pid;\n");
    const { code, stderr } = await runToItsEnd(t, ["-c", file, "--listen", `127.0.0.1:${await freePort()}`]);
    assert.equal(code, 78, stderr);
    const lines = stderr.split("\n").filter((line) => line.startsWith(file));
    assert.deepEqual(
      lines.map((line) => line.slice(file.length).split(" ")[0]),
      [":2:1:", ":4:12:", ":6:3:"],
    );
    assert.match(stderr, /max_connections/, "what was probably meant");
  });

  void test("ends `status` with 69 when nobody is there to ask", async (t) => {
    const { code, stderr } = await runToItsEnd(t, ["status"]);
    assert.equal(code, 69);
    assert.match(stderr, /no dolphin of this user runs here: none answers in \S+\/dolphin\. Start one with `\S+bin\/dolphin\.js`/);
  });

  void test("ends with 73 when another instance has the control socket, or is named by the pid file", async (t) => {
    const folder = temporaryFolder(t);
    const [socket, pidFile] = [join(folder, "one.sock"), join(folder, "run/one.pid")];
    const first = await Dolphin.start(t, { cores: 1, conf: `pid ${pidFile}; dolphin { control_socket ${socket}; } ${promptConf}` });
    assert.equal(readFileSync(pidFile, "utf8"), String(first.pid));
    for (const [name, line] of [
      [socket, `dolphin { control_socket ${socket}; }`],
      [pidFile, `pid ${pidFile};`],
    ] as const) {
      const file = join(folder, "second.conf");
      writeFileSync(file, `daemon off; srs_log_tank console; ${line} ${promptConf}`);
      const ports = ["--listen", `127.0.0.1:${await freePort()}`, "--http", "off"];
      const { code, output } = await runToItsEnd(t, ["-c", file, ...ports]);
      assert.equal(code, 73, output);
      assert.ok(output.includes(name), `it names ${name}: ${output}`);
      assert.match(output, /stop it first/);
    }
    assert.equal(readFileSync(pidFile, "utf8"), String(first.pid), "the first one's file is left alone");
    await first.status(); // throws when the first one's socket was taken away
    await first.stop();
    assert.equal(existsSync(socket), false, "the socket is removed");
    assert.equal(readFileSync(pidFile, "utf8"), "", "the file stays, and names nobody");
  });

  void test("does not come of a pid file or a control socket whose instance was killed", async (t) => {
    const folder = temporaryFolder(t);
    const conf = `pid ${folder}/one.pid; dolphin { control_socket ${folder}/one.sock; } ${promptConf}`;
    const first = await Dolphin.start(t, { cores: 1, conf });
    first.signal("SIGKILL");
    await first.ended;
    const second = await Dolphin.start(t, { cores: 1, conf });
    assert.equal(readFileSync(join(folder, "one.pid"), "utf8"), String(second.pid));
    await second.stop();
  });
});

void describe("a file of conf/ passes -t, starts and stops:", { concurrency: 2 }, () => {
  const files = readdirSync(join(projectRoot, "conf")).filter((name) => name.endsWith(".conf"));
  assert.ok(files.length > 0);
  for (const name of files) {
    void test(name, async (t) => {
      const folder = temporaryFolder(t);
      const tested = await runToItsEnd(t, ["-t", "-c", join(projectRoot, "conf", name)], { folder });
      assert.deepEqual([tested.code, tested.stdout.at(-1)?.endsWith("test is successful")], [0, true], tested.output);
      // Another program stands behind these; planb.test.ts and conf-samples.test.ts start them with the one at hand.
      if (name.endsWith(".planb.conf") || name === "ingest.conf") return;
      const ports = ["--listen", `127.0.0.1:${await freePort()}`, "--http", `127.0.0.1:${await freePort()}`];
      // A file without an API shall start without one.
      const hasApi = /^http_api \{\s+enabled +on/m.test(readFileSync(join(projectRoot, "conf", name), "utf8"));
      if (hasApi) ports.push("--api", `127.0.0.1:${await freePort()}`);
      const child = launch(t, ["--no-daemon", "-c", join(projectRoot, "conf", name), "--cores", "1", ...ports], { folder });
      const events = (): (string | undefined)[] => linesOf(child, folder).map(({ event }) => event);
      await eventually(() => child.ending !== null || events().includes("dolphin.ready"), {
        what: `${name} to be ready`,
        everyMs: 20,
        timeoutMs: 30_000,
      });
      const ending = await child.stop("SIGTERM", 6000);
      assert.deepEqual(ending, { code: 0, signal: null }, child.output());
      const bad = linesOf(child, folder).filter(({ level }) => level !== "info" && level !== "debug");
      assert.deepEqual(bad, []);
      assert.deepEqual([events().at(0), events().at(-1)], ["dolphin.started", "dolphin.stopped"]);
      assert.deepEqual(
        filesIn(folder).filter((file) => !/\.(?:log|pid|id|sock\.history)$/.test(file)),
        [],
        "a log, an empty pid file, the server's id and the charts are all that it may leave",
      );
    });
  }
});

/** The log, wherever the configuration has it: on the standard output or in a file below the folder. */
function linesOf(child: Child, folder: string): LogLine[] {
  const logs = filesIn(folder).filter((file) => file.endsWith(".log"));
  const lines = [child.output(), ...logs.map((file) => readFileSync(join(folder, file), "utf8"))].join("\n").split("\n");
  return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line) as LogLine);
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() || entry.isSocket())
    .map(({ name, parentPath }) => join(parentPath, name).slice(folder.length + 1));
}
