import assert from "node:assert/strict";
import { test } from "node:test";
import { maskedConfig, maskedProgram, maskedText } from "../../../../src/admin/box/masked.js";
import { loadConfig } from "../../../../src/conf/load.js";

test("masked: no secret of a configuration is shown, wherever it stands, and everything else is", () => {
  const secrets = ["hunter2", "s3cret", "t0ken"];
  const text = `listen 1935; vhost a { cluster { mode remote; origin b; } }
http_api { enabled on; auth { enabled on; type basic; username admin; password ${secrets[0]}; } }
dolphin { api_token ${secrets[1]}; server "http://user:${secrets[2]}@host/x?key=${secrets[2]}"; plan single; }`;
  const { config, problems } = loadConfig({ file: "f", text });
  assert.ok(config, JSON.stringify(problems));
  const shown = JSON.stringify(maskedConfig(config));
  for (const secret of secrets) assert.ok(!shown.includes(secret), shown);
  assert.match(shown, /"username":"admin"/);
  assert.match(shown, /http:\/\/…@host\/x\?…/);
  assert.match(shown, /"plan":"single"/);
});

test("masked: names are written as operators write directives, with the unit of what is shown", () => {
  const { config } = loadConfig({
    file: "f",
    text: "listen 1935; max_connections 77; vhost a { play { gop_cache off; queue_length 9; } }",
  });
  assert.ok(config);
  const { max_connections, vhosts } = maskedConfig(config);
  assert.equal(max_connections, 77);
  const [vhost] = vhosts as { play: Record<string, unknown>; name: string; hooks: object }[];
  assert.deepEqual([vhost?.name, vhost?.play["gop_cache"], vhost?.play["queue_length_ms"]], ["a", false, 9000]);
  assert.deepEqual(Object.keys(vhost?.hooks ?? {}).slice(0, 2), ["on_connect", "on_close"]);
  assert.doesNotMatch(JSON.stringify(maskedConfig(config)), /"[a-z]\w*[A-Z]\w*":/);
});

test("masked: of a password with an @ in it nothing is shown", () => {
  const { config } = loadConfig({ file: "f", text: 'listen 1935; vhost a { } dolphin { server "http://user:hun@ter2@host/x@y"; }' });
  assert.ok(config);
  const shown = JSON.stringify(maskedConfig(config));
  assert.match(shown, /http:\/\/…@host\/x@y/);
  assert.doesNotMatch(shown, /ter2/);
});

test("masked: of a program's words and lines nothing is shown that lets one in elsewhere", () => {
  for (const [text, shown] of [
    ["-i rtmp://127.0.0.1:1935/live/s?vhost=v", "-i rtmp://127.0.0.1:1935/live/s?…"],
    ["rtmp://a.example/live2/abcd-key failed", "rtmp://a.example/live2/… failed"],
    ["rtmps://u:p@a.example:443/app/inner/abcd-key?x=1", "rtmps://…@a.example:443/app/inner/…"],
    ["rtsp://u:p@10.0.0.9/one", "rtsp://…@10.0.0.9/one"],
    ["frame= 100 fps=25", "frame= 100 fps=25"],
  ] as const) {
    assert.equal(maskedText(text), shown);
  }
});

test("masked: a program is told without the key of the stream that it publishes elsewhere", () => {
  const output = "rtmp://live.example/app/t0ken";
  const argv = ["ffmpeg", "-i", "rtmp://127.0.0.1/live/s", "-f", "flv", output];
  const place = { vhost: "v", app: "live", stream: "s", kind: "transcode", name: "ff", input: "" } as const;
  const state = { pid: 1, sinceMs: 1, restarts: 0, lastEnd: "", lastLine: `Output #0, flv, to '${output}':` };
  const shown = maskedProgram({ ...place, ...state, argv, output });
  assert.doesNotMatch(JSON.stringify(shown), /t0ken/);
  assert.deepEqual(shown.argv.slice(0, 5), argv.slice(0, 5));
});
