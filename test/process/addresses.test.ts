// The addresses that a box listens on: both families of one port, RTMP and HTTP on one port, and what is told of an address that
// cannot be had, by check, by a start and by a reload.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { connect } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot, start } from "../helpers/child.js";
import { Dolphin, type LogLine } from "../helpers/dolphin.js";
import { runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { freePort } from "../helpers/ports.js";
import { vhost } from "../helpers/show.js";
import { eventually } from "../helpers/wait.js";

const hosts = { four: "127.0.0.1", six: "::1" } as const;

/** Whether somebody accepts there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, host);
    const done = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}

for (const plan of ["a", "b", "single"]) {
  void test(`plan ${plan}: one port of both families is two addresses, for RTMP and for HTTP, in any order`, async (t) => {
    const conf = (rtmp: number, http: number): string =>
      `listen ${rtmp} [::]:${rtmp}; http_server { enabled on; listen [::]:${http} ${http}; } ${vhost("__defaultVhost__")}`;
    const dolphin = await Dolphin.start(t, { words: () => ["--cores", "2", "--plan", plan], conf });
    for (const port of [dolphin.rtmpPort, dolphin.httpPort]) {
      assert.deepEqual([await accepts(hosts.four, port), await accepts(hosts.six, port)], [true, true]);
    }
    await dolphin.stop();
  });
}

void test("an IPv6 wildcard alone takes IPv4 as well; beside one address of IPv4 it takes no other", async (t) => {
  for (const [beside, four] of [
    ["", [true, true]],
    ["127.0.0.1:PORT", [true, false]],
  ] as const) {
    const dolphin = await Dolphin.start(t, {
      words: (rtmp) => [
        "--cores",
        "1",
        "--http",
        "off",
        "--api",
        "off",
        "--listen",
        `[::]:${rtmp}`,
        ...(beside === "" ? [] : ["--listen", beside.replace("PORT", String(rtmp))]),
      ],
    });
    const { rtmpPort: port } = dolphin;
    assert.equal(await accepts(hosts.six, port), true);
    assert.deepEqual([await accepts("127.0.0.1", port), await accepts("127.0.0.2", port)], four);
    await dolphin.stop();
  }
});

void test("RTMP and HTTP on one port are refused by check, by -t, by a start and by a reload, with both directives named", async (t) => {
  const folder = temporaryFolder(t);
  const [port, other] = [await freePort(), await freePort()];
  const conf = (http: number): string =>
    `daemon off; pid off; srs_log_tank console; listen 127.0.0.1:${port}; http_server { enabled on; listen ${http}; } ${vhost("__defaultVhost__")}`;
  writeFileSync(join(folder, "x.conf"), conf(port));
  const sentence = `listen (--listen) has 127.0.0.1:${port} and http_server.listen (--http) 0.0.0.0:${port}, which is the same: RTMP and HTTP need a port each`;
  const checked = await runToItsEnd(t, ["check", "-c", "x.conf"], { folder });
  assert.deepEqual([checked.code, checked.stdout[0]], [78, `error: ${sentence}`]);
  const tested = await runToItsEnd(t, ["-t", "-c", "x.conf"], { folder });
  assert.deepEqual([tested.code, tested.stdout[0]], [255, sentence]);
  const started = await runToItsEnd(t, ["-c", "x.conf"], { folder });
  const [line] = started.stdout.map((text) => JSON.parse(text) as LogLine);
  assert.deepEqual([started.code, line?.event, line?.code, line?.msg], [78, "dolphin.refused", "CONF_VALUE", sentence]);

  const dolphin = await Dolphin.start(t, { words: () => ["--cores", "1"], conf: conf(other) });
  const refused = await dolphin.reload(conf(port), "refused");
  assert.deepEqual(refused["problems"], [sentence]);
  assert.ok(await accepts("127.0.0.1", other));
  await assert.rejects(dolphin.stop(), /reload\.refused/); // which is of level error, and the only such line
});

void test("a reload that wants an address which the box has in another form says who has it", async (t) => {
  const conf = (listen: string): string => `listen ${listen}; ${vhost("__defaultVhost__")}`;
  let both = "";
  const dolphin = await Dolphin.start(t, {
    words: () => ["--cores", "1", "--http", "off"],
    conf: (port) => {
      both = conf(`${port} [::]:${port}`);
      return conf(`[::]:${port}`);
    },
  });
  const refused = await dolphin.reload(both, "refused");
  assert.deepEqual(refused["problems"], [
    `0.0.0.0:${dolphin.rtmpPort} is in use by this dolphin itself: another of its addresses covers it`,
  ]);
  assert.ok(await accepts(hosts.four, dolphin.rtmpPort));
  await assert.rejects(dolphin.stop(), /reload\.refused/);
});

/** A network of its own needs a privilege. */
const canHaveOwnNetwork = spawnSync("unshare", ["-n", "ip", "link", "set", "lo", "up"]).status === 0;
const skip = canHaveOwnNetwork ? false : "no network of its own can be made here";

void test(
  "an address that is not there yet ends a start with 99, and whoever tries again as the unit does serves when it has come",
  { skip },
  async (t) => {
    const folder = temporaryFolder(t);
    const dolphin = `${process.execPath} ${join(projectRoot, "bin/dolphin.js")} --cores 1 --listen 192.0.2.77:1935 --http off`;
    // A service manager in three lines.
    const script = `ip link set lo up
(until [ -e come ]; do sleep 0.1; done; ip addr add 192.0.2.77/32 dev lo) &
until ${dolphin}; do code=$?; echo "ended with $code"; case $code in 64|77|78) exit $code;; esac; sleep 0.2; done`;
    const lines: string[] = [];
    const child = start("unshare", ["-n", "sh", "-c", script], {
      cwd: folder,
      env: { XDG_RUNTIME_DIR: folder },
      onLine: (line) => lines.push(line),
    });
    t.after(async () => void (await child.stop("SIGKILL")));
    const ends = (): string[] => lines.filter((line) => line.startsWith("ended"));
    await eventually(() => ends().length >= 2, { what: "two tries", timeoutMs: 20_000 });
    assert.deepEqual([...new Set(ends())], ["ended with 99"]);
    const refused = lines.filter((line) => line.includes("dolphin.refused")).map((line) => JSON.parse(line) as LogLine);
    assert.match(refused[0]?.msg ?? "", /^192\.0\.2\.77:1935 is no address of this machine, or none yet/);
    writeFileSync(join(folder, "come"), "");
    const ready = await eventually(() => lines.find((line) => line.includes('"dolphin.ready"')), {
      what: "a box that serves",
      timeoutMs: 20_000,
    });
    process.kill(Number((JSON.parse(ready) as LogLine)["pid"]), "SIGTERM");
    assert.deepEqual(await child.ended, { code: 0, signal: null });
  },
);
