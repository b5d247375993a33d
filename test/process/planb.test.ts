// Plan b with real processes: four nginx, our own servers, and a stand-in for srs, each behind proxies that share the public
// port; then what happens to streams when a server dies, hangs or never serves, and what is left when dolphin ends. Faults under
// traffic are in planb-faults.test.ts.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { isRunning, projectRoot } from "../helpers/child.js";
import { Dolphin, type DolphinOptions } from "../helpers/dolphin.js";
import { probe, publish, record } from "../helpers/ffmpeg.js";
import { findNginx } from "../helpers/nginx.js";
import { freePort } from "../helpers/ports.js";
import { freeze } from "../helpers/processes.js";
import { ownerOf, provoked, publishAndPlay } from "../helpers/planb.js";
import { publisher } from "../helpers/rtmp-client.js";
import { eventually } from "../helpers/wait.js";

const fakeSrs = join(projectRoot, "test/fixtures/fake-srs.js");
const oddServer = join(projectRoot, "test/fixtures/odd-server.js");

const isNginxMissing = await findNginx();

void test(
  "four nginx serve one port: a publisher's players go where it is",
  { skip: typeof isNginxMissing === "string" && isNginxMissing },
  async (t) => {
    const nginx = await findNginx();
    assert.ok(typeof nginx !== "string");
    const template = readFileSync(join(projectRoot, "conf/nginx.planb.template"), "utf8").replace(
      /^load_module .*$/m,
      nginx.module === null ? "" : `load_module ${nginx.module};`,
    );
    const folder = temporary(t);
    writeFileSync(join(folder, "template"), template);
    const conf = readFileSync(join(projectRoot, "conf/nginx.planb.conf"), "utf8")
      .replace("/usr/sbin/nginx", nginx.path)
      .replace("conf/nginx.planb.template", join(folder, "template"));
    const dolphin = await Dolphin.start(t, { cores: 4, conf });

    const encoders = [];
    for (const name of ["one", "two", "three"]) {
      const encoder = publish(dolphin.rtmpUrl(name), { seconds: 40 });
      t.after(() => encoder.stop());
      encoders.push(encoder);
      await encoder.started;
      // The proxies share what they carry each second: whoever comes then goes to a server that has nothing.
      const loaded = async (): Promise<number> =>
        (await dolphin.status()).balance?.servers.filter(({ bytesPerSecond }) => bytesPerSecond > 0).length ?? 0;
      await eventually(async () => (await loaded()) === encoders.length, { what: `${encoders.length} servers with a stream each` });
    }
    await Promise.all(
      ["one", "one", "two", "three"].map(async (name, at) => {
        const file = join(folder, `${at}.flv`);
        await record(dolphin.rtmpUrl(name), file, 3);
        const video = (await probe(file)).streams.find(({ type }) => type === "video");
        assert.ok((video?.frames ?? 0) >= 50, `${video?.frames ?? 0} frames of ${name}`);
      }),
    );
    const { balance } = await dolphin.status();
    assert.equal(balance?.servers.length, 4);
    assert.deepEqual(new Set(balance.leases.map(({ key }) => key.split("/").at(-1))), new Set(["one", "two", "three"]));
    assert.equal(new Set(balance.leases.map(({ backend }) => backend)).size, 3, "three streams are on three servers");
    const owner = balance.leases.find(({ key }) => key.endsWith("/one"))?.backend ?? "";
    for (const name of ["live/one", "live/one.flv"]) {
      assert.match(await dolphin.ask("explain", name), new RegExp(`live/one → ${owner}: it is published there`));
    }
    for (const encoder of encoders) await encoder.stop();
    await eventually(async () => (await dolphin.status()).balance?.leases.length === 0, { what: "the leases to end" });
    await dolphin.stop();
  },
);

void test("our own servers serve one port, and an srs that is told its slot by the environment does too", async (t) => {
  for (const args of [
    ["--plan", "b"],
    ["--server", fakeSrs],
  ]) {
    const dolphin = await start(t, { args, conf: srsConf });
    const { source, viewer } = await publishAndPlay(t, dolphin, "s");
    await viewer.waitForMedia(10);
    await receivesFlv(dolphin.flvUrl("s"));
    const { balance, processes } = await dolphin.status();
    assert.equal(balance?.software, args[1] === "b" ? "builtin" : "srs 7.0.18");
    assert.equal(balance.routing, "stream");
    assert.equal(balance.leases.length, 1);
    const ports = balance.servers.map(({ rtmp }) => rtmp.port);
    assert.deepEqual(ports, [...new Set(ports)]);
    assert.deepEqual(processes.map(({ name }) => name).sort(), ["master", "proxy-1", "proxy-2", "server-1", "server-2"]);
    source.close();
    viewer.close();
    await dolphin.stop();
  }
});

void test("the command line of 2015 starts an srs of its age on the ports that it names", async (t) => {
  const [one, two, httpOne, httpTwo] = [await freePort(), await freePort(), await freePort(), await freePort()];
  const folder = temporary(t);
  writeFileSync(join(folder, "srs.conf"), srsConf);
  const dolphin = await Dolphin.start(t, {
    env: { FAKE_SRS_VERSION: "2.0.274" },
    words: (rtmp, http) =>
      `-w 3 -p ${rtmp} -x ${http} -b ${fakeSrs} -c ${folder}/srs.conf -s ${one},${two} -y ${httpOne},${httpTwo}`.split(" "),
  });
  const { viewer } = await publishAndPlay(t, dolphin, "s");
  await viewer.waitForMedia(5);
  const { balance } = await dolphin.status();
  assert.equal(balance?.software, "srs 2.0.274");
  assert.deepEqual(
    balance.servers.map(({ rtmp }) => rtmp.port),
    [one, two],
  );
  assert.equal(Object.keys(dolphin.pids).filter((name) => name.startsWith("proxy-")).length, 3);
  viewer.close();
  await dolphin.stop({ allow: provoked });
});

void test("when the server of a stream is killed, its publisher is on another with its next try, and the server comes back", async (t) => {
  for (const args of [
    ["--plan", "b"],
    ["--server", fakeSrs],
  ]) {
    const dolphin = await start(t, { args, conf: srsConf });
    const { source, viewer } = await publishAndPlay(t, dolphin, "s");
    await viewer.waitForMedia(5);
    const owner = await ownerOf(dolphin, "s");
    const ports = await portsOf(dolphin);
    const from = dolphin.logLength;
    process.kill(dolphin.pids[owner] ?? 0, "SIGKILL");
    await Promise.all([source.connection.ended, viewer.connection.ended]);
    const again = await publishAndPlay(t, dolphin, "s");
    await again.viewer.waitForMedia(5);
    await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === owner });
    await eventually(async () => (await serverOf(dolphin, owner))?.isUp, { what: `${owner} back in the balance` });
    assert.deepEqual(await portsOf(dolphin), ports, "each slot keeps its port");
    again.source.close();
    again.viewer.close();
    await dolphin.stop({ allow: provoked });
  }
});

void test("a server that is stopped gets no more connections, and is replaced", async (t) => {
  const dolphin = await start(t, { args: ["--server", fakeSrs], conf: srsConf });
  const from = dolphin.logLength;
  process.kill(dolphin.pids["server-1"] ?? 0, "SIGSTOP");
  await dolphin.waitFor("server.silent", { from, where: ({ child }) => child === "server-1" });
  for (const name of ["a", "b", "c", "d"]) {
    const { source, viewer } = await publishAndPlay(t, dolphin, name);
    await viewer.waitForMedia(2);
    assert.equal(await ownerOf(dolphin, name), "server-2");
    source.close();
    viewer.close();
  }
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1", timeoutMs: 15_000 });
  await dolphin.stop({ allow: provoked });
});

void test("one of our own servers that is stopped gets no more connections, and is replaced after heartbeat_timeout", async (t) => {
  const dolphin = await start(t, { args: ["--plan", "b"], conf: `${srsConf} dolphin { heartbeat_timeout 4; }` });
  const from = dolphin.logLength;
  process.kill(dolphin.pids["server-1"] ?? 0, "SIGSTOP");
  await dolphin.waitFor("server.silent", { from, where: ({ child }) => child === "server-1" });
  const { viewer, source } = await publishAndPlay(t, dolphin, "a");
  await viewer.waitForMedia(2);
  assert.equal(await ownerOf(dolphin, "a"), "server-2");
  await dolphin.waitFor("child.ready", { from, where: ({ child }) => child === "server-1", timeoutMs: 15_000 });
  source.close();
  viewer.close();
  await dolphin.stop({ allow: provoked });
});

void test("whoever comes while the only server is stopped is served when it goes on", async (t) => {
  const dolphin = await Dolphin.start(t, { cores: 1, args: ["--plan", "b"], conf: srsConf });
  const pid = dolphin.pids["server-1"] ?? 0;
  await freeze(pid);
  const from = dolphin.logLength;
  const coming = Promise.all([publisher(dolphin.rtmpUrl("a")), publisher(dolphin.rtmpUrl("b"))]);
  coming.catch(() => undefined); // told below
  await dolphin.waitFor("server.silent", { from }); // by then a server that has a neighbour would have been given up
  process.kill(pid, "SIGCONT");
  for (const source of await coming) source.close();
  await dolphin.stop({ allow: ({ event }) => event === "server.silent" });
});

void test("a drained server keeps its stream and gets no other", async (t) => {
  const dolphin = await start(t, { args: ["--plan", "b"], conf: srsConf });
  const { source, viewer } = await publishAndPlay(t, dolphin, "kept");
  const owner = await ownerOf(dolphin, "kept");
  await assert.rejects(dolphin.ask("drain", "server-9"), /there is no server server-9, only server-1, server-2/);
  await dolphin.ask("drain", owner);
  assert.match(await dolphin.ask("status"), new RegExp(`${owner} .*up, draining`));
  const other = await publishAndPlay(t, dolphin, "other");
  assert.notEqual(await ownerOf(dolphin, "other"), owner);
  await viewer.waitForMedia(viewer.media.length + 5);
  await dolphin.ask("undrain", owner);
  assert.doesNotMatch(await dolphin.ask("status"), /draining/);
  for (const one of [source, viewer, other.source, other.viewer]) one.close();
  await dolphin.stop();
});

void test("a server that accepts and says nothing, or listens on nothing, never enters the balance", async (t) => {
  for (const how of ["silent", "refuse"]) {
    const folder = temporary(t);
    // Slot 1 serves; slot 2 does not.
    writeFileSync(join(folder, "serve-1"), "");
    const script = join(folder, "server.mjs");
    writeFileSync(script, `process.argv[3] = process.argv[3] === "1" ? "serve" : "${how}"; await import("${oddServer}");`);
    const dolphin = await Dolphin.start(t, {
      args: ["--server", `${process.execPath} ${script} {rtmp_port} {slot}`, "--http", "off"],
      readyWhen: ({ child }) => child === "server-1",
    });
    await dolphin.waitFor("child.ready", { where: ({ child }) => child === "proxy-1" });
    await dolphin.waitFor("child.ready", { where: ({ child }) => child === "proxy-2" });
    for (const name of ["a", "b", "c"]) {
      const { source, viewer } = await publishAndPlay(t, dolphin, name);
      await viewer.waitForMedia(2);
      source.close();
      viewer.close();
    }
    assert.equal(dolphin.logLines(({ event, child }) => event === "child.ready" && child === "server-2").length, 0);
    await dolphin.stop({ allow: provoked });
  }
});

void test("servers that end at once make dolphin give up with 75, and their words are in its log", async (t) => {
  const dolphin = await Dolphin.start(t, {
    args: ["--server", `${process.execPath} ${oddServer} {rtmp_port} exit`, "--http", "off"],
    readyWhen: ({ child }) => child === "proxy-1",
  });
  assert.deepEqual((await dolphin.ended).code, 75);
  assert.deepEqual(
    dolphin.logLines(({ event }) => event === "dolphin.ready"),
    [],
    "it never served",
  );
  assert.ok(dolphin.logLines(({ event, msg }) => event === "server.output" && msg?.startsWith("odd server, exit") === true).length >= 5);
});

void test("nothing is left of servers and what they started, whichever way dolphin ends", async (t) => {
  for (const [signal, losesGuard] of [
    ["SIGTERM", false],
    ["SIGKILL", false],
    ["SIGKILL", true],
  ] as const) {
    const dolphin = await Dolphin.start(t, { args: ["--server", `${process.execPath} ${oddServer} {rtmp_port} serve`, "--http", "off"] });
    const lines = dolphin.logLines(({ event, msg }) => event === "server.output" && msg?.startsWith("grandchild") === true);
    const grandchildren = lines.map(({ msg }) => Number(msg?.split(" ")[1]));
    assert.equal(grandchildren.length, 2);
    const pids = [...grandchildren, ...Object.values(dolphin.pids)];
    assert.ok(pids.every(isRunning));
    const guards = shellsOf(dolphin.pid);
    assert.equal(guards.length, 1);
    if (losesGuard) {
      process.kill(guards[0] ?? 0, "SIGKILL");
      await dolphin.waitFor("guard.lost");
      await eventually(() => shellsOf(dolphin.pid).some((pid) => !guards.includes(pid)), { what: "another guard" });
    }
    pids.push(...shellsOf(dolphin.pid));
    dolphin.signal(signal);
    await dolphin.ended;
    await eventually(() => !pids.some(isRunning), { timeoutMs: 3000, what: `all of ${pids.join(", ")} to be gone after ${signal}` });
  }
});

void test("a port of its own that somebody else has is passed over, and a server that is no srs is refused with a sentence", async (t) => {
  const dolphin = await start(t, { args: ["--plan", "b"], conf: srsConf });
  const other = await Dolphin.start(t, {
    conf: srsConf,
    words: (rtmp, http) => ["--plan", "b", "--cores", "1", "--listen", `127.0.0.1:${rtmp}`, "--http", `127.0.0.1:${http}`],
  });
  const ports = [...(await portsOf(dolphin)), ...(await portsOf(other))];
  assert.equal(new Set(ports).size, 3, ports.join(" "));
  await other.stop();
  await dolphin.stop();
  await assert.rejects(start(t, { args: ["--server", process.execPath], conf: srsConf }), /is no srs/);
});

const srsConf = `listen 1935; daemon off; srs_log_tank console; pid ./objs/srs.pid;
http_server { enabled on; listen 8080; }
vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }
`;

function start(t: TestContext, options: DolphinOptions): Promise<Dolphin> {
  return Dolphin.start(t, { cores: 2, ...options });
}

/** Reads the beginning of a stream over HTTP, wherever it is published. */
async function receivesFlv(url: string): Promise<void> {
  const ending = new AbortController();
  const response = await fetch(url, { signal: ending.signal });
  const { value } = await response.body!.getReader().read();
  assert.equal(Buffer.from(value ?? []).toString("latin1", 0, 3), "FLV");
  ending.abort();
}

async function portsOf(dolphin: Dolphin): Promise<number[]> {
  return (await dolphin.status()).balance?.servers.map(({ rtmp }) => rtmp.port) ?? [];
}

async function serverOf(dolphin: Dolphin, name: string): Promise<{ readonly isUp: boolean } | undefined> {
  return (await dolphin.status()).balance?.servers.find((server) => server.name === name);
}

/** The shells that a process has started. */
function shellsOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const [, name, ppid] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? [];
        return name === "sh" && Number(ppid) === parent;
      } catch {
        return false; // gone while we looked
      }
    });
}

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dolphin-planb-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
