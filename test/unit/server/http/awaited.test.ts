import assert from "node:assert/strict";
import { test } from "node:test";
import { streamOfList } from "../../../../src/server/http/awaited.js";
import { configOf } from "../rig.js";

const vhostOf = (file: string): NonNullable<ReturnType<typeof configOf>["vhosts"][0]> => {
  const [vhost] = configOf(`vhost a.example { hls { enabled on; hls_m3u8_file ${file}; } }`).vhosts;
  assert.ok(vhost !== undefined);
  return vhost;
};

for (const [file, path, expected] of [
  ["[app]/[stream].m3u8", "/live/s.m3u8", ["live", "s"]],
  ["[app]/[stream].m3u8", "/live/sub/s.m3u8", ["live/sub", "s"]],
  ["hls/[vhost]/[app]-[stream]/list.m3u8", "/hls/a.example/live-s/list.m3u8", ["live", "s"]],
  ["hls/[vhost]/[app]-[stream]/list.m3u8", "/hls/b.example/live-s/list.m3u8", null],
  ["[app]/[stream].m3u8", "/s.m3u8", null],
  ["[app]/[stream].m3u8", "/live/s.ts", null],
] as const) {
  test(`awaited: of ${file} the path ${path} is ${expected === null ? "no list" : `the list of ${expected.join(" ")}`}`, () => {
    const found = streamOfList(path, vhostOf(file));
    assert.deepEqual(found === null ? null : [found.app, found.stream], expected);
  });
}
