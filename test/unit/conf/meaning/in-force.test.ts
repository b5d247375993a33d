import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig, loadInForce, type Loaded } from "../../../../src/conf/load.js";
import type { Config } from "../../../../src/conf/meaning/config.js";

const load = (text: string): Loaded => loadConfig({ file: "a.conf", text: `listen 1935; vhost a { } ${text}` });

function inForce(running: string, wanted: string): Config {
  const { config } = loadInForce(load(running), load(wanted));
  assert.ok(config);
  return config;
}

test("in force: what is live or takes new processes is as the new file says", () => {
  const config = inForce("max_connections 100; dolphin { cores 2; }", "max_connections 200; dolphin { cores 4; }");
  assert.deepEqual([config.maxConnections, config.dolphin.cores], [200, 4]);
});

test("in force: what needs a restart stays as it was, whether it changes, comes or goes", () => {
  assert.equal(inForce("pid a.pid;", "pid b.pid;").pidFile, "a.pid");
  assert.equal(inForce("pid a.pid;", "").pidFile, "a.pid");
  assert.equal(inForce("dolphin { plan single; cores 2; }", "dolphin { plan b; cores 3; }").dolphin.plan, "single");
  assert.equal(inForce("dolphin { plan single; }", "").dolphin.plan, "single");
  assert.equal(inForce("", "dolphin { plan single; cores 3; }").dolphin.plan, "a");
  assert.equal(inForce("", "dolphin { plan single; cores 3; }").dolphin.cores, 3);
});

test("in force: vhosts are those of the new file", () => {
  assert.deepEqual(
    inForce("vhost b { }", "vhost c { }").vhosts.map(({ name }) => name),
    ["a", "c"],
  );
});

test("in force: a file with an error is not in force", () => {
  assert.equal(loadInForce(load(""), load("nonsense;")).config, null);
});
