import assert from "node:assert/strict";
import { test } from "node:test";
import type { BalanceBlock, Config } from "../../../src/conf/meaning/config.js";
import { applyFlags, type Flags } from "../../../src/conf/flags.js";
import { defaultConfig, loadConfig } from "../../../src/conf/load.js";

const base = defaultConfig();
const one = { host: "127.0.0.1", port: 1 };
const two = { host: "::1", port: 2 };

function withBalance(balance: Partial<BalanceBlock>, plan: Config["dolphin"]["plan"]): Partial<Config> {
  return { dolphin: { ...base.dolphin, plan, balance: { ...base.dolphin.balance, ...balance } } };
}

const rows: [sentence: string, flags: Flags, changed: Partial<Config>][] = [
  ["no flags change nothing", {}, {}],
  ["undefined is the same as absent", { listen: undefined, http: undefined, cores: undefined, logFile: undefined }, {}],
  ["--listen replaces every address", { listen: [one, two] }, { listen: [one, two] }],
  ["an empty --listen changes nothing", { listen: [] }, {}],
  ["--http replaces the addresses", { http: one }, { http: { listen: [one], crossdomain: true } }],
  ["--http takes several addresses", { http: [one, two] }, { http: { listen: [one, two], crossdomain: true } }],
  ["--http off switches HTTP off", { http: "off" }, { http: null }],
  ["--cores wins", { cores: 3 }, { dolphin: { ...base.dolphin, cores: 3 } }],
  ["--plan wins", { plan: "single" }, { dolphin: { ...base.dolphin, plan: "single" } }],
  ["--server names a program and thereby plan b", { server: "objs/srs" }, withBalance({ server: ["objs/srs"] }, "b")],
  [
    "--server takes a command apart at its spaces",
    { server: "s  -p {rtmp_port}" },
    withBalance({ server: ["s", "-p", "{rtmp_port}"] }, "b"),
  ],
  ["--server builtin leaves the plan", { server: "builtin" }, withBalance({}, "a")],
  ["a plan that is given stays, whatever the server", { server: "srs", plan: "single" }, withBalance({ server: ["srs"] }, "single")],
  ["--server-conf wins", { serverConf: "t" }, withBalance({ serverConf: "t" }, "a")],
  [
    "servers and their ports win",
    { servers: 2, serverPorts: { rtmp: [1, 2], http: [] } },
    withBalance({ servers: 2, serverPorts: { rtmp: [1, 2], http: [] } }, "a"),
  ],
  ["--balance and --routing win", { balance: "fill", routing: "stream" }, withBalance({ policy: "fill", routing: "stream" }, "a")],
  ["--origin-process wins", { originProcess: "child" }, { dolphin: { ...base.dolphin, originProcess: "child" } }],
  ["--control-socket wins", { controlSocket: "/s" }, { dolphin: { ...base.dolphin, controlSocket: "/s" } }],
  ["--daemon wins", { daemon: true }, { daemon: true }],
  ["--pid wins", { pidFile: "/p" }, { pidFile: "/p" }],
  ["--max-connections wins", { maxConnections: 9 }, { maxConnections: 9 }],
  ["the log's file and level win", { logFile: "/l", logLevel: "warn" }, { log: { ...base.log, file: "/l", level: "warn" } }],
];

for (const [sentence, flags, changed] of rows) {
  test(`flags: ${sentence}`, () => assert.deepEqual(applyFlags(base, flags), { ...base, ...changed }));
}

test("flags: --http serves FLV on the vhosts that say nothing of http_remux, and only there", () => {
  const { config } = loadConfig({
    file: "f",
    text: "listen 1; vhost silent { } vhost off { http_remux { } } vhost on { http_remux { enabled on; mount /a.flv; } }",
  });
  assert.ok(config);
  const { vhosts, http } = applyFlags(config, { http: one });
  assert.deepEqual(http, { listen: [one], crossdomain: true });
  assert.deepEqual(
    vhosts.map(({ name, httpRemux }) => [name, httpRemux.enabled, httpRemux.mounts[0]]),
    [
      ["silent", true, "[vhost]/[app]/[stream].flv"],
      ["off", false, "[vhost]/[app]/[stream].flv"],
      ["on", true, "/a.flv"],
    ],
  );
});

test("flags: --http keeps the file's crossdomain", () => {
  const config = { ...base, http: { listen: [two], crossdomain: false } };
  assert.deepEqual(applyFlags(config, { http: one }).http, { listen: [one], crossdomain: false });
});

test("flags: --log-file null goes back to the console", () => {
  const config: Config = { ...base, log: { ...base.log, file: "a.log" } };
  assert.equal(applyFlags(config, { logFile: null }).log.file, null);
});

test("flags: the result is frozen and the configuration that is passed in stays as it was", () => {
  const before = structuredClone(base);
  const result = applyFlags(base, { listen: [one], http: two });
  assert.ok(Object.isFrozen(result) && Object.isFrozen(result.listen) && Object.isFrozen(result.http));
  assert.deepEqual(base, before);
});
