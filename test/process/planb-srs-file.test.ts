// Plan b and the file that an unmodified srs reads: its folder, its ports, its API, its words, and what a reload brings to it. The
// srs is the stand-in of test/fixtures.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectRoot } from "../helpers/child.js";
import { Dolphin } from "../helpers/dolphin.js";
import { launch, runToItsEnd, temporaryFolder } from "../helpers/launch.js";
import { publishAndPlay } from "../helpers/planb.js";
import { freePort } from "../helpers/ports.js";
import { eventually } from "../helpers/wait.js";

const fakeSrs = join(projectRoot, "test/fixtures/fake-srs.js");
const vhost = "vhost __defaultVhost__ { http_remux { enabled on; mount [vhost]/[app]/[stream].flv; } }";
const foreground = "daemon off; pid off; srs_log_tank console; max_connections 100;";

void test("a relative work_dir is entered once, by the file or by SRS_WORK_DIR, and what the file includes is found where dolphin was started", async (t) => {
  for (const [own, env] of [
    ["work_dir ./data;", {}],
    ["", { SRS_WORK_DIR: "data" }],
  ] as const) {
    for (const block of ["", "dolphin { play_wait 5; }"]) {
      const folder = temporaryFolder(t);
      mkdirSync(join(folder, "data"));
      writeFileSync(join(folder, "vhosts.conf"), vhost);
      writeFileSync(join(folder, "x.conf"), `listen 127.0.0.1:${await freePort()}; ${foreground} ${own} include vhosts.conf; ${block}`);
      const words = ["-c", "x.conf", "--server", fakeSrs, "--cores", "1", "--http", "off"];
      const checked = await runToItsEnd(t, ["check", ...words], { folder, env });
      assert.deepEqual([checked.code, checked.stdout], [0, ["dolphin would start"]]);
      let isReady = false;
      const box = launch(t, words, { folder, env }, (line) => (isReady ||= line.includes('"dolphin.ready"')));
      await eventually(() => isReady, { timeoutMs: 15_000, what: `a box that serves with ${own || "SRS_WORK_DIR"}:\n${box.output()}` });
      await box.stop("SIGTERM", 6000);
    }
  }
});

void test("private ports are none that the file names, the API of each server is in status, and colours stay out of the log", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 2,
    args: ["--server", fakeSrs],
    // What comes next above the public port is spoken for.
    conf: (rtmp) => `listen 1935; http_server { enabled on; listen 8080; } http_api { enabled on; listen ${rtmp + 1}; }
exporter { enabled on; listen ${rtmp + 2}; } srt_server { enabled on; listen ${rtmp + 3}; } rtc_server { enabled on; tcp { listen ${rtmp + 4}; } }
vhost b { cluster { mode remote; origin 127.0.0.1:${rtmp + 5}; } } ${vhost}`,
  });
  const servers = (await dolphin.status()).balance?.servers ?? [];
  const ports = servers.flatMap(({ rtmp, http, api }) => [rtmp.port, http?.port ?? 0, api?.endpoint.port ?? 0]);
  assert.equal(new Set(ports).size, 6, ports.join());
  for (const port of ports) assert.ok(port > dolphin.rtmpPort + 5 || port < dolphin.rtmpPort, `${port} with ${dolphin.rtmpPort}`);
  const text = await dolphin.ask("status");
  for (const { api } of servers) assert.match(text, new RegExp(`127\\.0\\.0\\.1:${api?.endpoint.port}`));
  const words = dolphin.logLines(({ event }) => event === "server.output").map(({ msg }) => msg ?? "");
  assert.ok(
    words.some((line) => line.startsWith("[2026-01-01 00:00:00.000][WARN]") && line.endsWith("index=0")),
    words.join("\n"),
  );
  await dolphin.stop();
});

interface Told {
  readonly error: string;
  readonly servers: readonly { readonly server: string; readonly api: string }[];
}

void test("the API on the public HTTP port goes to the server that is named, where the file puts it there", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 2,
    args: ["--server", fakeSrs],
    conf: (_rtmp, http) => `listen 1935; http_server { enabled on; listen ${http}; } http_api { enabled on; listen ${http}; } ${vhost}`,
  });
  const api = `http://127.0.0.1:${dolphin.httpPort}/api/v1/versions`;
  for (const [number, name] of [
    ["1", "server-1"],
    ["2", "server-2"],
    ["server-2", "server-2"],
  ] as const) {
    const answer = await fetch(`${api}?server=${number}`);
    assert.equal(answer.status, 200);
    assert.equal(((await answer.json()) as { pid: string }).pid, String(dolphin.pids[name]));
  }
  const answer = await fetch(api);
  assert.equal(answer.status, 404);
  const { error, servers } = (await answer.json()) as Told;
  assert.match(error, /add \?server=1/);
  for (const [at, { server, api: address }] of servers.entries()) {
    assert.equal(server, `server-${at + 1}`);
    const direct = (await (await fetch(`${address}/api/v1/versions`)).json()) as { pid: string };
    assert.equal(direct.pid, String(dolphin.pids[server]));
  }
  const { source, viewer } = await publishAndPlay(t, dolphin, "s");
  await viewer.waitForMedia(2);
  for (const one of [source, viewer]) one.close();
  await dolphin.stop();
});

void test("an API that the file puts on a port of its own is not opened on the public HTTP port, which tells where it is", async (t) => {
  const dolphin = await Dolphin.start(t, {
    cores: 1,
    args: ["--server", fakeSrs],
    conf: `listen 1935; http_server { enabled on; listen 8080; } http_api { enabled on; listen 1985; } ${vhost}`,
  });
  for (const [query, method] of [
    ["", "GET"],
    ["?server=1", "GET"],
    ["?server=1", "DELETE"],
  ] as const) {
    const answer = await fetch(`http://127.0.0.1:${dolphin.httpPort}/api/v1/clients/x${query}`, { method });
    assert.equal(answer.status, 404);
    const { error, servers } = (await answer.json()) as Told;
    assert.match(error, /when http_api and http_server listen on one port/);
    const direct = (await (await fetch(`${servers[0]?.api}/api/v1/clients/x`)).json()) as { pid: string };
    assert.equal(direct.pid, String(dolphin.pids["server-1"]));
  }
  await dolphin.stop();
});

void test("a reload reaches an srs that reads a copy of the file, because our own block is in it", async (t) => {
  const conf = (more: string): string =>
    `listen 1935; http_server { enabled off; } dolphin { server ${fakeSrs}; cores 1; } ${vhost} ${more}`;
  const dolphin = await Dolphin.start(t, { cores: 1, conf: conf("") });
  const copy = (): string => readFileSync(join(`${dolphin.controlSocket}.servers`, "server-1/srs.conf"), "utf8");
  assert.doesNotMatch(copy(), /vhost new/);
  await dolphin.reload(conf("vhost new { hls { enabled on; } }"));
  assert.match(copy(), /vhost new \{/);
  assert.doesNotMatch(copy(), /dolphin/);
  await dolphin.stop();
});
