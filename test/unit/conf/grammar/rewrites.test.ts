import assert from "node:assert/strict";
import { test } from "node:test";
import { type Directive, parse } from "../../../../src/conf/grammar/parser.js";
import { rewrite } from "../../../../src/conf/grammar/rewrites.js";

function print(directives: readonly Directive[]): string {
  return directives
    .map(({ name, args, children }) => `${[name, ...args].join(" ")}${children === null ? ";" : `{${print(children)}}`}`)
    .join("");
}

/** Both sides in one line; `warned` are the names that the warnings complain about. */
const rows: [old: string, now: string, warned: string[]][] = [
  ["http_stream{enabled on;}", "http_server{enabled on;}", ["http_stream"]],
  ["vhost a{http{enabled on;}}", "vhost a{http_static{enabled on;}}", ["http"]],
  ["vhost a{http_remux{enabled on;hstrs on;}}", "vhost a{http_remux{enabled on;}}", []],
  ["vhost a{refer b c;}", "vhost a{refer{enabled on;all b c;}}", ["refer"]],
  ["vhost a{refer_play b;refer_publish c;}", "vhost a{refer{enabled on;play b;publish c;}}", ["refer_play", "refer_publish"]],
  ["vhost a{refer{enabled off;all b;}}", "vhost a{refer{enabled off;all b;}}", []],
  ["vhost a{mr{enabled on;latency 500;}}", "vhost a{publish{mr on;mr_latency 500;}}", ["enabled", "latency"]],
  ["vhost a{publish_1stpkt_timeout 1;}", "vhost a{publish{firstpkt_timeout 1;}}", ["publish_1stpkt_timeout"]],
  ["vhost a{publish_normal_timeout 1;}", "vhost a{publish{normal_timeout 1;}}", ["publish_normal_timeout"]],
  ["vhost a{time_jitter zero;mix_correct on;}", "vhost a{play{time_jitter zero;mix_correct on;}}", ["time_jitter", "mix_correct"]],
  ["vhost a{atc on;atc_auto on;}", "vhost a{play{atc on;atc_auto on;}}", ["atc", "atc_auto"]],
  ["vhost a{mw_latency 1;queue_length 2;}", "vhost a{play{mw_latency 1;queue_length 2;}}", ["mw_latency", "queue_length"]],
  [
    "vhost a{gop_cache off;gop_cache_max_frames 3;}",
    "vhost a{play{gop_cache off;gop_cache_max_frames 3;}}",
    ["gop_cache", "gop_cache_max_frames"],
  ],
  ["vhost a{send_min_interval 1;}", "vhost a{play{send_min_interval 1;}}", ["send_min_interval"]],
  ["vhost a{reduce_sequence_header on;}", "vhost a{play{reduce_sequence_header on;}}", ["reduce_sequence_header"]],
  ["vhost a{forward b c:1936;}", "vhost a{forward{enabled on;destination b c:1936;}}", ["forward"]],
  ["vhost a{forward{destination b;}}", "vhost a{forward{destination b;}}", []],
  ["vhost a{mode remote;origin b c;}", "vhost a{cluster{mode remote;origin b c;}}", ["mode", "origin"]],
  ["vhost a{token_traverse on;vhost b;}", "vhost a{cluster{token_traverse on;vhost b;}}", ["token_traverse", "vhost"]],
  ["vhost a{debug_srs_upnode off;}", "vhost a{cluster{debug_srs_upnode off;}}", ["debug_srs_upnode"]],
  ["vhost a{nack on;twcc off;}", "vhost a{rtc{nack on;twcc off;}}", ["nack", "twcc"]],
  ["vhost a{gop_cache on;play{gop_cache off;}}", "vhost a{play{gop_cache off;gop_cache on;}}", ["gop_cache"]],
  ["gop_cache on;", "gop_cache on;", []],
  ["stream_caster{caster gb28181;host 1.2.3.4;}", "stream_caster{caster gb28181;sip{candidate 1.2.3.4;}}", ["host"]],
  ["stream_caster{host a;sip{listen 1;}}", "stream_caster{sip{listen 1;candidate a;}}", ["host"]],
  ["stream_caster{tcp_enable on;rtp_port_min 1;rtp_port_max 2;}", "stream_caster{}", ["tcp_enable", "rtp_port_min", "rtp_port_max"]],
  [
    "stream_caster{wait_keyframe on;rtp_idle_timeout 1;audio_enable on;auto_create_channel on;listen 1;}",
    "stream_caster{listen 1;}",
    ["wait_keyframe", "rtp_idle_timeout", "audio_enable", "auto_create_channel"],
  ],
  ["http_server{host a;}", "http_server{host a;}", []],
];

for (const [old, now, warned] of rows) {
  test(`rewrites: ${old} is read as ${now}`, () => {
    const before = parse(old, "f", () => "").directives;
    const copy = structuredClone(before);
    const { directives, problems } = rewrite(before);
    assert.equal(print(directives), now);
    assert.deepEqual(before, copy);
    assert.deepEqual(
      problems.map(({ severity, code, message }) => [severity, code, message.split(" ")[0]]),
      warned.map((name) => ["warning", "CONF_RENAMED", name]),
    );
  });
}

test("rewrites: a warning shows the place and today's spelling", () => {
  const { directives } = parse("http_stream { }\nvhost a {\n  gop_cache on;\n  http { }\n}", "f", () => "");
  assert.deepEqual(
    rewrite(directives).problems.map(({ line, column, message }) => `${line}:${column} ${message}`),
    [
      "1:1 http_stream is an old spelling of http_server",
      "3:3 gop_cache is an old spelling of play { gop_cache …; }",
      "4:3 http is an old spelling of http_static",
    ],
  );
});
