// The flags that scripts made for srs use: what each prints, on which output, and how it ends.
import assert from "node:assert/strict";
import { chmodSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Dolphin, type Status } from "../helpers/dolphin.js";
import { projectRoot, start } from "../helpers/child.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { player, publisher } from "../helpers/rtmp-client.js";
import { RawPeer } from "../helpers/raw-peer.js";
import { within } from "../helpers/wait.js";

const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8")) as { version: string };
const good = "listen 1935; max_connections 100; pid ./objs/x.pid; vhost __defaultVhost__ { }\n";

void describe("flags of srs", { concurrency: 2 }, () => {
  for (const flag of ["-v", "-V", "--version"]) {
    void test(`${flag} prints the version and nothing else`, async (t) => {
      assert.deepEqual(await runToItsEnd(t, [flag]), { code: 0, output: version, stdout: [version], stderr: "" });
    });
  }

  for (const flag of ["-g", "-G"]) {
    void test(`${flag} prints a signature of srs's shape, with our own name`, async (t) => {
      const { code, stdout, stderr } = await runToItsEnd(t, [flag]);
      assert.deepEqual([code, stdout, stderr], [0, [`dolphin/${version}(srs-dolphin)`], ""]);
    });
  }

  for (const line of ["-h", "-?", "--help", "-t some.conf"]) {
    void test(`"${line}" prints the help`, async (t) => {
      const { code, output, stderr } = await runToItsEnd(t, line.split(" "));
      assert.deepEqual([code, stderr], [0, ""]);
      assert.match(output, /^Usage: dolphin/);
      assert.match(output, /Exit codes:/);
    });
  }

  for (const [line, complaint] of [
    ["-z", "invalid option -z code=1023(ConfigInvalid)"],
    ["-tz x.conf", "invalid option -z code=1023(ConfigInvalid)"],
    ["-c", "invalid option -c: it needs a value code=1023(ConfigInvalid)"],
    ["-t", "no config file: name one with -c code=1023(ConfigInvalid)"],
  ] as const) {
    void test(`"${line}" is refused with srs's code on standard output`, async (t) => {
      assert.deepEqual(await runToItsEnd(t, line.split(" ")), { code: 255, output: complaint, stdout: [complaint], stderr: "" });
    });
  }

  void test("the verb of a version or a help that somebody looks for is there", async (t) => {
    assert.deepEqual((await runToItsEnd(t, ["version"])).stdout, [version]);
    assert.match((await runToItsEnd(t, ["help"])).output, /^Usage: dolphin [^]*Exit codes:/);
    for (const words of [
      ["help", "reload"],
      ["-h", "reload"],
    ]) {
      const { code, output } = await runToItsEnd(t, words);
      assert.equal(code, 0);
      assert.match(output, /^Usage: dolphin reload [^]*--socket/);
      assert.doesNotMatch(output, /--cores/);
    }
  });

  for (const [line, complaint] of [
    ["--cores 3 reload", "--cores stands before reload; a verb's flags stand behind it"],
    ["-c x.conf check", "-c stands before check; a verb's flags stand behind it"],
    ["check x.conf", "too many arguments for 'check'. Expected 0 arguments but got 1."],
    ["reload --cores 3", "unknown option '--cores'"],
  ] as const) {
    void test(`"${line}" is refused, and leads to the help of that verb`, async (t) => {
      const { code, stdout, stderr } = await runToItsEnd(t, line.split(" "));
      const verb = line.includes("check") ? "check" : "reload";
      assert.deepEqual([code, stdout, stderr], [64, [], `error: ${complaint}\n(dolphin ${verb} --help tells more)`]);
    });
  }

  for (const [line, complaint] of [
    ["foo", 'there is no verb "foo": they are VERBS'],
    ["staus", 'there is no verb "staus": did you mean "status"?'],
    ["--cores 2 relaod", 'there is no verb "relaod": did you mean "reload"?'],
    ["my.conf", 'there is no verb "my.conf": a file is given by a flag: dolphin -c my.conf'],
    ["start", 'there is no verb "start": `dolphin` alone starts, with -c FILE or other flags'],
    ["explain nonsense", "nonsense names no stream: write [vhost/]app/stream, as in live/livestream"],
  ] as const) {
    void test(`"${line}" is refused with 64, and what was probably meant`, async (t) => {
      const { code, stdout, stderr } = await runToItsEnd(t, line.split(" "));
      const told = stderr.replace(/status, top, .+, version$/, "VERBS");
      assert.deepEqual([code, stdout, told], [64, [], `dolphin: ${complaint}`]);
    });
  }

  for (const words of [
    ["-t", "-c", "x.conf"],
    ["-tc", "x.conf"],
    ["-cx.conf", "-t"],
    ["-t", "-c", "x.conf", "--http", "off"],
  ]) {
    void test(`"${words.join(" ")}" says that a right file is right, and leaves nothing`, async (t) => {
      const folder = temporaryFolder(t);
      writeFileSync(join(folder, "x.conf"), good);
      const { code, stdout, stderr } = await runToItsEnd(t, words, { folder });
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(stdout, ["the config file x.conf syntax is ok", "the config file x.conf test is successful"]);
      assert.deepEqual(readdirSync(folder), ["x.conf"]);
    });
  }

  void test("-t tells everything that is wrong with a file before its last two lines", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "x.conf"), "listen 1935;\nmax_conections 10;\nvhost a { play { gop_cash on; } }\nvhost a { }\n");
    const { code, stdout, stderr } = await runToItsEnd(t, ["-tc", "x.conf"], { folder });
    assert.deepEqual([code, stderr], [255, ""]);
    assert.deepEqual(
      stdout.slice(0, -2).map((line) => line.split(" ")[0]),
      ["x.conf:2:1:", "x.conf:3:18:", "x.conf:4:1:"],
    );
    assert.deepEqual(stdout.slice(-2), [
      "invalid config: 2 errors are told above code=1023(ConfigInvalid)",
      "the config file x.conf test is failed",
    ]);
  });

  void test("-t refuses what this machine can never do, as srs does: connections without open files", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "x.conf"), "listen 1935; max_connections 10000000; vhost __defaultVhost__ { }\n");
    const { code, stdout } = await runToItsEnd(t, ["-tc", "x.conf"], { folder });
    assert.equal(code, 255);
    assert.match(stdout[0] ?? "", /^max_connections 10000000 needs \d+ open files in each of \d+ processes/);
    assert.deepEqual(stdout.slice(1), [
      "invalid config: the error is told above code=1023(ConfigInvalid)",
      "the config file x.conf test is failed",
    ]);
  });

  for (const listen of ["P P", "P 127.0.0.1:P", "256.1.1.1:P"]) {
    void test(`"listen ${listen}", on which no start can listen, fails -t as it fails the start`, async (t) => {
      const folder = temporaryFolder(t);
      const addresses = listen.replaceAll("P", String(await freePort()));
      writeFileSync(join(folder, "x.conf"), `${good.replace("listen 1935", `listen ${addresses}`)} daemon off; srs_log_tank console;`);
      const tested = await runToItsEnd(t, ["-tc", "x.conf"], { folder });
      const started = await runToItsEnd(t, ["-c", "x.conf"], { folder });
      assert.deepEqual([tested.code, started.code], [255, 78]);
      assert.match(tested.stdout[0] ?? "", /^x\.conf:1:1: CONF_VALUE: listen: "/);
      assert.match(started.stderr, /^x\.conf:1:1: CONF_VALUE: listen: "/);
      const byFlags = await runToItsEnd(t, ["-t", ...addresses.split(" ").flatMap((one) => ["--listen", one])], { folder });
      assert.equal(byFlags.code, 64, byFlags.output);
    });
  }

  void test("-t of a file that is not there fails in the same way", async (t) => {
    const { code, stdout } = await runToItsEnd(t, ["-t", "-c", "gone.conf"]);
    assert.equal(code, 255);
    assert.match(stdout[0] ?? "", /^gone\.conf:.*CONF_FILE.*ENOENT/);
    assert.equal(stdout.at(-1), "the config file gone.conf test is failed");
  });

  void test("SRS_CONFIG_FILE replaces the file of -c, and may stand alone", async (t) => {
    const folder = temporaryFolder(t);
    writeFileSync(join(folder, "x.conf"), good);
    for (const words of [["-t", "-c", "gone.conf"], ["-t"]]) {
      const { code, stdout } = await runToItsEnd(t, words, { folder, env: { SRS_CONFIG_FILE: "x.conf" } });
      assert.deepEqual([code, stdout.at(-1)], [0, "the config file x.conf test is successful"]);
    }
  });
});

void test("-p and -x of srs 2 to 4 replace the ports of the file, stay in the foreground and log to the console", async (t) => {
  const folder = temporaryFolder(t);
  const file = join(folder, "x.conf");
  writeFileSync(
    file,
    `listen 1; pid ${folder}/x.pid; srs_log_tank file; srs_log_file ${folder}/x.log; dolphin { cores 1; } vhost __defaultVhost__ { }`,
  );
  const dolphin = await Dolphin.start(t, { words: (rtmp, http) => ["-p", String(rtmp), "-x", String(http), "-c", file] });
  const { processes } = await dolphin.status();
  assert.deepEqual(
    processes.map(({ name }) => name),
    ["master", "edge-1"],
  );
  await dolphin.stop();
});

void test("a box that has no servers to choose among has none to drain, and still explains its streams", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1 });
  const refused = /\ndolphin: only plan b chooses among servers; in this box every worker serves every stream$/;
  await assert.rejects(dolphin.ask("drain", "server-1"), refused);
  assert.match(await dolphin.ask("explain", "live/s"), /live\/s: nobody publishes or plays it\n[^]*\nedge-1 +pulls it when/);
  const source = await publisher(dolphin.rtmpUrl("s"));
  t.after(() => source.close());
  await dolphin.waitFor("rtmp.moved");
  const viewer = await player(dolphin.rtmpUrl("s"));
  t.after(() => viewer.close());
  const told = await dolphin.ask("explain", "live/s");
  assert.match(told, /live\/s: published from 127\.0\.0\.1:\d+ at master, 1 player\n[^]*\nedge-1 +pulls it from the origin +1$/);
  assert.equal((JSON.parse(await dolphin.ask("explain", "live/s", "--json")) as { stream: { players: number } }).stream.players, 1);
  await dolphin.stop();
});

void test("status --json prints what a box tells on its control socket, and --pid the pid of the master or of the process that is named", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 2 });
  const printed = JSON.parse(await dolphin.ask("status", "--json")) as Status;
  const told = await dolphin.status();
  assert.deepEqual(Object.keys(printed), Object.keys(told));
  const lives = ({ serverId, processes }: Status): unknown => [serverId, processes.map(({ name, pid, state }) => [name, pid, state])];
  assert.deepEqual(lives(printed), lives(told));
  assert.equal(await dolphin.ask("status", "--pid"), String(dolphin.pid));
  assert.equal(await dolphin.ask("status", "--pid", "edge-2"), String(dolphin.pids["edge-2"]));
  await assert.rejects(
    dolphin.ask("status", "--pid", "edge-3"),
    /ended with 69:\ndolphin: no process edge-3 runs, only master, edge-1, edge-2$/,
  );
  await dolphin.stop();
});

void test("where several boxes run, any verb tells how to name one of them", async (t) => {
  const folder = temporaryFolder(t);
  const [one, two] = [
    await Dolphin.start(t, { cores: 1, env: { XDG_RUNTIME_DIR: folder } }),
    await Dolphin.start(t, { cores: 1, env: { XDG_RUNTIME_DIR: folder } }),
  ];
  const { code, stderr } = await runToItsEnd(t, ["reload", "--json"], { folder });
  assert.equal(code, 69);
  for (const { pid, controlSocket } of [one, two]) {
    assert.ok(
      stderr.includes(`  ${join(projectRoot, "bin/dolphin.js")} reload --json --socket ${controlSocket}    pid ${pid}, plan a`),
      stderr,
    );
  }
  await Promise.all([one.stop(), two.stop()]);
});

for (const [how, words, mark] of [
  ["-e", ["-e"], {}],
  ["--env-only", ["--env-only", "--plan", "a"], {}],
  ["SRS_ENV_ONLY", ["-c", "gone.conf"], { SRS_ENV_ONLY: "on" }],
] as const) {
  void test(`${how} starts by the environment alone, in the foreground and with the log on the console`, async (t) => {
    const port = await freePort();
    const env = { ...mark, SRS_LISTEN: `127.0.0.1:${port}`, SRS_DOLPHIN_CORES: "1", SRS_MAX_CONNECTIONS: "100" };
    const dolphin = await Dolphin.start(t, { words: () => words, env });
    (await RawPeer.open(port)).close();
    await dolphin.stop();
    const tested = await runToItsEnd(t, ["-t", ...words], { env });
    assert.deepEqual([tested.code, tested.stdout.at(-1)], [0, "the config file of the environment test is successful"]);
  });
}

void test("our own command is not taken for an srs", async (t) => {
  const command = join(temporaryFolder(t), "srs");
  writeFileSync(command, `#!/bin/sh\nexec ${process.execPath} ${join(projectRoot, "bin/dolphin.js")} "$@"\n`);
  chmodSync(command, 0o755);
  const { code, output } = await runToItsEnd(t, [
    "--server",
    command,
    "--listen",
    `127.0.0.1:${await freePort()}`,
    "--http",
    "off",
    "--api",
    "off",
  ]);
  assert.equal(code, 73, output);
  assert.match(output, /is dolphin itself: write builtin/);
});

void test("what is longer than a pipe holds arrives whole, and a reader that leaves early is no crash", async (t) => {
  const folder = temporaryFolder(t);
  const command = `${process.execPath} ${join(projectRoot, "bin/dolphin.js")} conf --schema`;
  // The reader begins when the writer has filled the pipe.
  const whole = start("/bin/sh", ["-c", `${command} | { sleep 1; cat; }`], { cwd: folder });
  assert.deepEqual(await within(whole.ended, 10_000, "the reader to end"), { code: 0, signal: null });
  assert.ok(whole.output().length > 100_000);
  assert.ok(Array.isArray((JSON.parse(whole.output()) as { directives: unknown[] }).directives));
  const left = start("/bin/sh", ["-c", `${command} | head -c 10`], { cwd: folder });
  await within(left.ended, 10_000, "the reader to leave");
  assert.equal(left.output(), '{\n  "versi');
});
