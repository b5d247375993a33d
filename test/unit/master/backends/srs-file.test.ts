import assert from "node:assert/strict";
import { test } from "node:test";
import { parse, type Directive } from "../../../../src/conf/grammar/parser.js";
import { apiIn, portsIn, portsOf } from "../../../../src/master/backends/srs-file.js";

const tree = (text: string): readonly Directive[] => parse(text, "f", () => "").directives;

const file = `listen 1935 127.0.0.1:1936 [::1]:1937;
http_api { enabled on; listen 1985; https { enabled on; listen 1991; } } http_server { listen 8080; https { listen 8089; } }
exporter { listen 9973; } rtc_server { listen 8000; tcp { listen 8001; } } srt_server { listen 10080; }
stream_caster { caster gb28181; listen 9000; sip { listen 5060; } } heartbeat { url http://127.0.0.1:8086/api/v1/servers; }
vhost a { cluster { mode remote; origin 127.0.0.1:19350 b; coworkers 10.0.0.1:9091; } forward { destination 127.0.0.1:19351; } http_hooks { on_play http://h:8087/a; } }`;

test("srs file: every port that it names is told, whatever it is for, and those that SRS takes by default", () => {
  const named = new Set(portsOf(tree(file)));
  for (const port of [1935, 1936, 1937, 1985, 1991, 8080, 8089, 9973, 8000, 8001, 10_080, 9000, 5060, 8086, 19_350, 9091, 19_351, 8087]) {
    assert.ok(named.has(port), String(port));
  }
  const byDefault = new Set(portsOf(tree("listen 1935; vhost a { }")));
  for (const port of [8080, 8088, 1985, 1990, 9972]) assert.ok(byDefault.has(port), String(port));
});

test("srs file: what is no port is not taken for one", () => {
  assert.deepEqual(portsIn("a 80; b 12345678; c 70000; d v1936; e 1936x; f 10.1936.1.1; g 2500.5;"), []);
  assert.deepEqual(portsIn("listen 1936; listen [::]:1937; u http://a:1938/b;"), [1936, 1937, 1938]);
});

const apis: [text: string, where: "here" | "apart" | null][] = [
  ["listen 1935;", null],
  ["http_api { enabled off; listen 8080; }", null],
  ["http_api { enabled on; }", "apart"],
  ["http_api { enabled on; listen 1985; }", "apart"],
  ["http_api { enabled on; listen 8080; }", "here"],
  ["http_api { enabled on; listen 127.0.0.1:8080; }", "here"],
];

for (const [text, where] of apis) {
  test(`srs file: with ${text} the API is ${where === null ? "not served" : where}`, () => {
    assert.equal(apiIn(tree(text), [{ host: "0.0.0.0", port: 8080 }]), where);
  });
}
