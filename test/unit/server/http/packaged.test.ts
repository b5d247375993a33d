import assert from "node:assert/strict";
import { test } from "node:test";
import { loadConfig } from "../../../../src/conf/load.js";
import { guardsOf } from "../../../../src/server/http/packaged.js";

const text = `listen 1935; http_server { enabled on; listen 8080; }
vhost a.test { hls { enabled on; hls_m3u8_file [vhost]/[app]/[stream].m3u8; } }
vhost b.test { hls { enabled on; hls_keys on; hls_key_file keys/[app]/[stream]-[seq].key; hls_key_file_path ./objs/nginx/html; } }
vhost plain.test { }`;

test("a list or a key is guarded by the vhost that may have written it, whatever vhost is named in the question", () => {
  const { config, problems } = loadConfig({ file: "f", text });
  assert.ok(config, JSON.stringify(problems));
  const { vhosts } = config;
  const guards = (path: string, asked: string): string[] =>
    guardsOf(path, vhosts.find(({ name }) => name === asked) ?? null, vhosts).map(({ name }) => name);
  for (const [path, asked, expected] of [
    ["/a.test/live/s.m3u8", "a.test", ["a.test"]],
    ["/a.test/live/s.m3u8", "b.test", ["a.test"]],
    ["/a.test/live/s.m3u8", "none.test", ["a.test"]],
    ["/live/s.m3u8", "b.test", ["b.test"]],
    ["/live/s.m3u8", "plain.test", ["b.test"]],
    ["/live/s.m3u8", "none.test", ["b.test"]],
    ["//live//s.M3U8", "none.test", ["b.test"]],
    ["/keys/live/s-1.key", "a.test", ["b.test"]],
    ["/odd.m3u8", "a.test", ["a.test"]],
    ["/odd.m3u8", "none.test", ["a.test", "b.test"]],
    ["/live/s-1.ts", "none.test", []],
    ["/index.html", "a.test", []],
  ] as const) {
    assert.deepEqual(guards(path, asked), expected, `${path} of ${asked}`);
  }
});
