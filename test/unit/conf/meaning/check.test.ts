import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/conf/load.js";
import type { Problem } from "../../../../src/conf/grammar/problem.js";

const problemsOf = (text: string): readonly Problem[] => loadConfig({ file: "f", text }).problems;
const inVhost = (text: string): string => `listen 1935;\nvhost a { ${text} }`;

const unreadConsole =
  "CONF_VALUE console_on_http has no effect before servers of plan b that are not ours with routing connection: nobody reads there what is asked; write routing stream";

const refused: [sentence: string, text: string, expected: string][] = [
  ["a name that nobody knows", "listen 1935;\nvhost a { }\nfoobarbaz on;", "3:1 CONF_UNKNOWN"],
  ["a name that is known elsewhere", "listen 1935;\nvhost a { }\ngop_cache on;", "3:1 CONF_PLACE"],
  ["an unknown name in a block that is not served", inVhost("hls { hls_fragmnt 1; }"), "2:17 CONF_UNKNOWN"],
  ["an unknown name in a block that is switched off", inVhost("forward { enabled off; dest a; }"), "2:34 CONF_UNKNOWN"],
  ["an unknown name in a second vhost of one name", `${inVhost("")}\nvhost a { foo; }`, "3:11 CONF_UNKNOWN"],
  ["no listen", "vhost a { }", "1:1 CONF_ARGUMENTS"],
  ["a listen without a port", "\nlisten;\nvhost a { }", "2:1 CONF_ARGUMENTS"],
  ["a listen that is no port", "listen abc;\nvhost a { }", "1:1 CONF_VALUE"],
  ["one bad listen among good ones", "listen 1935 0;\nvhost a { }", "1:1 CONF_VALUE"],
  ["an address that is given twice", "listen 1935 1935;\nvhost a { }", "1:1 CONF_VALUE"],
  ["an address within another", "listen 127.0.0.1:1935 1935;\nvhost a { }", "1:1 CONF_VALUE"],
  ["an address that is none", "listen 256.1.1.1:1935;\nvhost a { }", "1:1 CONF_VALUE"],
  ["an HTTP address that is given twice", "listen 1935; http_server { enabled on; listen 8080 8080; }\nvhost a { }", "1:40 CONF_VALUE"],
  ["max_connections 0", "listen 1935; max_connections 0;\nvhost a { }", "1:14 CONF_VALUE"],
  ["max_connections that is no number", "listen 1935; max_connections many;\nvhost a { }", "1:14 CONF_VALUE"],
  ["two http_remux in a vhost", inVhost("http_remux { } http_remux { }"), "2:26 CONF_DUPLICATE"],
  ["the example of everything", "listen 1935; is_full on;\nvhost a { }", "1:14 CONF_VALUE"],
  ["asprocess for a daemon", "listen 1935; asprocess on;\nvhost a { }", "1:14 CONF_VALUE"],
  ["forward that drops idle publishers", inVhost("forward a; publish { kickoff_for_idle 1.5; }"), "2:11 CONF_VALUE"],
  [
    "HLS and .ts on one vhost",
    `${inVhost("hls { enabled on; } http_remux { enabled on; mount a.ts; }")} dolphin { unguarded on; }`,
    "2:31 CONF_VALUE",
  ],
  ["two ingests of one name", inVhost("ingest x { } ingest y { } ingest x { }"), "2:37 CONF_DUPLICATE"],
  ["a weight of nothing", "listen 1935; dolphin { server_weight 1 0; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a network with too many bits", "listen 1935; dolphin { trusted_proxies 10.0.0.0/33; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a network by name", "listen 1935; dolphin { trusted_proxies localhost; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a policy that is none", "listen 1935; dolphin { balance best; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a heartbeat without a pause", "listen 1935; heartbeat { interval 0; }\nvhost a { }", "1:26 CONF_VALUE"],
  ["a network with a negative index", "listen 1935; stats { network -1; }\nvhost a { }", "1:22 CONF_VALUE"],
  ["an HTTP server on no port", "listen 1935; http_server { enabled on; listen x; }\nvhost a { }", "1:40 CONF_VALUE"],
  [
    "a shared port with TLS on one side",
    "listen 1935; http_api { enabled on; listen 8080; https { enabled on; } } http_server { enabled on; }\nvhost a { }",
    "1:14 CONF_VALUE",
  ],
  ["a plan that does not exist", "listen 1935; dolphin { plan c; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["no cores", "listen 1935; dolphin { cores 0; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["cores that are no number", "listen 1935; dolphin { cores all; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a time of our own that is no number", "listen 1935; dolphin { stop_timeout soon; }\nvhost a { }", "1:24 CONF_VALUE"],
  ["a file without a directive", "# nothing\n", "1:1 CONF_SYNTAX"],
];

for (const [sentence, text, expected] of refused) {
  test(`check: refused is ${sentence}`, () => {
    const { config, problems } = loadConfig({ file: "f", text });
    const errors = problems.filter((problem) => problem.severity === "error");
    assert.deepEqual(
      errors.map(({ line, column, code }) => `${line}:${column} ${code}`),
      [expected],
    );
    assert.equal(config, null);
  });
}

const accepted: [sentence: string, text: string, warnings: string[]][] = [
  ["the smallest file", "listen 1935; vhost __defaultVhost__ { }", []],
  [
    "a file without a vhost",
    "listen 1935;",
    ["CONF_VALUE there is no vhost, so every client is refused: write vhost __defaultVhost__ { }"],
  ],
  ["the same port of two addresses", "listen 127.0.0.1:1935 127.0.0.2:1935 [::1]:1935; vhost a { }", []],
  ["a vhost without a name", "listen 1935; vhost { }", []],
  ["a vhost without braces", "listen 1935; vhost a;", ["CONF_ARGUMENTS vhost is a block but has no braces; it is taken as empty"]],
  ["a vhost of two names", "listen 1935; vhost a b { }", ['CONF_ARGUMENTS vhost takes one argument; "b" is ignored']],
  [
    "two vhosts of one name",
    "listen 1935; vhost a { } vhost a { }",
    ["CONF_DUPLICATE vhost a is given again; the first counts, in line 1"],
  ],
  [
    "a directive given twice",
    inVhost("chunk_size 128; chunk_size 256;"),
    ["CONF_DUPLICATE chunk_size is given again; the first counts, in line 2"],
  ],
  [
    "a block given twice",
    inVhost("play { } play { gop_cache maybe; }"),
    ["CONF_DUPLICATE play is given again; the first counts, in line 2"],
  ],
  [
    "a bad second listen, which is never read",
    "listen 1935; listen x; vhost a { }",
    ["CONF_DUPLICATE listen is given again; the first counts, in line 1"],
  ],
  [
    "a disabled vhost with bad values",
    "listen 1935; vhost a { enabled off; chunk_size x; dash { enabled on; dash_fragment x; } }",
    ['CONF_VALUE chunk_size: "x" is not a whole number of bytes from 128 to 65536; 128 is used'],
  ],
  ["no argument", inVhost("chunk_size;"), ["CONF_ARGUMENTS chunk_size has no argument; it is taken as not given"]],
  ["too many arguments", inVhost("chunk_size 128 256 512;"), ['CONF_ARGUMENTS chunk_size takes one argument; "256" "512" is ignored']],
  ["an argument of a block", inVhost("play x { }"), ['CONF_ARGUMENTS play takes a block and no argument; "x" is ignored']],
  [
    "braces of a value",
    inVhost("chunk_size 128 { foo; }"),
    ["CONF_ARGUMENTS chunk_size takes a value, not a block; what is in the braces is ignored"],
  ],
  ["a word for on", inVhost("play { gop_cache yes; }"), ['CONF_VALUE gop_cache: "yes" is neither on nor off; on is used']],
  ["a word for off", inVhost("min_latency yes;"), ['CONF_VALUE min_latency: "yes" is neither on nor off; off is used']],
  [
    "a number that is none",
    inVhost("play { queue_length long; }"),
    ['CONF_VALUE queue_length: "long" is not a whole number of seconds from 0 up; 0 is used'],
  ],
  [
    "a number with a tail",
    inVhost("play { queue_length 10s; }"),
    ['CONF_VALUE queue_length: "10s" is not a whole number of seconds from 0 up; 10 is used'],
  ],
  [
    "max_connections with a tail",
    "listen 1935; max_connections 10k; vhost a { }",
    ['CONF_VALUE max_connections: "10k" is not a whole number from 1 up; 10 is used'],
  ],
  [
    "a chunk size that is too small",
    inVhost("chunk_size 1;"),
    ['CONF_VALUE chunk_size: "1" is not a whole number of bytes from 128 to 65536; 128 is used'],
  ],
  [
    "a chunk size that is too large",
    "listen 1935; chunk_size 65537; vhost a { }",
    ['CONF_VALUE chunk_size: "65537" is not a whole number of bytes from 128 to 65536; 65536 is used'],
  ],
  ["an unknown mode", inVhost("cluster { mode far; }"), ['CONF_VALUE mode: "far" is none of local, remote; local is used']],
  [
    "an unknown log level",
    "listen 1935; srs_log_level loud; vhost a { }",
    ['CONF_VALUE srs_log_level: "loud" is none of verbose, info, trace, warn, error, silent; silent is used'],
  ],
  [
    "an origin that is none among good ones",
    inVhost("cluster { mode remote; origin a rtmp://b/live; }"),
    ['CONF_VALUE origin: "rtmp://b/live" is not a server: write host, host:1935 or [::1]:1935; it is left out'],
  ],
  [
    "an edge without an origin",
    inVhost("cluster { mode remote; }"),
    ["CONF_ARGUMENTS vhost a is remote but has no origin to ask; it is switched off"],
  ],
  [
    "a bad port of an HTTP server that is off",
    "listen 1935; http_server { listen x; } vhost a { }",
    ['CONF_VALUE listen: "x" is not an address to listen on: write 1935, 10.0.0.1:1935 or [::1]:1935'],
  ],
  ["a shared port without TLS", "listen 1935; http_api { listen 8080; enabled on; } http_server { enabled on; } vhost a { }", []],
  [
    "a console on the port of viewers without an API",
    "listen 1935; http_server { enabled on; } dolphin { console_on_http on; } vhost a { }",
    ["CONF_VALUE console_on_http has no effect without http_api { enabled on; }"],
  ],
  [
    "a console before foreign servers for which nobody reads",
    "listen 1935; http_server { enabled on; } http_api { enabled on; } dolphin { server srs; console_on_http on; routing connection; } vhost a { }",
    [unreadConsole],
  ],
  [
    "a console before foreign servers that are all edges",
    "listen 1935; http_server { enabled on; } http_api { enabled on; } dolphin { server srs; console_on_http on; } vhost a { cluster { mode remote; origin b; } }",
    [unreadConsole],
  ],
  [
    "a console before foreign servers",
    "listen 1935; http_server { enabled on; } http_api { enabled on; } dolphin { server srs; console_on_http on; } vhost a { }",
    [],
  ],
  ["a daemon that is asked for", "listen 1935; daemon on; vhost a { }", []],
  ["a daemon that is not asked for", "listen 1935; daemon off; vhost a { }", []],
  [
    "auth that nobody can show",
    "listen 1935; http_api { enabled on; auth { enabled on; username u; } } vhost a { }",
    ["CONF_VALUE auth has no password: nobody may use the API; write one"],
  ],
  [
    "auth by the words of the manual",
    "listen 1935; http_api { enabled on; auth { enabled on; username admin; password admin; } } vhost a { }",
    ["CONF_VALUE auth has the username and password of SRS's manual, which everybody knows: choose others"],
  ],
  ["an API that is off", "listen 1935; http_api { enabled off; listen 1985; } vhost a { }", []],
  ["an API that is on", "listen 1935; http_api { enabled on; raw_api { enabled on; } } vhost a { }", []],
  [
    "DASH of many vhosts, warned of once",
    "listen 1935; vhost a { dash { enabled on; } } vhost b { dash { enabled on; } }",
    ["CONF_NOT_SERVED dash is known but not served yet: it has no effect"],
  ],
  ["DASH of a vhost that is off", "listen 1935; vhost a { enabled off; dash { enabled on; } }", []],
  [
    "programs that lack what they need to run",
    inVhost("transcode { enabled on; engine a { enabled on; } engine b { } } ingest c { enabled on; ffmpeg x; }"),
    [
      "CONF_ARGUMENTS transcode has no ffmpeg, so it does not run",
      "CONF_ARGUMENTS engine a has no output, so it does not run",
      "CONF_ARGUMENTS ingest c has no engine { output; }, so it does not run",
      "CONF_ARGUMENTS ingest c has no input { type; url; }, so it does not run",
    ],
  ],
  [
    "hooks that are no URLs",
    inVhost("http_hooks { enabled on; on_play http://a/ a/b rtmp://a/; } forward { enabled on; backend x; }"),
    [
      'CONF_VALUE on_play: "a/b" is no URL of http or https, so every call of it fails',
      'CONF_VALUE on_play: "rtmp://a/" is no URL of http or https, so every call of it fails',
      'CONF_VALUE backend: "x" is no URL of http or https, so every call of it fails',
    ],
  ],
  ["hooks that are off", inVhost("http_hooks { on_play x; } forward { backend x; }"), []],
  [
    "a switch of what is not served that is neither on nor off",
    inVhost("http_hooks { enabled yes; on_play http://a/; }"),
    ['CONF_VALUE enabled: "yes" is neither on nor off; off is used'],
  ],
  ["what is not served, at its default", inVhost("play { mix_correct off; send_min_interval 0; }"), []],
  [
    "what is not served, away from its default",
    inVhost("play { mix_correct on; }"),
    ["CONF_NOT_SERVED mix_correct is known but not served yet: it has no effect"],
  ],
  ["the folder of static files", "listen 1935; http_server { enabled on; dir ./objs/nginx/html; } vhost a { }", []],
  ["that folder where HTTP is off", "listen 1935; http_server { dir ./objs/nginx/html; } vhost a { }", []],
  ["what has no meaning here", inVhost("publish { mr on; mr_latency x; } bandcheck { any thing; }"), []],
  ["a bad value in a block that is not served", inVhost("dash { enabled off; dash_fragment x; }"), []],
  ["any name in an open block", inVhost("rtc { enabled off; whatever 1; deep { er 2; } }"), []],
  [
    "security without a rule",
    inVhost("security { enabled on; }"),
    ["CONF_VALUE security is on and has no rule, which lets nobody in: write allow play all;"],
  ],
  ["rules of every form", inVhost("security { enabled on; allow play all; deny publish 10.0.0.0/8; deny play ::1; }"), []],
  ["several rules of security", inVhost("security { enabled off; allow play all; allow publish all; deny play all; }"), []],
];

for (const [sentence, text, expected] of accepted) {
  test(`check: accepted is ${sentence}`, () => {
    const { config, problems } = loadConfig({ file: "f", text });
    assert.notEqual(config, null, problems.map((problem) => problem.message).join("\n"));
    assert.deepEqual(
      problems.map((problem) => `${problem.code} ${problem.message}`),
      expected,
    );
  });
}

const meant: [text: string, message: string][] = [
  ["lisen 1935;", '"lisen" is not known at the root: is "listen" meant?'],
  ["listen 1935; vhsot a { }", '"vhsot" is not known at the root: is "vhost" meant?'],
  [inVhost("play { gop_cach on; }"), '"gop_cach" is not known in vhost.play: is "gop_cache" meant?'],
  [inVhost("cluster { gop_cache on; }"), '"gop_cache" does not belong in vhost.cluster, but in vhost.play'],
  [inVhost("listen 1935;"), '"listen" does not belong in vhost, but in the root or http_server or http_server.https or other places'],
  [inVhost("forward { bananas on; }"), '"bananas" is not known in vhost.forward; there may be enabled, destination, backend'],
  [inVhost("bananas on;"), '"bananas" is not known in vhost'],
];

for (const [text, message] of meant) {
  test(`check: the message is: ${message}`, () => {
    assert.ok(
      problemsOf(text).some((problem) => problem.message === message),
      problemsOf(text)
        .map((problem) => problem.message)
        .join("\n"),
    );
  });
}

test("check: everything that is wrong is told at once, in the order of the text", () => {
  const text = "foo 1;\nmax_connections -5;\nvhost a {\n  gop_cache maybe;\n  play { bar; }\n}\ngop_cache on;";
  assert.deepEqual(
    problemsOf(text).map(({ severity, line, code }) => `${line} ${severity} ${code}`),
    [
      "1 error CONF_UNKNOWN",
      "1 error CONF_ARGUMENTS",
      "2 error CONF_VALUE",
      "4 warning CONF_RENAMED",
      "4 warning CONF_VALUE",
      "5 error CONF_UNKNOWN",
      "7 error CONF_PLACE",
    ],
  );
});

test("check: what an edge does not run is told, and only where it is on", () => {
  const told = (text: string): string[] =>
    problemsOf(inVhost(`cluster { mode remote; origin b; } ${text}`)).flatMap(({ severity, message }) =>
      severity === "warning" && message.includes("mode remote") ? [message.split(" ")[0]!] : [],
    );
  assert.deepEqual(told("hls { enabled on; } dvr { enabled on; } transcode { enabled on; } exec { enabled on; }"), ["transcode", "exec"]);
  assert.deepEqual(told("transcode { } exec { enabled off; }"), []);
});
