import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { applyFlags, type Flags } from "../../../../src/conf/flags.js";
import { defaultConfig, loadConfig } from "../../../../src/conf/load.js";
import type { Config } from "../../../../src/conf/meaning/config.js";
import { parseListen } from "../../../../src/conf/meaning/endpoint.js";
import { serviceText, socketText, type UnitFacts } from "../../../../src/master/host/unit-text.js";

/** Where conf/dolphin.service expects dolphin. */
const facts: UnitFacts = {
  node: "/usr/bin/node",
  bin: "/opt/dolphin/bin/dolphin.js",
  words: [],
  folder: "/",
  env: {},
  user: "root",
  hasNativeCalls: true,
};

function configOf(text: string, flags: Flags = {}): Config {
  const file = "/etc/dolphin/live.conf";
  const { config, problems } = loadConfig({
    file,
    isEnvOnly: false,
    env: {},
    read: () => `listen 1935; ${text} vhost __defaultVhost__ { }`,
  });
  assert.ok(config !== null, problems[0]?.message);
  return applyFlags(config, flags);
}

/** The values of a setting. */
function values(text: string, name: string): string[] {
  return text.split("\n").flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1)] : []));
}

describe("dolphin.service", () => {
  it("is what conf/dolphin.service holds, for the command line without flags", () => {
    assert.equal(readFileSync("conf/dolphin.service", "utf8"), serviceText(defaultConfig(), facts));
  });

  it("starts with the same words, each of them one word to systemd", () => {
    const words = ["--server", "nginx -c {conf}", "--log-level=info", `a"b\\c`, "$HOME", "100%", ";", "ü"];
    assert.deepEqual(values(serviceText(defaultConfig(), { ...facts, words }), "ExecStart"), [
      String.raw`/usr/bin/node /opt/dolphin/bin/dolphin.js --server "nginx -c {conf}" --log-level=info "a\"b\\c" "$$HOME" 100%% ";" "ü"`,
    ]);
  });

  it("starts in the folder from which a file was named, and in the foreground whatever it says", () => {
    const text = serviceText(configOf("daemon on; pid off; srs_log_tank console;"), {
      ...facts,
      words: ["-c", "live.conf"],
      folder: "/etc/50% off",
    });
    assert.deepEqual(values(text, "WorkingDirectory"), ["/etc/50%% off"]);
    assert.deepEqual(values(text, "ExecStart"), ["/usr/bin/node /opt/dolphin/bin/dolphin.js -c live.conf --no-daemon"]);
  });

  it("sets the variables that the configuration was read with", () => {
    const text = serviceText(defaultConfig(), { ...facts, env: { SRS_LISTEN: "1935 1936" } });
    assert.deepEqual(values(text, "Environment"), [`"SRS_LISTEN=1935 1936"`]);
  });

  it("has the permission for low ports only where one is asked for, and never another", () => {
    const plain = serviceText(defaultConfig(), facts);
    assert.deepEqual([values(plain, "AmbientCapabilities"), values(plain, "CapabilityBoundingSet")], [[], [""]]);
    for (const flags of [{ listen: [parseListen("443")] }, { http: parseListen("80") }]) {
      const text = serviceText(applyFlags(defaultConfig(), flags), facts);
      assert.deepEqual(values(text, "AmbientCapabilities"), ["CAP_NET_BIND_SERVICE"]);
      assert.deepEqual(values(text, "CapabilityBoundingSet"), ["CAP_NET_BIND_SERVICE"]);
    }
  });

  it("may write where the pid file and the log of the file are, and nowhere else", () => {
    const config = configOf("pid ./objs/srs.pid; srs_log_tank file; srs_log_file ./objs/log/srs.log;");
    const text = serviceText(config, { ...facts, folder: "/usr/local/srs", words: ["-c", "x.conf"] });
    assert.deepEqual(values(text, "ReadWritePaths"), ["/usr/local/srs/objs", "/usr/local/srs/objs/log"]);
    assert.deepEqual(values(text, "User"), ["root"], "the folders are somebody's already");
    assert.deepEqual(values(serviceText(defaultConfig(), facts), "ReadWritePaths"), []);
  });

  it("has systemd make the folders below /var/log and /var/lib, so that a user of the moment can write there", () => {
    const config = configOf("pid /var/lib/live/srs.pid; srs_log_tank file; srs_log_file /var/log/live/a/srs.log;");
    const text = serviceText(config, facts);
    assert.deepEqual(
      [values(text, "LogsDirectory"), values(text, "StateDirectory"), values(text, "ReadWritePaths")],
      [["live/a"], ["live"], []],
    );
    assert.deepEqual(values(text, "DynamicUser"), ["yes"]);
  });

  it("lets a foreign server write where it is started", () => {
    const config = configOf("pid off; srs_log_tank console;", { server: "objs/srs" });
    assert.deepEqual(values(serviceText(config, { ...facts, folder: "/usr/local/srs" }), "ReadWritePaths"), ["/usr/local/srs"]);
  });

  it("runs as whoever asked for it, and sees the homes and the temporary folder where something of it lies there", () => {
    const text = serviceText(defaultConfig(), { ...facts, user: "alice", node: "/home/alice/.nvm/node" });
    assert.deepEqual([values(text, "User"), values(text, "DynamicUser"), values(text, "ProtectHome")], [["alice"], [], ["read-only"]]);
    assert.deepEqual(values(text, "PrivateTmp"), ["yes"]);
    const trial = serviceText(configOf("pid off; srs_log_tank console;"), { ...facts, folder: "/tmp/trial" });
    assert.deepEqual([values(trial, "User"), values(trial, "PrivateTmp"), values(trial, "ProtectHome")], [["root"], [], ["yes"]]);
  });

  it("gives a stop and a heartbeat the time that the configuration gives them", () => {
    const text = serviceText(configOf("dolphin { stop_timeout 20; heartbeat_timeout 60; }"), facts);
    assert.deepEqual([values(text, "TimeoutStopSec"), values(text, "WatchdogSec")], [["30s"], ["180s"]]);
  });

  it("lets the program speak for a master that cannot", () => {
    assert.deepEqual(values(serviceText(defaultConfig(), facts), "NotifyAccess"), ["main"]);
    assert.deepEqual(values(serviceText(defaultConfig(), { ...facts, hasNativeCalls: false }), "NotifyAccess"), ["all"]);
  });
});

describe("dolphin.socket", () => {
  it("is what conf/dolphin.socket holds, for two workers", () => {
    assert.equal(readFileSync("conf/dolphin.socket", "utf8"), socketText(defaultConfig(), 2));
  });

  it("has each address once for each worker, and leaves names to dolphin", () => {
    const config = applyFlags(defaultConfig(), { listen: [parseListen("[::1]:1935"), parseListen("live.example:1936")], http: "off" });
    const text = socketText(config, 3);
    assert.deepEqual(values(text, "ListenStream"), ["[::1]:1935", "[::1]:1935", "[::1]:1935"]);
    assert.match(text, /# .* live\.example:1936 itself/);
    assert.deepEqual(values(text, "ReusePort"), ["yes"]);
  });
});
