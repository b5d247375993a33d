import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import * as fc from "fast-check";
import { changesBetween } from "../../../src/conf/meaning/changes.js";
import type { Config, Vhost } from "../../../src/conf/meaning/config.js";
import { defaultConf } from "../../../src/conf/default-conf.js";
import { directiveRows } from "../../../src/conf/directives/table.js";
import { defaultConfig, loadConfig } from "../../../src/conf/load.js";
import { formatProblem } from "../../../src/conf/grammar/problem.js";
import { anotherValue, fileWith } from "./meaning/another-value.js";

const noHooks = {
  on_connect: [],
  on_close: [],
  on_publish: [],
  on_unpublish: [],
  on_play: [],
  on_stop: [],
  on_dvr: [],
  on_hls: [],
  on_hls_notify: [],
};
const quietHooks = {
  timeoutMs: 30_000,
  connections: 256,
  keepsAlive: false,
  secret: null,
  retries: 0,
  whenDown: "deny",
  cacheMs: 0,
} as const;

/** The folder `conf` of the project, seen from dist/test/unit/conf. */
const folder = new URL("../../../../conf/", import.meta.url);

function config(text: string): Config {
  const loaded = loadConfig({ file: "f", text });
  assert.ok(loaded.config, loaded.problems.map(formatProblem).join("\n"));
  return loaded.config;
}

function vhost(text: string): Vhost {
  const [first] = config(`listen 1935; vhost a { ${text} }`).vhosts;
  assert.ok(first);
  return first;
}

/** What a file gets that says nothing of processes and logs. */
const quiet = {
  workDir: "./",
  asProcess: false,
  serverId: null,
  log: {
    file: null,
    level: "info",
    format: "json",
    maxSizeBytes: 100 << 20,
    givesWay: true,
    maxAgeMs: null,
    maxFiles: 10,
    isCompressed: true,
  },
  grace: { startWaitMs: 2300, finalWaitMs: 3200, isForced: false },
  isWatched: false,
  container: { isGiven: false, staysInForeground: true, isWatched: true },
} as const;

const plainApi = {
  tls: null,
  atHttp: null,
  crossdomain: true,
  raw: { isEnabled: false, allowsReload: false },
  auth: null,
  token: null,
  servesJsonp: false,
};

test("load: the built-in configuration serves RTMP and HTTP-FLV with the defaults of SRS", () => {
  assert.deepEqual(defaultConfig(), {
    file: null,
    listen: [{ host: "0.0.0.0", port: 1935 }],
    maxConnections: null,
    daemon: false,
    pidFile: null,
    ...quiet,
    http: { listen: [{ host: "0.0.0.0", port: 8080 }], crossdomain: true },
    api: { ...plainApi, listen: [{ host: "0.0.0.0", port: 1985 }], mayLack: true },
    heartbeat: null,
    exporter: { listen: [], label: null, tag: null },
    httpDir: "./objs/nginx/html",
    vhosts: [
      {
        name: "__defaultVhost__",
        enabled: true,
        chunkSize: 60_000,
        inAckSizeBytes: 0,
        outAckSizeBytes: 2_500_000,
        minLatency: false,
        tcpNodelay: false,
        cluster: {
          mode: "local",
          isOnDemand: false,
          origins: [],
          findsOrigin: false,
          vhost: "[vhost]",
          debugSrsUpnode: true,
          isInOriginCluster: false,
          coworkers: [],
        },
        play: {
          gopCache: true,
          gopCacheMaxFrames: 2500,
          queueLengthMs: 30_000,
          mwLatencyMs: 350,
          timeJitter: "full",
          atc: false,
          reduceSequenceHeader: false,
        },
        publish: { firstPacketTimeoutMs: 20_000, normalTimeoutMs: 5000 },
        httpRemux: { enabled: true, mounts: ["[vhost]/[app]/[stream].flv"], hasAudio: true, hasVideo: true, guessHasAv: true },
        forward: { enabled: false, destinations: [], backend: null },
        hooks: noHooks,
        httpStatic: null,
        security: null,
        refer: null,
        hls: null,
        dvr: null,
        ingests: [],
        transcodes: [],
        exec: [],
      },
    ],
    dolphin: {
      plan: "a",
      cores: "auto",
      originProcess: "master",
      controlSocket: null,
      heartbeatTimeoutMs: 10_000,
      carriesSessions: true,
      warmsUp: true,
      drainTimeoutMs: null,
      drainSpreadMs: 10_000,
      workers: { maxMemoryBytes: null, maxAgeMs: null },
      stopTimeoutMs: 5000,
      metricsStreams: 0,
      packagers: 1,
      minFreeBytes: 64 << 20,
      ffmpegLogLevel: "warning",
      flvWaitMs: 10_000,
      hooks: quietHooks,
      pullLingerMs: 3000,
      resolver: null,
      clusterPlay: "auto",
      registry: null,
      balance: {
        server: ["builtin"],
        serverConf: null,
        servers: "auto",
        serverPorts: null,
        policy: "least",
        routing: "auto",
        weights: [1],
        maxServerConnections: null,
        playWaitMs: 15_000,
        trustedProxies: [],
        sendProxy: "auto",
      },
    },
  } satisfies Config);
});

test("load: conf/dolphin.conf is the built-in configuration", () => {
  assert.equal(readFileSync(new URL("dolphin.conf", folder), "utf8"), defaultConf);
});

test("load: a smallest file has the defaults of SRS, and a daemon", () => {
  const smallest = config("listen 1935; vhost a { }");
  assert.deepEqual([smallest.daemon, smallest.pidFile, smallest.log.file], [true, "./objs/srs.pid", "./objs/srs.log"]);
  assert.equal(smallest.http, null);
  assert.equal(smallest.file, "f");
  assert.deepEqual(smallest.vhosts[0]?.httpRemux, { ...defaultConfig().vhosts[0]?.httpRemux, enabled: false, isAbsent: true });
});

test("load: every directive that is served reaches its field", () => {
  const read = config(`
    listen 1935 127.0.0.1:1936 [::1]:1937; max_connections 500; daemon off; pid ./a.pid; chunk_size 4096; srs_log_tank console;
    http_server { enabled on; listen 80 [::]:81; crossdomain off; dir /srv/www; }
    http_api {
      enabled on; listen 1986; raw_api { enabled on; allow_reload on; }
      auth { enabled on; type bearer; token s3; }
    }
    exporter { enabled on; listen 127.0.0.1:9973; label cn; tag edge; }
    dolphin {
      api_token s2; api_jsonp on;
      plan single; cores 4; origin_process child; control_socket /run/d.sock;
      heartbeat_timeout 0.5; stop_timeout 1; worker_max_memory 512; worker_max_age 3600; http_flv_wait 0; pull_linger 2.5;
      server "my server" -p "{rtmp_port}"; server_conf t.conf; servers 3; server_weight 2 0.5; server_max_connections 100;
      balance hash; routing connection; play_wait 0.5; trusted_proxies 10.0.0.0/8 ::1; send_proxy v2;
    }
    vhost b { }
    vhost a {
      enabled off; chunk_size 128; min_latency on; tcp_nodelay on; in_ack_size 1; out_ack_size 2;
      cluster { mode remote; origin one two:2 [::1]:3; vhost up.[vhost]; debug_srs_upnode off; }
      play { gop_cache off; gop_cache_max_frames 0; queue_length 3; mw_latency 4; time_jitter zero; atc on; reduce_sequence_header on; }
      publish { firstpkt_timeout 5; normal_timeout 6; }
      http_remux { enabled on; mount /x.flv; has_audio off; has_video off; guess_has_av off; }
      forward { enabled on; destination x y:7; }
      http_static { enabled on; mount [vhost]/hls; dir /srv/hls; }
      security { enabled on; allow play all; deny publish 10.0.0.0/8; deny play ::1; }
      refer { enabled on; all a.com b.com; publish c.com; }
    }`);
  assert.deepEqual(read, {
    file: "f",
    listen: [
      { host: "0.0.0.0", port: 1935 },
      { host: "127.0.0.1", port: 1936 },
      { host: "::1", port: 1937 },
    ],
    maxConnections: 500,
    daemon: false,
    pidFile: "./a.pid",
    ...quiet,
    http: {
      listen: [
        { host: "0.0.0.0", port: 80 },
        { host: "::", port: 81 },
      ],
      crossdomain: false,
    },
    api: {
      listen: [{ host: "0.0.0.0", port: 1986 }],
      tls: null,
      atHttp: null,
      mayLack: false,
      crossdomain: false,
      raw: { isEnabled: true, allowsReload: true },
      auth: { type: "bearer", token: "s3" },
      token: "s2",
      servesJsonp: true,
    },
    heartbeat: null,
    exporter: { listen: [{ host: "127.0.0.1", port: 9973 }], label: "cn", tag: "edge" },
    httpDir: "/srv/www",
    vhosts: [
      { ...vhost(""), name: "b", chunkSize: 4096 },
      {
        name: "a",
        enabled: false,
        chunkSize: 128,
        inAckSizeBytes: 1,
        outAckSizeBytes: 2,
        minLatency: true,
        tcpNodelay: true,
        cluster: {
          mode: "remote",
          isOnDemand: true,
          origins: [
            { host: "one", port: 1935 },
            { host: "two", port: 2 },
            { host: "::1", port: 3 },
          ],
          findsOrigin: false,
          vhost: "up.[vhost]",
          debugSrsUpnode: false,
          isInOriginCluster: false,
          coworkers: [],
        },
        play: {
          gopCache: false,
          gopCacheMaxFrames: 0,
          queueLengthMs: 3000,
          mwLatencyMs: 4,
          timeJitter: "zero",
          atc: true,
          reduceSequenceHeader: true,
        },
        publish: { firstPacketTimeoutMs: 5, normalTimeoutMs: 6 },
        httpRemux: { enabled: true, mounts: ["/x.flv"], hasAudio: false, hasVideo: false, guessHasAv: false },
        forward: {
          enabled: true,
          destinations: [
            { host: "x", port: 1935 },
            { host: "y", port: 7 },
          ],
          backend: null,
        },
        httpStatic: { mount: "[vhost]/hls", dir: "/srv/hls" },
        security: {
          allow: [{ does: "play", network: "all" }],
          deny: [
            { does: "publish", network: "10.0.0.0/8" },
            { does: "play", network: "::1/128" },
          ],
        },
        refer: { all: ["a.com", "b.com"], play: [], publish: ["c.com"] },
        hls: null,
        dvr: null,
        ingests: [],
        transcodes: [],
        exec: [],
        hooks: noHooks,
      },
    ],
    dolphin: {
      plan: "single",
      cores: 4,
      originProcess: "child",
      controlSocket: "/run/d.sock",
      heartbeatTimeoutMs: 500,
      carriesSessions: true,
      warmsUp: true,
      drainTimeoutMs: null,
      drainSpreadMs: 10_000,
      workers: { maxMemoryBytes: 512 << 20, maxAgeMs: 3_600_000 },
      stopTimeoutMs: 1000,
      metricsStreams: 0,
      packagers: 1,
      minFreeBytes: 64 << 20,
      ffmpegLogLevel: "warning",
      flvWaitMs: 0,
      hooks: quietHooks,
      pullLingerMs: 2500,
      resolver: null,
      clusterPlay: "auto",
      registry: null,
      balance: {
        server: ["my server", "-p", "{rtmp_port}"],
        serverConf: "t.conf",
        servers: 3,
        serverPorts: null,
        policy: "hash",
        routing: "connection",
        weights: [2, 0.5],
        maxServerConnections: 100,
        playWaitMs: 500,
        trustedProxies: ["10.0.0.0/8", "::1/128"],
        sendProxy: "v2",
      },
    },
  } satisfies Config);
});

/** A daemon has no parent to follow, and what is left out is not dropped yet. */
const companions: Readonly<Record<string, string>> = {
  asprocess: "daemon off; ",
  console_on_http: "http_api { enabled on; } http_server { enabled on; } ",
  has_audio: "dolphin { unguarded on; } ",
  has_video: "dolphin { unguarded on; } ",
  utc_time: "vhost recorded.example { dvr { enabled on; } } ",
};
/**
 * One decides whether there is a configuration at all, another one whether the URLs beside it count; and programs take several to be run
 * at all: test/unit/packager/programs/commands.test.ts.
 */
const isAboutOthers = ({ name, place }: { name: string; place: string }): boolean =>
  name === "unguarded" || /^vhost\.(exec|ingest|transcode)/.test(place) || (name === "enabled" && place === "vhost.http_hooks");

for (const row of directiveRows.filter((one) => one.serving === "served" && one.type.kind !== "block" && !isAboutOthers(one))) {
  test(`load: ${row.name} of ${row.place} makes a difference, for it is served`, () => {
    const companion = companions[row.name] ?? "";
    assert.notDeepEqual(config(`${companion}${fileWith(row, anotherValue(row))}`), config(`${companion}${fileWith(row, null)}`));
  });
}

test("load: plan b is the default before a foreign server, and plan a before our own", () => {
  const planOf = (block: string): string => config(`listen 1935; vhost a { } dolphin { ${block} }`).dolphin.plan;
  assert.equal(planOf("server ./objs/srs;"), "b");
  assert.equal(planOf("server builtin;"), "a");
  assert.equal(planOf("plan b;"), "b");
  assert.equal(planOf("plan single; server ./objs/srs;"), "single");
});

const mib = 1024 * 1024;
const sizes: [text: string, maxSizeBytes: number | null, givesWay: boolean][] = [
  ["", 100 * mib, true],
  ["log_max_files 3; log_compress off;", 100 * mib, true],
  ["log_max_size 5;", 5 * mib, false],
  ["log_max_size off;", null, false],
  ["log_max_age 86400;", null, false],
  ["log_max_age 86400; log_max_size 100;", 100 * mib, false],
];

for (const [text, maxSizeBytes, givesWay] of sizes) {
  test(`load: with "${text}" the log is rotated by ${maxSizeBytes === null ? "no size" : "size"}${givesWay ? ", unless somebody else does" : ""}`, () => {
    const { log } = config(`listen 1935; vhost a { } dolphin { ${text} }`);
    assert.deepEqual([log.maxSizeBytes, log.givesWay], [maxSizeBytes, givesWay]);
  });
}

const logFile = "./objs/srs.log";
const logs: [text: string, file: string | null, level: string][] = [
  ["", logFile, "info"],
  ["srs_log_tank file;", logFile, "info"],
  ["srs_log_tank console; srs_log_file a.log;", null, "info"],
  ["srs_log_file a.log;", "a.log", "info"],
  ["srs_log_tank disk;", logFile, "info"],
  ["srs_log_tank;", logFile, "info"],
  ["in_docker on;", null, "info"],
  ["in_docker on; srs_log_file a.log;", null, "info"],
  ["in_docker on; srs_log_tank file;", logFile, "info"],
  ["srs_log_level verbose;", logFile, "trace"],
  ["srs_log_level info;", logFile, "debug"],
  ["srs_log_level trace;", logFile, "info"],
  ["srs_log_level warn;", logFile, "warn"],
  ["srs_log_level error;", logFile, "error"],
  ["srs_log_level loud;", logFile, "silent"],
  ["srs_log_level error; srs_log_level_v2 debug;", logFile, "debug"],
  ["srs_log_level_v2 trace;", logFile, "trace"],
  ["srs_log_level_v2 loud;", logFile, "silent"],
];

for (const [text, file, level] of logs) {
  test(`load: ${text || "nothing"} logs ${level} to ${file ?? "the console"}`, () => {
    assert.deepEqual(config(`listen 1935; vhost a { } ${text}`).log, { ...quiet.log, file, level });
  });
}

for (const [text, file] of [
  ["", null],
  ["srs_log_file a.log;", null],
  ["srs_log_tank file;", logFile],
] as const) {
  test(`load: in a container ${text || "nothing"} logs to ${file ?? "the console"}`, () => {
    const loaded = loadConfig({ file: "f", text: `listen 1935; vhost a { } ${text}`, isContainer: true });
    assert.equal(loaded.config?.log.file, file);
  });
}

for (const [text, file] of [
  ["", "./objs/srs.pid"],
  ["pid a.pid;", "a.pid"],
  ["pid off;", null],
] as const) {
  test(`load: ${text || "nothing"} has ${file ?? "no"} pid file`, () => {
    assert.equal(config(`listen 1935; vhost a { } ${text}`).pidFile, file);
  });
}

test("load: of repeated directives, blocks and vhosts the first counts", () => {
  const { vhosts } = config(
    "listen 1935; vhost a { chunk_size 200; chunk_size 300; play { mw_latency 1; } play { mw_latency 2; } } vhost a { }",
  );
  assert.deepEqual(
    vhosts.map((entry) => [entry.name, entry.chunkSize, entry.play.mwLatencyMs]),
    [["a", 200, 1]],
  );
});

test("load: hooks that are off call nobody, and each has the URLs that are written", () => {
  const block = "on_play http://a/ http://b/; on_close http://c/;";
  assert.deepEqual(vhost(`http_hooks { ${block} }`).hooks, noHooks);
  assert.deepEqual(vhost(`http_hooks { enabled on; ${block} }`).hooks, {
    ...noHooks,
    on_play: ["http://a/", "http://b/"],
    on_close: ["http://c/"],
  });
});

test("load: old spellings have the effect of today's", () => {
  const old = vhost("mode remote; origin b:1; gop_cache off; forward c:2; publish_normal_timeout 7;");
  assert.deepEqual(old.cluster.origins, [{ host: "b", port: 1 }]);
  assert.equal(old.play.gopCache, false);
  assert.deepEqual(old.forward, { enabled: true, destinations: [{ host: "c", port: 2 }], backend: null });
  assert.equal(old.publish.normalTimeoutMs, 7);
});

test("load: an edge may ask the site's registry for its origins, where there is one", () => {
  const site = "dolphin { registry redis://r; registry_advertise a; }";
  const edge = "cluster { mode remote; origin registry; }";
  const { cluster, enabled } = config(`listen 1; ${site} vhost __defaultVhost__ { ${edge} }`).vhosts[0]!;
  assert.deepEqual([cluster.findsOrigin, cluster.origins, enabled], [true, [], true]);
  assert.equal(loadConfig({ file: "f", text: `listen 1; vhost __defaultVhost__ { ${edge} }` }).config, null);
  assert.equal(vhost("cluster { mode remote; origin registry:1935; }").cluster.findsOrigin, false);
});

test("load: a remote vhost without an origin is switched off", () => {
  assert.equal(vhost("cluster { mode remote; }").enabled, false);
});

test("load: the configuration is plain data and frozen all the way down", () => {
  const read = config("listen 1935; vhost a { cluster { origin b; } }");
  assert.deepEqual(JSON.parse(JSON.stringify(read)), read);
  const isFrozen = (value: unknown): boolean =>
    typeof value !== "object" || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozen));
  assert.ok(isFrozen(read));
});

test("load: the file and what it includes come from the reader", () => {
  const texts: Record<string, string> = { "a.conf": "listen 1935;\ninclude b.conf;", "b.conf": "vhost b {\n gop_cach on; }" };
  const { problems } = loadConfig({ file: "a.conf", read: (path) => texts[path] ?? "" });
  assert.deepEqual(problems.map(formatProblem), [
    `b.conf:2:2: CONF_UNKNOWN: "gop_cach" is not known in vhost: is "gop_cache" of vhost.play meant?`,
  ]);
});

test("load: relative paths begin at the folder that is named", () => {
  const texts: Record<string, string> = { "/old/a.conf": "listen 1935; include sub/b.conf /etc/c.conf;", "/old/sub/b.conf": "vhost b { }" };
  const { config: read, problems } = loadConfig({
    file: "a.conf",
    cwd: "/old",
    read: (path) => texts[path] ?? (path === "/etc/c.conf" ? "foo;" : ""),
  });
  assert.equal(read, null);
  assert.deepEqual(
    problems.map(({ file, code }) => [file, code]),
    [["/etc/c.conf", "CONF_UNKNOWN"]],
  );
});

test("load: a file that is not there is a problem", () => {
  const { config: none, problems } = loadConfig({ file: "/nonexistent/a.conf" });
  assert.equal(none, null);
  assert.match(problems.map(formatProblem).join("\n"), /^\/nonexistent\/a\.conf:1:1: CONF_FILE: cannot read the file: ENOENT/);
});

test("load: an empty file is refused", () => {
  assert.deepEqual(loadConfig({ file: "f", text: "" }).problems.map(formatProblem), ["f:1:1: CONF_SYNTAX: the file is empty"]);
});

for (const name of readdirSync(folder).filter((entry) => entry.endsWith(".conf"))) {
  test(`load: conf/${name} is accepted`, () => {
    const path = new URL(name, folder);
    const { config: read, problems } = loadConfig({ file: path.pathname });
    assert.ok(read, problems.map(formatProblem).join("\n"));
    assert.equal(
      problems.some((problem) => problem.code === "CONF_VALUE"),
      false,
    );
  });
}

const examples = [
  ...readFileSync(new URL("../test/fixtures/srs-examples.md", folder), "utf8").matchAll(/^## (.+)$[^`]*^```\n([^`]+)^```$/gm),
];
assert.equal(examples.length, 10);
for (const [, name = "", example = ""] of examples) {
  test(`load: conf/${name} means what the example of SRS's documents means`, () => {
    const ours = loadConfig({ file: new URL(name, folder).pathname });
    const theirs = loadConfig({ file: "example", text: example.includes("listen") ? example : `listen 1935; ${example}` });
    assert.ok(theirs.config, theirs.problems.map(formatProblem).join("\n"));
    assert.deepEqual(changesBetween(theirs.directives, ours.directives), []);
  });
}

const noise = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.uint8Array().map((bytes) => Buffer.from(bytes).toString("latin1")),
  fc
    .array(fc.constantFrom("listen", "vhost", "play", "include", "1935", "on", " ", "\n", ";", "{", "}", "#", '"', "'", "dolphin", "mr"))
    .map((words) => words.join(" ")),
);

test("load: any text gives a configuration or problems, and never throws", () => {
  fc.assert(
    fc.property(noise, (text) => {
      const { config: read, problems } = loadConfig({ file: "f", text, read: () => text });
      assert.equal(
        read === null,
        problems.some((problem) => problem.severity === "error"),
      );
    }),
    { numRuns: 2000 },
  );
});
