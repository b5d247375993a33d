import assert from "node:assert/strict";
import { test } from "node:test";
import { changesBetween } from "../../../../src/conf/meaning/changes.js";
import { directiveRows, findRow, placeInside } from "../../../../src/conf/directives/table.js";
import { flaggedPaths, type Flags } from "../../../../src/conf/flags.js";
import { loadConfig } from "../../../../src/conf/load.js";
import type { Directive } from "../../../../src/conf/grammar/parser.js";

const smallest = "listen 1935; vhost a { }";

function treeOf(text: string): readonly Directive[] {
  const { config, directives, problems } = loadConfig({ file: "f", text, env: { SRS_DOLPHIN_UNGUARDED: "on" } });
  assert.ok(config, JSON.stringify(problems));
  return directives;
}

const same: [sentence: string, before: string, after: string][] = [
  ["the same text", smallest, smallest],
  ["another order", "listen 1935; vhost a { } daemon off;", "daemon off; vhost a { } listen 1935;"],
  ["comments and line breaks", smallest, "# hello\nlisten 1935;\n\nvhost a {\n}"],
  ["quotes", smallest, "listen '1935'; vhost \"a\" { }"],
  ["a default that is spelled out", smallest, "listen 1935; chunk_size 60000; vhost a { enabled on; play { gop_cache on; } }"],
  ["an old spelling", "listen 1935; vhost a { gop_cache off; }", "listen 1935; vhost a { play { gop_cache off; } }"],
  ["an address in other words", smallest, "listen 0.0.0.0:1935; vhost a { }"],
  ["an empty block", smallest, "listen 1935; http_server { } vhost a { play { } }"],
  ["a directive without an argument", smallest, "listen 1935; chunk_size; vhost a { }"],
  ["a repetition, which never counts", smallest, "listen 1935; listen 1936; vhost a { } vhost a { chunk_size 128; }"],
  [
    "a value that is read the same",
    "listen 1935; vhost a { play { queue_length 9; } }",
    "listen 1935; vhost a { play { queue_length 9x; } }",
  ],
  [
    "what is in a block that is off",
    "listen 1935; vhost a { } http_server { listen 1; }",
    "listen 1935; vhost a { } http_server { listen 2; enabled off; }",
  ],
  [
    "what is in a vhost that is off",
    "listen 1935; vhost a { enabled off; }",
    "listen 1935; vhost a { enabled off; play { gop_cache off; } }",
  ],
];

for (const [sentence, before, after] of same) {
  test(`changes: ${sentence} is none`, () => {
    assert.deepEqual(changesBetween(treeOf(before), treeOf(after)), []);
    assert.deepEqual(changesBetween(treeOf(after), treeOf(before)), []);
  });
}

/** What is added to the smallest file, before and after; the changes as `path: from → to, reload, serving`. */
const rows: [before: string, after: string, changes: string[]][] = [
  ["max_connections 10;", "max_connections 20;", ["max_connections: 10 → 20, live, served"]],
  ["", "max_connections 20;", ["max_connections: null → 20, live, served"]],
  ["max_connections 20;", "", ["max_connections: 20 → null, live, served"]],
  ["", "chunk_size 128;", ["chunk_size: 60000 → 128, live, served"]],
  ["", "daemon off; pid x;", ["daemon: on → off, restart, served", "pid: ./objs/srs.pid → x, restart, served"]],
  ["", "http_server { enabled on; }", ["http_server.enabled: off → on, replace, served"]],
  [
    "http_server { enabled on; }",
    "http_server { listen 1 2; crossdomain off; enabled on; }",
    ["http_server.listen: 8080 → 1 2, replace, served", "http_server.crossdomain: on → off, live, served"],
  ],
  ["dolphin { cores 1; }", "dolphin { cores 2; }", ["dolphin.cores: 1 → 2, replace, served"]],
  ["dolphin { plan a; }", "dolphin { plan single; }", ["dolphin.plan: a → single, restart, served"]],
  ["", 'dolphin { server s "{rtmp_port}"; }', ['dolphin.server: builtin → s "{rtmp_port}", restart, served']],
  ["", "vhost b.com { }", ["vhost b.com: null → { … }, live, served"]],
  ["vhost b.com { }", "", ["vhost b.com: { … } → null, live, served"]],
  ["vhost b { }", "vhost c { }", ["vhost c: null → { … }, live, served", "vhost b: { … } → null, live, served"]],
  ["", "vhost { }", ["vhost: null → { … }, live, served"]],
  [
    "vhost b.com { play { gop_cache off; } min_latency on; }",
    "vhost b.com { cluster { mode remote; origin c; } play { } }",
    [
      "vhost b.com cluster.mode: local → remote, live, served",
      "vhost b.com cluster.origin: null → c, live, served",
      "vhost b.com play.gop_cache: off → on, live, served",
      "vhost b.com min_latency: on → off, live, served",
    ],
  ],
  ["vhost b { }", "vhost b { enabled off; }", ["vhost b enabled: on → off, live, served"]],
  ["vhost b { }", "vhost b { play { mix_correct on; } }", ["vhost b play.mix_correct: off → on, live, not yet"]],
  ["vhost b { }", "vhost b { publish { mr on; } }", ["vhost b publish.mr: off → on, live, harmless"]],
  [
    "vhost b { security { enabled on; allow play all; } }",
    "vhost b { security { enabled on; allow play all; allow publish all; } }",
    ["vhost b security.allow: play all → play all; publish all, live, served"],
  ],
  [
    "vhost b { transcode { enabled on; engine e { enabled on; vwidth 1; } } }",
    "vhost b { transcode { enabled on; engine e { enabled on; vwidth 2; } engine f { } } transcode live { } }",
    [
      "vhost b transcode engine e vwidth: 1 → 2, live, served",
      "vhost b transcode engine f: null → { … }, live, served",
      "vhost b transcode live: null → { … }, live, served",
    ],
  ],
  [
    "stream_caster { enabled on; } stream_caster { enabled on; output a; }",
    "stream_caster { enabled on; } stream_caster { enabled on; output b; }",
    ["stream_caster 2 output: a → b, live, not yet"],
  ],
  [
    "rtc_server { enabled on; listen 8000; }",
    "rtc_server { enabled on; listen 8001; tcp { } }",
    ["rtc_server.listen: listen 8000; → listen 8001;, replace, not yet", "rtc_server.tcp: null → tcp { }, replace, not yet"],
  ],
  [
    "http_api { enabled on; auth { enabled on; password a; } }",
    "http_api { enabled on; auth { enabled on; password b; } }",
    ["http_api.auth.password: … → …, live, served"],
  ],
];

for (const [before, after, expected] of rows) {
  test(`changes: from "${before}" to "${after}"`, () => {
    const found = changesBetween(treeOf(`${smallest} ${before}`), treeOf(`${smallest} ${after}`));
    assert.deepEqual(
      found.map(({ path, from, to, reload, serving }) => `${path}: ${from} → ${to}, ${reload}, ${serving}`),
      expected,
    );
  });
}

const flagged: [flags: Flags, before: string, after: string, paths: string[]][] = [
  [{ listen: [{ host: "h", port: 1 }] }, "", "pid x;", ["pid"]],
  [{ listen: [] }, "listen 1;", "listen 2;", ["listen"]],
  [{ listen: [{ host: "h", port: 1 }] }, "listen 1;", "listen 2;", []],
  [{ http: { host: "h", port: 1 } }, "http_server { enabled on; }", "http_server { enabled off; listen 9; }", []],
  [
    { http: { host: "h", port: 1 } },
    "http_server { enabled on; }",
    "http_server { enabled on; crossdomain off; }",
    ["http_server.crossdomain"],
  ],
  [{ http: "off" }, "http_server { enabled on; }", "http_server { enabled on; crossdomain off; }", []],
  [{ http: { host: "h", port: 1 } }, "vhost b { }", "vhost b { http_remux { } }", ["vhost b http_remux.enabled"]],
  [{ http: "off" }, "vhost b { }", "vhost b { http_remux { } }", []],
  [{ server: "srs" }, "", "dolphin { plan single; server x; }", []],
  [{ server: "builtin" }, "", "dolphin { plan single; server x; }", ["dolphin.plan"]],
  [{ logLevel: "warn" }, "", "srs_log_level warn; srs_log_level_v2 error; srs_log_file x;", ["srs_log_file"]],
];

for (const [flags, before, after, paths] of flagged) {
  test(`changes: with ${JSON.stringify(flags)}, from "${before}" to "${after}"`, () => {
    const [from, to] = [`${before} ${smallest}`, `${after} ${smallest}`];
    assert.deepEqual(
      changesBetween(treeOf(from), treeOf(to), flaggedPaths(flags)).map(({ path }) => path),
      paths,
    );
  });
}

test("changes: every path that a flag decides is one of the table", () => {
  const everyFlag: Required<Flags> = {
    listen: [{ host: "h", port: 1 }],
    http: "off",
    api: "off",
    plan: "a",
    cores: 1,
    originProcess: "master",
    controlSocket: "s",
    daemon: true,
    pidFile: "p",
    maxConnections: 1,
    logFile: null,
    logLevel: "info",
    server: "s",
    serverConf: "c",
    servers: 1,
    serverPorts: null,
    balance: "least",
    routing: "auto",
  };
  const known = new Set(directiveRows.map((row) => placeInside(row.place, row.name)));
  const paths = flaggedPaths(everyFlag);
  assert.ok(paths.size >= 17);
  for (const path of paths) assert.ok(known.has(path), path);
  assert.deepEqual(flaggedPaths({}), new Set());
});

test("changes: what a running process cannot take is marked in the table", () => {
  const reloadOf = (place: string, name: string): string | undefined => findRow(place, name)?.reload;
  for (const row of directiveRows) {
    if (row.place.startsWith("vhost")) assert.equal(row.reload, "live", row.name);
  }
  for (const name of ["daemon", "pid", "work_dir", "asprocess", "server_id", "srs_log_tank", "srs_log_file", "srs_log_format"]) {
    assert.equal(reloadOf("root", name), "restart", name);
  }
  for (const name of ["plan", "origin_process", "control_socket", "server", "servers", "server_conf"]) {
    assert.equal(reloadOf("dolphin", name), "restart", name);
  }
  for (const [place, name] of [
    ["root", "listen"],
    ["http_server", "enabled"],
    ["http_server", "listen"],
    ["dolphin", "cores"],
    ["dolphin", "send_proxy"],
  ] as const) {
    assert.equal(reloadOf(place, name), "replace", name);
  }
  for (const name of ["balance", "routing", "play_wait", "trusted_proxies", "server_weight", "server_max_connections"]) {
    assert.equal(reloadOf("dolphin", name), "live", name);
  }
});
