import assert from "node:assert/strict";
import { test } from "node:test";
import { pathsOf } from "../../../../src/admin/site/addresses.js";
import type { Config } from "../../../../src/conf/meaning/config.js";
import { loadConfig } from "../../../../src/conf/load.js";

const remux = "http_remux { enabled on; mount [vhost]/[app]/[stream].flv; }";
const rows: readonly [what: string, vhost: string, inside: string, flv: string | null, hls: string | null][] = [
  ["nothing that is switched on", "__defaultVhost__", "", null, null],
  ["HTTP-FLV at its mount", "__defaultVhost__", remux, "/a/b/x%20y.flv", null],
  [
    "a mount of its own",
    "v.example",
    "http_remux { enabled on; mount [vhost]/flv/[app]/[stream].flv; }",
    "/flv/a/b/x%20y.flv?vhost=v.example",
    null,
  ],
  ["other containers only", "__defaultVhost__", "http_remux { enabled on; mount [vhost]/[app]/[stream].ts; }", null, null],
  ["HLS below the server's folder", "__defaultVhost__", "hls { enabled on; }", null, "/a/b/x%20y.m3u8"],
  [
    "HLS by a name of its own",
    "__defaultVhost__",
    "hls { enabled on; hls_m3u8_file [vhost]/[stream]/index.m3u8; }",
    null,
    "/__defaultVhost__/x%20y/index.m3u8",
  ],
  ["HLS that no folder serves", "__defaultVhost__", "hls { enabled on; hls_path /elsewhere; }", null, null],
  [
    "HLS below the vhost's folder",
    "v.example",
    "hls { enabled on; hls_path /srv/v.example; } http_static { enabled on; mount [vhost]/files; dir /srv/[vhost]; }",
    null,
    "/files/a/b/x%20y.m3u8?vhost=v.example",
  ],
  [
    "HLS in the server's folder that the vhost's hides",
    "v.example",
    "hls { enabled on; } http_static { enabled on; mount [vhost]/; dir /srv/v; }",
    null,
    null,
  ],
];

function configOf(vhost: string, inside: string): Config {
  const { config, problems } = loadConfig({
    file: "f",
    text: `listen 1935; http_server { enabled on; listen 8080; } vhost ${vhost} { ${inside} }`,
  });
  return config ?? assert.fail(JSON.stringify(problems));
}

for (const [what, vhost, inside, flv, hls] of rows) {
  test(`addresses: ${what}`, () => {
    assert.deepEqual(pathsOf({ vhost, app: "a/b", stream: "x y" }, configOf(vhost, inside)), { flv, hls });
  });
}

test("addresses: a stream of no vhost of ours, and a name that looks like a place for one", () => {
  const config = configOf("__defaultVhost__", `${remux} hls { enabled on; }`);
  assert.deepEqual(pathsOf({ vhost: "else", app: "a", stream: "s" }, config), { flv: null, hls: null });
  assert.deepEqual(pathsOf({ vhost: "__defaultVhost__", app: "a", stream: "[app]" }, config), {
    flv: "/a/%5Bapp%5D.flv",
    hls: "/a/%5Bapp%5D.m3u8",
  });
  assert.equal(pathsOf({ vhost: "__defaultVhost__", app: "..", stream: ".." }, config).hls, null);
});
