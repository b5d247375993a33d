import assert from "node:assert/strict";
import { test } from "node:test";
import { changesBetween } from "../../../../src/conf/meaning/changes.js";
import type { Config } from "../../../../src/conf/meaning/config.js";
import { directiveRows } from "../../../../src/conf/directives/table.js";
import { applyEnvironment, type Environment } from "../../../../src/conf/directives/environment.js";
import { loadConfig } from "../../../../src/conf/load.js";
import { parse } from "../../../../src/conf/grammar/parser.js";
import { formatProblem } from "../../../../src/conf/grammar/problem.js";
import { formatDirectives } from "../../../../src/conf/grammar/write.js";
import { anotherValue, fileWith } from "../meaning/another-value.js";

function apply(text: string, env: Environment): string {
  const { directives } = applyEnvironment(parse(text, "f", () => "").directives, env);
  return formatDirectives(directives).replaceAll(/\s+/g, " ").trim();
}

function load(text: string, env: Environment): { config: Config | null; told: string[] } {
  const { config, problems } = loadConfig({ file: "f", text, env });
  return { config, told: problems.map(formatProblem) };
}

const rows: [sentence: string, text: string, env: Environment, expected: string][] = [
  ["a variable wins over the file", "listen 1935;", { SRS_LISTEN: "1936" }, "listen 1936;"],
  ["a variable of a list holds several words", "listen 1935;", { SRS_LISTEN: " 1936  [::1]:1937 " }, "listen 1936 [::1]:1937;"],
  ["an empty variable is none", "listen 1935;", { SRS_LISTEN: "" }, "listen 1935;"],
  ["a variable that is undefined is none", "listen 1935;", { SRS_LISTEN: undefined }, "listen 1935;"],
  ["what is missing is added", "listen 1935;", { SRS_MAX_CONNECTIONS: "9" }, "listen 1935; max_connections 9;"],
  ["repetitions go", "pid a; listen 1; pid b;", { SRS_PID: "c" }, "pid c; listen 1;"],
  ["a value of one argument stays one", "listen 1;", { SRS_PID: "my file" }, 'listen 1; pid "my file";'],
  ["a block is made where it is missing", "listen 1;", { SRS_HTTP_SERVER_HTTPS_KEY: "k" }, "listen 1; http_server { https { key k; } }"],
  [
    "of several blocks the first counts",
    "http_server { listen 1; } http_server { listen 2; }",
    { SRS_HTTP_SERVER_LISTEN: "3" },
    "http_server { listen 3; } http_server { listen 2; }",
  ],
  [
    "a variable of a vhost is for every vhost",
    "vhost a { play { gop_cache on; } } vhost b { } vhost c;",
    { SRS_VHOST_PLAY_GOP_CACHE: "off" },
    "vhost a { play { gop_cache off; } } vhost b { play { gop_cache off; } } vhost c { play { gop_cache off; } }",
  ],
  ["without a vhost there is nothing to attach to", "listen 1;", { SRS_VHOST_CHUNK_SIZE: "128" }, "listen 1;"],
  [
    "hooks are lists",
    "vhost a { }",
    { SRS_VHOST_HTTP_HOOKS_ON_PLAY: "http://a/ http://b/" },
    "vhost a { http_hooks { on_play http://a/ http://b/; } }",
  ],
  ["the log has a short spelling", "listen 1;", { SRS_LOG_TANK: "console" }, "listen 1; srs_log_tank console;"],
  ["the log has a long spelling", "listen 1;", { SRS_SRS_LOG_LEVEL_V2: "warn" }, "listen 1; srs_log_level_v2 warn;"],
  ["of both spellings the long one wins", "listen 1;", { SRS_LOG_FILE: "short", SRS_SRS_LOG_FILE: "long" }, "listen 1; srs_log_file long;"],
  ["our own block follows the rule", "listen 1;", { SRS_DOLPHIN_CORES: "3" }, "listen 1; dolphin { cores 3; }"],
  [
    "words are apart by spaces in our own lists too",
    "",
    { SRS_DOLPHIN_SERVER: "srs -p {rtmp_port}" },
    'dolphin { server srs -p "{rtmp_port}"; }',
  ],
  ["what SRS has no variable for has none", "vhost a { }", { SRS_VHOST_CLUSTER_MODE: "remote" }, "vhost a { }"],
];

for (const [sentence, text, env, expected] of rows) {
  test(`environment: ${sentence}`, () => assert.equal(apply(text, env), expected));
}

test("environment: the tree that is passed in is not changed", () => {
  const { directives } = parse("listen 1; vhost a { }", "f", () => "");
  const before = structuredClone(directives);
  applyEnvironment(directives, { SRS_LISTEN: "2", SRS_VHOST_CHUNK_SIZE: "128" });
  assert.deepEqual(directives, before);
});

/** The list of SRS, literally, but for single names of the log, which are in the rows above. */
const withoutVariable: [place: string, names: string | null][] = [
  ["vhost.cluster", null],
  ["vhost.forward", "destination"],
  ["vhost.refer", null],
  ["vhost.security", null],
  ["stats", null],
  ["vhost.ingest", null],
  ["vhost.ingest.input", null],
  ["vhost.transcode", null],
  ["vhost.transcode.engine", null],
  ["vhost.exec", null],
  ["stream_caster", null],
  ["vhost.dvr", "dvr_apply"],
  ["vhost", "enabled"],
  ["root", "is_full"],
];

test("environment: every value has a variable, but those that have none in SRS", () => {
  for (const { place, name, type, variables } of directiveRows) {
    const isWithout = withoutVariable.some(([where, names]) => where === place && (names === null || names.split(" ").includes(name)));
    const isFree = type.kind !== "block" && !isWithout;
    const expected = `SRS_${place === "root" ? "" : `${place.replaceAll(".", "_").toUpperCase()}_`}${name.toUpperCase()}`;
    assert.deepEqual(variables.slice(0, 1), isFree ? [expected] : [], `${place} ${name}`);
  }
  const names = directiveRows.flatMap(({ variables }) => variables);
  assert.equal(new Set(names).size, names.length, "no variable stands for two directives");
});

for (const row of directiveRows) {
  for (const variable of row.variables) {
    test(`environment: ${variable} does what ${row.name} in ${row.place} does`, () => {
      const value = anotherValue(row);
      const [written, bare] = [fileWith(row, value), fileWith(row, null)];
      const inFile = loadConfig({ file: "f", text: written });
      const inEnvironment = loadConfig({ file: "f", text: bare, env: { [variable]: value } });
      assert.deepEqual(inEnvironment.config, inFile.config);
      assert.deepEqual(changesBetween(inFile.directives, inEnvironment.directives), []);
      assert.notDeepEqual(changesBetween(parse(bare, "f", () => "").directives, inEnvironment.directives), []);
    });
  }
}

/** Every variable of SRS 7, by what stands before the names. */
const ofSrs: [prefix: string, names: string][] = [
  ["", "LISTEN PID WORK_DIR ASPROCESS SERVER_ID DAEMON IN_DOCKER MAX_CONNECTIONS PITHY_PRINT_MS UTC_TIME TCMALLOC_RELEASE_RATE"],
  ["", "QUERY_LATEST_VERSION FIRST_WAIT_FOR_QLV EMPTY_IP_OK GRACE_START_WAIT GRACE_FINAL_WAIT FORCE_GRACE_QUIT"],
  ["", "DISABLE_DAEMON_FOR_DOCKER INOTIFY_AUTO_RELOAD AUTO_RELOAD_FOR_DOCKER FF_LOG_DIR FF_LOG_LEVEL CONFIG_FILE ENV_ONLY"],
  ["", "LOG_TANK LOG_LEVEL LOG_LEVEL_V2 LOG_FILE SRS_LOG_TANK SRS_LOG_LEVEL SRS_LOG_LEVEL_V2 SRS_LOG_FILE"],
  ["THREADS_", "INTERVAL"],
  ["CIRCUIT_BREAKER_", "ENABLED HIGH_THRESHOLD HIGH_PULSE CRITICAL_THRESHOLD CRITICAL_PULSE DYING_THRESHOLD DYING_PULSE"],
  ["TENCENTCLOUD_CLS_", "ENABLED LABEL TAG SECRET_ID SECRET_KEY ENDPOINT TOPIC_ID DEBUG_LOGGING STAT_HEARTBEAT STAT_STREAMS"],
  ["TENCENTCLOUD_APM_", "ENABLED TEAM TOKEN ENDPOINT SERVICE_NAME DEBUG_LOGGING"],
  ["EXPORTER_", "ENABLED LISTEN LABEL TAG"],
  ["HEARTBEAT_", "ENABLED INTERVAL URL DEVICE_ID SUMMARIES PORTS"],
  ["HTTP_API_", "ENABLED LISTEN CROSSDOMAIN RAW_API_ENABLED RAW_API_ALLOW_RELOAD AUTH_ENABLED AUTH_USERNAME AUTH_PASSWORD"],
  ["HTTP_API_HTTPS_", "ENABLED LISTEN KEY CERT"],
  ["HTTP_SERVER_", "ENABLED LISTEN DIR CROSSDOMAIN HTTPS_ENABLED HTTPS_LISTEN HTTPS_KEY HTTPS_CERT"],
  ["RTC_SERVER_", "ENABLED LISTEN CANDIDATE API_AS_CANDIDATES RESOLVE_API_DOMAIN KEEP_API_DOMAIN USE_AUTO_DETECT_NETWORK_IP"],
  ["RTC_SERVER_", "TCP_ENABLED TCP_LISTEN PROTOCOL IP_FAMILY ECDSA ENCRYPT REUSEPORT MERGE_NALUS BLACK_HOLE_ENABLED BLACK_HOLE_ADDR"],
  ["SRT_SERVER_", "ENABLED LISTEN MAXBW MSS TSBPDMODE LATENCY RECVLATENCY PEERLATENCY TLPKTDROP CONNECT_TIMEOUT PEER_IDLE_TIMEOUT"],
  ["SRT_SERVER_", "SENDBUF RECVBUF PAYLOADSIZE PASSPHRASE PBKEYLEN DEFAULT_APP DEFAULT_STREAMID SEI_FILTER"],
  ["VHOST_", "CHUNK_SIZE MIN_LATENCY TCP_NODELAY IN_ACK_SIZE OUT_ACK_SIZE FORWARD_ENABLED FORWARD_BACKEND"],
  ["VHOST_PUBLISH_", "MR MR_LATENCY FIRSTPKT_TIMEOUT NORMAL_TIMEOUT PARSE_SPS TRY_ANNEXB_FIRST KICKOFF_FOR_IDLE"],
  ["VHOST_PLAY_", "TIME_JITTER MIX_CORRECT ATC ATC_AUTO MW_LATENCY MW_MSGS GOP_CACHE GOP_CACHE_MAX_FRAMES QUEUE_LENGTH"],
  ["VHOST_PLAY_", "SEND_MIN_INTERVAL REDUCE_SEQUENCE_HEADER"],
  ["VHOST_HTTP_REMUX_", "ENABLED MOUNT FAST_CACHE DROP_IF_NOT_MATCH HAS_AUDIO HAS_VIDEO GUESS_HAS_AV"],
  ["VHOST_HTTP_STATIC_", "ENABLED MOUNT DIR"],
  ["VHOST_HTTP_HOOKS_", "ENABLED ON_CONNECT ON_CLOSE ON_PUBLISH ON_UNPUBLISH ON_PLAY ON_STOP ON_DVR ON_HLS ON_HLS_NOTIFY"],
  ["VHOST_HLS_", "ENABLED HLS_ENTRY_PREFIX HLS_PATH HLS_FRAGMENT HLS_WINDOW HLS_ON_ERROR HLS_TD_RATIO HLS_AOF_RATIO HLS_M3U8_FILE"],
  ["VHOST_HLS_", "HLS_TS_FILE HLS_TS_FLOOR HLS_CLEANUP HLS_NB_NOTIFY HLS_WAIT_KEYFRAME HLS_DISPOSE HLS_KEYS HLS_FRAGMENTS_PER_KEY"],
  ["VHOST_HLS_", "HLS_KEY_FILE HLS_KEY_FILE_PATH HLS_KEY_URL HLS_DTS_DIRECTLY HLS_CTX HLS_TS_CTX HLS_ACODEC HLS_VCODEC"],
  [
    "VHOST_DASH_",
    "ENABLED DASH_FRAGMENT DASH_UPDATE_PERIOD DASH_TIMESHIFT DASH_PATH DASH_MPD_FILE DASH_WINDOW_SIZE DASH_CLEANUP DASH_DISPOSE",
  ],
  ["VHOST_HDS_", "ENABLED HDS_PATH HDS_FRAGMENT HDS_WINDOW"],
  ["VHOST_DVR_", "ENABLED DVR_PATH DVR_PLAN DVR_DURATION DVR_WAIT_KEYFRAME TIME_JITTER"],
  ["VHOST_RTC_", "ENABLED KEEP_BFRAME KEEP_AVC_NALU_SEI RTMP_TO_RTC STUN_TIMEOUT STUN_STRICT_CHECK DTLS_ROLE DTLS_VERSION DROP_FOR_PT"],
  ["VHOST_RTC_", "RTC_TO_RTMP PLI_FOR_RTMP NACK NACK_NO_COPY TWCC OPUS_BITRATE AAC_BITRATE"],
  ["VHOST_SRT_", "ENABLED SRT_TO_RTMP TO_RTMP"],
];

for (const [prefix, names] of ofSrs) {
  test(`environment: none of the variables of SRS is complained of: SRS_${prefix}… ${names}`, () => {
    const env = Object.fromEntries(names.split(" ").map((name) => [`SRS_${prefix}${name}`, "1935"]));
    const told = loadConfig({ file: "f", text: "listen 1935; vhost a { }", env }).problems.filter(({ code }) => code === "CONF_UNKNOWN");
    assert.deepEqual(told.map(formatProblem), []);
  });
}

test("environment: SRS_SERVER_ID names the server", () => {
  assert.equal(load(smallest, { SRS_SERVER_ID: "vid-mine" }).config?.serverId, "vid-mine");
});

const smallest = "listen 1935; vhost a { } vhost b { }";

const told: [env: Environment, lines: string[]][] = [
  [
    { SRS_LISTEN: "abc" },
    ['$SRS_LISTEN: CONF_VALUE: listen: "abc" is not an address to listen on: write 1935, 10.0.0.1:1935 or [::1]:1935'],
  ],
  [
    { SRS_VHOST_PLAY_GOP_CACHE: "yes", SRS_VHOST_CHUNK_SIZE: "1" },
    [
      '$SRS_VHOST_CHUNK_SIZE: CONF_VALUE: chunk_size: "1" is not a whole number of bytes from 128 to 65536; 128 is used',
      '$SRS_VHOST_PLAY_GOP_CACHE: CONF_VALUE: gop_cache: "yes" is neither on nor off; on is used',
    ],
  ],
  [{ SRS_VHOST_DASH_ENABLED: "on" }, ["$SRS_VHOST_DASH_ENABLED: CONF_NOT_SERVED: dash is known but not served yet: it has no effect"]],
  [{ SRS_LISTN: "1936" }, ["$SRS_LISTN: CONF_UNKNOWN: there is no such variable: is SRS_LISTEN meant?"]],
  [
    { SRS_VHOST_GOP_CACHE: "off", SRS_VHOST_PLAY_GOPCACHE: "off" },
    ["$SRS_VHOST_PLAY_GOPCACHE: CONF_UNKNOWN: there is no such variable: is SRS_VHOST_PLAY_GOP_CACHE meant?"],
  ],
  [
    { SRS_VHOST_CLUSTER_MODE: "remote" },
    ["$SRS_VHOST_CLUSTER_MODE: CONF_UNKNOWN: no variable overrides vhost.cluster.mode, as in SRS; write it in a file"],
  ],
];

for (const [env, lines] of told) {
  test(`environment: ${JSON.stringify(env)} is told of`, () => assert.deepEqual(load(smallest, env).told, lines));
}

test("environment: a value that a variable replaces is not looked at", () => {
  assert.deepEqual(load("listen abc; vhost a { }", { SRS_LISTEN: "1935" }).told, []);
});

test("environment: what others set is not told of", () => {
  const env = {
    SRS_SERVICE_HOST: "10.0.0.1",
    SRS_SERVICE_PORT: "1935",
    SRS_SERVICE_PORT_HTTP: "8080",
    SRS_PORT: "tcp://10.0.0.1:1935",
    SRS_PORT_1935_TCP: "tcp://10.0.0.1:1935",
    SRS_PORT_1935_TCP_ADDR: "10.0.0.1",
    SRS_PORT_1935_TCP_PORT: "1935",
    SRS_PORT_1935_TCP_PROTO: "tcp",
    SRS_API_SERVICE_HOST: "10.0.0.2",
    SRS_HTTP_API_PORT: "tcp://10.0.0.2:1985",
    SRS_HTTP_SERVER_SERVICE_HOST: "10.0.0.3",
    SRS_RTC_SERVER_LISTEN: "8000",
    SRS_VHOST_RTC_NACK: "on",
    SRS_HOME: "/usr/local/srs",
    SRS_VERSION: "7",
    SRS_CONFIG_FILE: "f",
    SRS_ENV_ONLY: "on",
    srs_listen: "1",
    PATH: "/bin",
  };
  const { config, told: lines } = load(smallest, env);
  assert.deepEqual(lines, []);
  assert.deepEqual(config, load(smallest, {}).config);
});

test("environment: with -e there is one vhost, in the foreground, and no file is read", () => {
  const { config, problems } = loadConfig({
    file: "/nonexistent",
    isEnvOnly: true,
    env: { SRS_LISTEN: "1936", SRS_VHOST_HTTP_REMUX_ENABLED: "on", SRS_HTTP_SERVER_ENABLED: "on" },
  });
  assert.deepEqual(problems, []);
  assert.ok(config);
  assert.deepEqual(config.listen, [{ host: "0.0.0.0", port: 1936 }]);
  assert.deepEqual([config.file, config.daemon, config.log.file, config.http?.listen[0]?.port], [null, false, null, 8080]);
  assert.deepEqual(
    config.vhosts.map(({ name, httpRemux }) => [name, httpRemux.enabled]),
    [["__defaultVhost__", true]],
  );
});

test("environment: with -e and nothing set RTMP is served on its port", () => {
  const { config, problems } = loadConfig({ file: null, isEnvOnly: true });
  assert.deepEqual(problems, []);
  assert.deepEqual(config?.listen, [{ host: "0.0.0.0", port: 1935 }]);
});

test("environment: with -e the variables of daemon and log win", () => {
  const env = { SRS_DAEMON: "on", SRS_LOG_TANK: "file", SRS_SRS_LOG_FILE: "a.log" };
  const { config } = loadConfig({ file: null, isEnvOnly: true, env });
  assert.deepEqual([config?.daemon, config?.log.file], [true, "a.log"]);
});

test("environment: the built-in configuration is overridden too", () => {
  const { config, problems } = loadConfig({ file: null, env: { SRS_LISTEN: "1936", SRS_DOLPHIN_CORES: "2" } });
  assert.deepEqual(problems, []);
  assert.deepEqual([config?.listen[0]?.port, config?.dolphin.cores, config?.http?.listen[0]?.port], [1936, 2, 8080]);
});
