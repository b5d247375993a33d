import assert from "node:assert/strict";
import { test } from "node:test";
import { readHook } from "../../../src/backup/hook.js";

/** As SRS 7 sends it. */
const body = {
  server_id: "vid-hk",
  service_id: "2k48z3a8",
  action: "on_hls",
  client_id: "9p0672nu",
  ip: "127.0.0.1",
  vhost: "__defaultVhost__",
  app: "live",
  stream: "livestream",
  duration: 2.96,
  cwd: "/opt/srs",
  file: "./objs/nginx/html/live/livestream-0.ts",
  url: "live/livestream-0.ts",
  m3u8: "./objs/nginx/html/live/livestream.m3u8",
  m3u8_url: "live/livestream.m3u8",
  seq_no: 0,
};

test("hook: on_hls of SRS says which file is the next segment of which list", () => {
  assert.deepEqual(readHook(JSON.stringify(body)), {
    kind: "segment",
    path: "live/livestream.m3u8",
    file: "/opt/srs/objs/nginx/html/live/livestream-0.ts",
    publish: "2k48z3a8 9p0672nu",
    sequence: 0,
    durationMs: 2960,
  });
});

test("hook: on_unpublish ends the publish, and other hooks concern nobody", () => {
  assert.deepEqual(readHook(JSON.stringify({ ...body, action: "on_unpublish" })), { kind: "end", publish: "2k48z3a8 9p0672nu" });
  for (const action of ["on_publish", "on_connect", "on_play", "on_dvr"]) assert.equal(readHook(JSON.stringify({ ...body, action })), null);
});

for (const change of [
  { m3u8_url: "../live/s.m3u8" },
  { m3u8_url: 1 },
  { file: "" },
  { file: "a\0b" },
  { cwd: null },
  { seq_no: -1 },
  { seq_no: "0" },
  { duration: 0 },
  { duration: "x" },
  { duration: 1e9 },
  { client_id: "x".repeat(65) },
  { action: 7 },
]) {
  test(`hook: ${JSON.stringify(change).slice(0, 60)} is refused with a sentence`, () => {
    assert.equal(typeof readHook(JSON.stringify({ ...body, ...change })), "string");
  });
}

test("hook: what is no JSON, or no object, is refused", () => {
  for (const text of ["", "{", "null", '"on_hls"', "[]"]) assert.equal(typeof readHook(text), "string", text);
});
