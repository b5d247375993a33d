import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTarget } from "../../../src/publisher/target.js";

const request = { vhost: "h", app: "live", stream: "s", params: "" };

for (const [url, expected] of [
  ["rtmp://h/live/s", { endpoint: { host: "h", port: 1935 }, request }],
  ["RTMP://h:19350/live/s", { endpoint: { host: "h", port: 19350 }, request }],
  ["rtmp://[::1]:1936/live/s", { endpoint: { host: "::1", port: 1936 }, request: { ...request, vhost: "::1" } }],
  [
    "rtmp://h/live/room/s?token=a/b",
    { endpoint: { host: "h", port: 1935 }, request: { ...request, app: "live/room", params: "?token=a/b" } },
  ],
  ["rtmp://h/live/s?vhost=v&k=1", { endpoint: { host: "h", port: 1935 }, request: { ...request, vhost: "v", params: "?k=1" } }],
] as const) {
  test(`target: ${url} is read`, () => assert.deepEqual(parseTarget(url), expected));
}

for (const [url, code] of [
  ["rtmp://h", "RTMP_NAME"],
  ["rtmp://h/live", "RTMP_NAME"],
  ["rtmp://h/live/", "RTMP_NAME"],
  ["rtmp://h/live?a/b", "RTMP_NAME"],
  ["rtmp:///live/s", "RTMP_NAME"],
  ["rtmps://h/live/s", "RTMP_NAME"],
  ["http://h/live/s.flv", "RTMP_NAME"],
  ["x.flv", "RTMP_NAME"],
  ["rtmp://h/live/../s", "RTMP_NAME"],
  ["rtmp://h:0/live/s", "CONF_VALUE"],
  ["rtmp://me:secret@h/live/s", "CONF_VALUE"],
] as const) {
  test(`target: ${url} is refused`, () => assert.throws(() => parseTarget(url), { code }));
}

test("target: what is no URL to publish to is told with one that is", () => {
  assert.throws(() => parseTarget("x"), {
    message: "x is no URL to publish to: write rtmp://HOST/APP/STREAM, as in rtmp://127.0.0.1/live/livestream",
  });
});
