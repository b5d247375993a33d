// What SRS 7 accepts and what it refuses: whole files, each with the place and the code of what is wrong. The grammar first,
// then the rules beyond names, then the older spellings, then the examples of SRS's own documents.
import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../src/conf/load.js";
import type { Problem } from "../../../src/conf/grammar/problem.js";

const included: Readonly<Record<string, string>> = {
  "vhosts.conf": "vhost b.com { include play.conf; }\n",
  "play.conf": "play { gop_cache off; }\n",
  "listen.conf": "listen 1935;\n",
  "wrong.conf": "\n  gop_cach on;\n",
  "open.conf": "play {\n",
};

function read(path: string): string {
  const text = included[path];
  if (text === undefined) throw new Error("no such file");
  return text;
}

const load = (text: string): { isAccepted: boolean; problems: readonly Problem[] } => {
  // What dolphin itself serves of it is another matter.
  const { config, problems } = loadConfig({ file: "f", text, read, flags: { server: "srs" } });
  return { isAccepted: config !== null, problems };
};
const placesOf = (problems: readonly Problem[]): string[] =>
  problems.map(({ file, line, column, code }) => `${file === "f" ? "" : `${file}:`}${line}:${column} ${code}`);

/** Every line of a text that stands in a file that is right. */
const inVhost = (text: string): string => `listen 1935;\nvhost a {\n${text}\n}\n`;
const atRoot = (text: string): string => `listen 1935;\nvhost a { }\n${text}\n`;

const accepted: [sentence: string, text: string, warnings: string[]][] = [
  ["the smallest file", "listen 1935; vhost __defaultVhost__ { }", []],
  ["one that is a single line without spaces", "listen 1935;vhost a{play{gop_cache on;}}", []],
  ["CR LF and tabs", "listen\t1935;\r\nvhost a {\r\n\tplay { }\r\n}\r\n", []],
  ["comments at the start of a token", "#one\nlisten 1935; # two\nvhost a { #three\n} #four", []],
  ["# inside a token", inVhost("http_hooks { on_play http://a/#x; }"), []],
  ["a word in double quotes", atRoot('pid "my file.pid";'), []],
  ["a word in single quotes", atRoot("pid 'my \"file\".pid';"), []],
  ["a quoted word before ; and {", "listen '1935'; vhost \"a\"{ }", []],
  ["a quoted empty word, which is no argument", atRoot('pid "";'), ["3:1 CONF_ARGUMENTS"]],
  ["the other signs in words", inVhost("http_remux { mount [vhost]/[app]/[stream].flv?a=b&c=*,:; }"), []],
  ["a vhost without a name", "listen 1935; vhost { }", []],
  ["two vhosts of one name", "listen 1935; vhost a { }\nvhost a { }", ["2:1 CONF_DUPLICATE"]],
  ["a directive twice", atRoot("pid a;\npid b;"), ["4:1 CONF_DUPLICATE"]],
  ["a value without an argument", atRoot("pid;"), ["3:1 CONF_ARGUMENTS"]],
  ["an include at the root, in a block, and in what is included", "include listen.conf vhosts.conf; vhost a { include play.conf; }", []],
  ["any word but off for what is on by default", inVhost("play { gop_cache x; }"), ["3:8 CONF_VALUE"]],
  ["any word but on for what is off by default", inVhost("play { atc x; }"), ["3:8 CONF_VALUE"]],
  ["a number that is none", inVhost("play { mw_latency x; }"), ["3:8 CONF_VALUE"]],
  ["addresses of all forms", "listen 1935 127.0.0.1:1936 [::1]:1937; vhost a { }", []],

  ["max_connections of 1", atRoot("max_connections 1;"), []],
  ["a chunk size out of its range", atRoot("chunk_size 100;"), ["3:1 CONF_VALUE"]],
  ["API and HTTP server on one port", atRoot("http_api { enabled on; listen 8080; } http_server { enabled on; }"), []],
  [
    "API and HTTP server on one port, and one port of TLS",
    atRoot(
      "http_api { enabled on; listen 8080; https { enabled on; listen 8088; } }\nhttp_server { enabled on;\nhttps { enabled on; listen 8088; } }",
    ),
    [],
  ],
  ["HLS beside a .flv mount", inVhost("hls { enabled on; } http_remux { enabled on; mount x.flv; }"), []],
  ["forward with kickoff_for_idle 0", inVhost("forward { enabled on; destination b; } publish { kickoff_for_idle 0; }"), []],
  ["a forward that is off with kickoff_for_idle", inVhost("forward { enabled off; destination b; }"), []],
  ["one name of an ingest in two vhosts", "listen 1; vhost a { ingest x { } } vhost b { ingest x { } }", []],
  ["asprocess without a daemon", atRoot("asprocess on; daemon off;"), []],
  ["is_full off", atRoot("is_full off;"), []],

  ["http_stream", atRoot("http_stream { enabled on; }"), ["3:1 CONF_RENAMED"]],
  ["http of a vhost", inVhost("http { enabled off; }"), ["3:1 CONF_RENAMED"]],
  ["hstrs, without a word", inVhost("http_remux { enabled on; hstrs on; }"), []],
  [
    "refer by domains",
    inVhost("refer a.com b.com; refer_play c.com;\nrefer_publish d.com;"),
    ["3:1 CONF_RENAMED", "3:20 CONF_RENAMED", "4:1 CONF_RENAMED"],
  ],
  ["mr", inVhost("mr { enabled on; latency 500; }"), ["3:6 CONF_RENAMED", "3:18 CONF_RENAMED"]],
  [
    "the timeouts of a publisher",
    inVhost("publish_1stpkt_timeout 1;\npublish_normal_timeout 2;"),
    ["3:1 CONF_RENAMED", "4:1 CONF_RENAMED"],
  ],
  [
    "everything of play at the vhost",
    inVhost(
      "time_jitter full;\nmix_correct off;\natc off;\natc_auto off;\nmw_latency 350;\ngop_cache on;\ngop_cache_max_frames 1;\nqueue_length 10;\nsend_min_interval 0;\nreduce_sequence_header on;",
    ),
    ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12"].map((line) => `${line}:1 CONF_RENAMED`),
  ],
  ["forward by servers", inVhost("forward b c:1936;"), ["3:1 CONF_RENAMED"]],
  [
    "everything of cluster at the vhost",
    inVhost("mode remote;\norigin b;\ntoken_traverse off;\nvhost c;\ndebug_srs_upnode off;"),
    ["3", "4", "5", "6", "7"].map((line) => `${line}:1 CONF_RENAMED`),
  ],
  ["nack and twcc", inVhost("nack on;\ntwcc on;"), ["3:1 CONF_RENAMED", "4:1 CONF_RENAMED"]],

  [
    "the edge of SRS's cluster document",
    "listen 1935;\nvhost __defaultVhost__ {\n    mode            remote;\n    origin          127.0.0.1:1935 localhost:1935;\n}",
    ["3:5 CONF_RENAMED", "4:5 CONF_RENAMED"],
  ],
  [
    "the forward of SRS's document",
    "listen 1935;\nmax_connections 10240;\nvhost __defaultVhost__ {\n    gop_cache       on;\n    forward         192.168.1.6:1935 192.168.1.6:1936 192.168.1.7:1935 192.168.1.7:1936;\n}",
    ["4:5 CONF_RENAMED", "5:5 CONF_RENAMED"],
  ],
  [
    "the HTTP-FLV cluster of SRS's document",
    "listen 1935;\nmax_connections 1000;\ndaemon off;\nsrs_log_tank console;\nhttp_server {\n    enabled on;\n    listen 8080;\n}\nvhost __defaultVhost__ {\n    http_remux {\n        enabled on;\n        mount [vhost]/[app]/[stream].flv;\n        hstrs on;\n    }\n}",
    [],
  ],
  [
    "the low latency of SRS's document",
    "listen 1935;\nvhost __defaultVhost__ {\n    tcp_nodelay on;\n    min_latency on;\n    play {\n        gop_cache off;\n        queue_length 10;\n        mw_latency 100;\n    }\n    publish {\n        mr off;\n    }\n}",
    [],
  ],
];

const refused: [sentence: string, text: string, errors: string[]][] = [
  ["an empty file", "", ["1:1 CONF_SYNTAX"]],
  ["a file of comments", "# one\n# two\n", ["1:1 CONF_SYNTAX"]],
  ["a directive that does not end on its line", "listen\n1935;", ["1:1 CONF_SYNTAX"]],
  ["a list that is wrapped", inVhost("http_hooks { on_play http://a/\nhttp://b/; }"), ["3:22 CONF_SYNTAX"]],
  ["a brace on a line of its own", "listen 1935;\nvhost a.com\n{ }", ["2:7 CONF_SYNTAX"]],
  ["a comment before the end of a directive", "listen 1935 # x\n;\nvhost a { }", ["1:8 CONF_SYNTAX"]],
  ["a ; after a }", "listen 1935;\nvhost a { };", ["2:12 CONF_SYNTAX"]],
  ["a file that ends in a block", "listen 1935;\nvhost a {\n  play {\n  }\n", ["2:1 CONF_SYNTAX"]],
  ["a file that ends in a directive", "vhost a { }\nlisten 1935", ["2:8 CONF_SYNTAX"]],
  ["a } too many", "listen 1935;\nvhost a { } }", ["2:13 CONF_SYNTAX"]],
  ["a block without a name", "listen 1935;\n{ }", ["2:1 CONF_SYNTAX"]],
  ["a word right after a quoted one", 'listen "1935"x;\nvhost a { }', ["1:14 CONF_SYNTAX"]],
  ["a quote that is never closed", 'listen 1935;\nvhost "a { }\n', ["2:7 CONF_SYNTAX"]],
  ["a quoted word of two lines", atRoot('pid "a\nb";'), ["3:5 CONF_SYNTAX"]],
  ["an include that is not there", "listen 1935;\ninclude gone.conf;", ["2:9 CONF_FILE"]],
  ["an include without a path", "listen 1935;\ninclude;", ["2:1 CONF_ARGUMENTS"]],
  ["what is wrong in an included file", "listen 1935;\nvhost a { include wrong.conf; }", ["wrong.conf:2:3 CONF_UNKNOWN"]],
  ["an included file that ends in a block", "listen 1935;\nvhost a { include open.conf; }", ["open.conf:1:1 CONF_SYNTAX"]],

  ["no listen", "vhost a { }", ["1:1 CONF_ARGUMENTS"]],
  ["a listen without a valid port", "listen 0;\nvhost a { }", ["1:1 CONF_VALUE"]],
  ["a port that is too large", "listen 65536;\nvhost a { }", ["1:1 CONF_VALUE"]],
  ["max_connections 0", atRoot("max_connections 0;"), ["3:1 CONF_VALUE"]],
  ["max_connections below 0", atRoot("max_connections -1;"), ["3:1 CONF_VALUE"]],
  ["a heartbeat each 0 s", atRoot("heartbeat { interval 0; }"), ["3:13 CONF_VALUE"]],
  ["a network that cannot be an index", atRoot("stats { network -1; }"), ["3:9 CONF_VALUE"]],
  [
    "API and HTTP server on one port, with TLS in one",
    atRoot("http_server { enabled on; https { enabled on; } }\nhttp_api { enabled on; listen 8080; }"),
    ["4:1 CONF_VALUE"],
  ],
  [
    "API and HTTP server on one port, with two ports of TLS",
    atRoot("http_server { enabled on; https { enabled on; } }\nhttp_api { enabled on; listen 8080; https { enabled on; listen 1990; } }"),
    ["4:1 CONF_VALUE"],
  ],
  ["two http_remux", inVhost("http_remux { }\nhttp_remux { }"), ["4:1 CONF_DUPLICATE"]],
  ["HLS beside a .ts mount", inVhost("hls { enabled on; }\nhttp_remux { enabled on; mount x.ts; }"), ["4:1 CONF_VALUE"]],
  [
    "forward beside kickoff_for_idle",
    inVhost("forward { enabled on; destination b; }\npublish { kickoff_for_idle 1; }"),
    ["3:1 CONF_VALUE"],
  ],
  ["two ingests of one name", inVhost("ingest x { }\ningest x { }"), ["4:1 CONF_DUPLICATE"]],
  ["is_full on", atRoot("is_full on;"), ["3:1 CONF_VALUE"]],
  ["asprocess and a daemon", atRoot("asprocess on;\ndaemon on;"), ["3:1 CONF_VALUE"]],
  ["asprocess and the daemon that is one by default", atRoot("asprocess on;"), ["3:1 CONF_VALUE"]],

  ["an old spelling in another place", atRoot("gop_cache on;\nmode remote;"), ["3:1 CONF_PLACE", "4:1 CONF_PLACE"]],
  [
    "several errors, all of them",
    "lisen 1935;\nvhost a {\n  plya { }\n  play { foo; }\n}\n",
    ["1:1 CONF_UNKNOWN", "1:1 CONF_ARGUMENTS", "3:3 CONF_UNKNOWN", "4:10 CONF_UNKNOWN"],
  ],
];

for (const [sentence, text, warnings] of accepted) {
  test(`srs accepts ${sentence}`, () => {
    const { isAccepted, problems } = load(text);
    assert.ok(isAccepted, JSON.stringify(problems));
    assert.deepEqual(placesOf(problems), warnings);
  });
}

for (const [sentence, text, errors] of refused) {
  test(`srs refuses ${sentence}`, () => {
    const { isAccepted, problems } = load(text);
    assert.deepEqual(placesOf(problems.filter(({ severity }) => severity === "error")), errors);
    assert.ok(!isAccepted);
  });
}
